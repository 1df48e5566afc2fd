package exchange

import (
	"strings"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

const (
	// maxParameters bounds the parameters of one request together, and with it the messages on the link.
	maxParameters = 16 << 10
	// leastRepeated is the shortest value that is looked for in texts: a name of two characters has six bytes; shorter values (a year, a code)
	// stand in texts by chance.
	leastRepeated = 6
)

// checkTexts refuses what must not reach a log: every text of the request that goes on record is searched for identity numbers.
func checkTexts(a ask) error {
	size := 0
	for name, value := range a.parameters {
		size += len(name) + len(value)
	}
	if size > maxParameters {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "parameters", "the parameters have %d bytes together, at most %d", size, maxParameters)
	}
	free := []struct{ name, text string }{
		{"operator", a.operator}, {"request_id", a.requestID}, {"purpose.case_number", a.purpose.GetCaseNumber()}, {"purpose.cause", a.purpose.GetCause()},
	}
	for _, t := range free {
		if repeats(t.text, a.parameters) {
			return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, t.name, "%s goes on record and must not repeat the value of a parameter", t.name)
		}
	}
	formal := []struct{ name, text string }{
		{"resource", a.resource}, {"fields", strings.Join(a.fields, "\n")}, {"purpose.code", a.purpose.GetCode()}, {"purpose.service_item", a.purpose.GetServiceItem()},
	}
	for _, t := range append(formal, free...) {
		if ident.ContainsCitizenID(t.text) {
			return refusal.About(auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT, t.name, "%s goes on record and must not contain an identity number; put it into parameters", t.name)
		}
	}
	if _, err := ident.ParseResourceName(a.resource); err != nil {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "resource", "not the name of a resource, such as provinces/410000/resources/307410000001-000001")
	}
	if _, err := ident.ParseServiceItem(a.purpose.GetServiceItem()); err != nil {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "purpose.service_item", "not a service item code: %v", err)
	}
	return nil
}

// repeats reports whether a text holds the value of a parameter: a name, a number of another country, whatever its form.
func repeats(text string, parameters map[string]string) bool {
	for _, value := range parameters {
		if len(value) >= leastRepeated && strings.Contains(text, value) {
			return true
		}
	}
	return false
}
