// Package refusal is the one way in which exchange and node say no: a typed error that carries a reason from the public enum, becomes a
// gRPC status with google.rpc.ErrorInfo and a LocalizedMessage that says in Chinese what to do, and goes on record as that reason.
//
// A refusal names what it is about (a parameter, a field, an argument) and never a value.
package refusal

import (
	"errors"
	"fmt"
	"strings"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is a refusal.
type Error struct {
	Reason  auditv1.Reason
	Subject string // name of the argument, parameter or field that it is about; empty where there is none
	Detail  string // for people: what was wrong and what to do; never a value
	// Fields lists every mistake where there are several (google.rpc.BadRequest); names and descriptions, never values.
	Fields []Field
}

// Field is one mistake in a request.
type Field struct{ Name, Description string }

// New makes a refusal without a subject.
func New(reason auditv1.Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// About makes a refusal about a named argument, parameter or field.
func About(reason auditv1.Reason, subject, format string, args ...any) *Error {
	return &Error{Reason: reason, Subject: subject, Detail: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return Name(e.Reason)
	}
	return Name(e.Reason) + ": " + e.Detail
}

// Is reports whether target is a refusal for the same reason, so that errors.Is(err, refusal.New(reason, "")) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason
}

// Of returns the refusal that err is or wraps.
func Of(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// Name is the reason as it stands in ErrorInfo: without the enum's prefix.
func Name(r auditv1.Reason) string { return strings.TrimPrefix(r.String(), "REASON_") }

// Parse is the reverse of Name; it returns REASON_UNSPECIFIED for a name that it does not know.
func Parse(name string) auditv1.Reason { return auditv1.Reason(auditv1.Reason_value["REASON_"+name]) }

// Code is the gRPC status code of a reason.
func Code(r auditv1.Reason) codes.Code {
	if e, ok := table[r]; ok {
		return e.code
	}
	return codes.Internal
}

// Chinese says in zh-CN what happened, without a full stop.
func Chinese(r auditv1.Reason) string { return explained(r).zh }

// Cure says in zh-CN what to do (处理办法), in whole sentences.
func Cure(r auditv1.Reason) string { return explained(r).cure }

// explained is the entry of a reason; one of a later version is like an internal fault, whose cure is to ask.
func explained(r auditv1.Reason) entry {
	if e, ok := table[r]; ok {
		return e
	}
	return table[auditv1.Reason_REASON_INTERNAL]
}

// withheld stands in a subject for a name that may be a value, so that it is shown to nobody.
const withheld = "(withheld)"

// Localized is the whole message in zh-CN: what happened, what it is about, what to do.
func (e *Error) Localized() string {
	about := ""
	if e.Subject != "" {
		about = "（" + strings.ReplaceAll(e.Subject, withheld, "名称不予显示") + "）"
	}
	return Chinese(e.Reason) + about + "。" + Cure(e.Reason)
}

// Status turns a refusal into a gRPC status. Domain is the hop that refused (a trust domain); access is the name of the access record, or
// empty where there is none.
func (e *Error) Status(domain, access string) *status.Status {
	e = e.sendable()
	info := &errdetails.ErrorInfo{Reason: Name(e.Reason), Domain: domain, Metadata: map[string]string{}}
	if access != "" {
		info.Metadata["access"] = access
	}
	if e.Subject != "" {
		info.Metadata["subject"] = e.Subject
	}
	s := status.New(Code(e.Reason), e.Error())
	zh := &errdetails.LocalizedMessage{Locale: "zh-CN", Message: e.Localized()}
	if len(e.Fields) == 0 {
		if with, err := s.WithDetails(info, zh); err == nil {
			return with
		}
		return s
	}
	bad := &errdetails.BadRequest{}
	for _, f := range e.Fields {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: f.Name, Description: f.Description})
	}
	if with, err := s.WithDetails(info, zh, bad); err == nil {
		return with
	}
	return s
}

// sendable is the refusal with every text as UTF-8. A status with any other text loses all its details on the way, and with them its type.
func (e *Error) sendable() *Error {
	valid := func(s string) string { return strings.ToValidUTF8(s, "�") }
	out := &Error{Reason: e.Reason, Subject: valid(e.Subject), Detail: valid(e.Detail)}
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, Field{Name: valid(f.Name), Description: valid(f.Description)})
	}
	return out
}

// FromStatus reads a refusal back from an error that a server returned. ok is false where the error carries no ErrorInfo.
func FromStatus(err error) (e *Error, domain, access string, ok bool) {
	s, isStatus := status.FromError(err)
	if !isStatus || s == nil {
		return nil, "", "", false
	}
	for _, d := range s.Details() {
		if info, isInfo := d.(*errdetails.ErrorInfo); isInfo {
			detail := strings.TrimPrefix(s.Message(), info.GetReason()+": ")
			return &Error{Reason: Parse(info.GetReason()), Subject: info.GetMetadata()["subject"], Detail: detail}, info.GetDomain(), info.GetMetadata()["access"], true
		}
	}
	return nil, "", "", false
}
