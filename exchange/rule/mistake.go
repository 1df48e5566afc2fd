// Package rule collects the mistakes of a request, so that a bureau gets one notice that names everything wrong with an entry, a grant
// or a member, and not one mistake per attempt.
//
// A mistake names the place ("fields[3].mask") and what is wrong there, never the value: refusals go into logs.
package rule

import (
	"fmt"
	"unicode"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/grpc/codes"
)

// maxReported bounds the mistakes that are listed. They travel in HTTP/2 trailers, which proxies bound; nobody mends more in one go.
const maxReported = 50

// Mistakes is a list of mistakes. The zero value is an empty one.
type Mistakes struct {
	listed []mistake
	total  int
}

type mistake struct {
	reason auditv1.Reason
	refusal.Field
}

// Add notes a mistake.
func (m *Mistakes) Add(reason auditv1.Reason, place, format string, args ...any) {
	m.total++
	if len(m.listed) < maxReported {
		m.listed = append(m.listed, mistake{reason, refusal.Field{Name: place, Description: fmt.Sprintf(format, args...)}})
	}
}

// Argument notes a value that is malformed by itself.
func (m *Mistakes) Argument(place, format string, args ...any) {
	m.Add(auditv1.Reason_REASON_ARGUMENT_INVALID, place, format, args...)
}

// Violation notes what a rule of the catalogue or of sharing forbids.
func (m *Mistakes) Violation(place, format string, args ...any) {
	m.Add(auditv1.Reason_REASON_RULE_VIOLATED, place, format, args...)
}

// USCC demands a unified social credit code.
func (m *Mistakes) USCC(place, value string) {
	if _, err := ident.ParseUSCC(value); err != nil {
		m.Argument(place, "%v", err)
	}
}

// Text demands a text that may be shown and kept: without a citizen identity number, because free texts end up in logs and in front of
// people who have no business with that citizen, and without characters that move the cursor or turn the reading direction of a terminal or
// page, by which a text can pretend to be another.
func (m *Mistakes) Text(place, value string) {
	for _, r := range value {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
			m.Argument(place, "contains a control character")
			break
		}
	}
	if ident.ContainsCitizenID(value) {
		m.Add(auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT, place, "contains a citizen identity number: take it out")
	}
}

// Err returns nil or a refusal that lists the mistakes. Its reason is that of the first mistake of the gravest kind: an identity number
// in a text, then whatever is wrong with the request by itself, then what the state of things forbids.
func (m *Mistakes) Err() error {
	if m.total == 0 {
		return nil
	}
	worst := m.listed[0]
	refused := &refusal.Error{}
	for _, x := range m.listed {
		refused.Fields = append(refused.Fields, x.Field)
		if gravity(x.reason) > gravity(worst.reason) {
			worst = x
		}
	}
	refused.Reason, refused.Subject, refused.Detail = worst.reason, worst.Name, worst.Name+": "+worst.Description
	if m.total > 1 {
		refused.Detail = fmt.Sprintf("%s (and %d more)", refused.Detail, m.total-1)
	}
	return refused
}

func gravity(r auditv1.Reason) int {
	switch {
	case r == auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT:
		return 2
	case refusal.Code(r) == codes.InvalidArgument:
		return 1
	}
	return 0
}
