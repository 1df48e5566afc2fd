package client

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// Refusal is a refusal or failure as exchange and nodes explain it.
type Refusal struct {
	Code    codes.Code
	Reason  auditv1.Reason // unspecified where this version does not know it
	Name    string         // the reason as sent, for example "FIELD_NOT_GRANTED"
	Domain  string         // trust domain of the hop that refused
	Access  string         // access record, "accesses/{index}"; empty where there is none
	Subject string         // argument, parameter or field that it is about; never a value
	Detail  string         // in English
	Chinese string         // in Chinese
	// Mistakes lists every wrong field of the request, where there are several.
	Mistakes []Mistake
}

// Mistake is one wrong field of a request.
type Mistake struct{ Field, Description string }

// RefusalOf reads the refusal out of the error of a call. ok is false where the error is not one of the exchange's own, for example
// because it was never reached.
func RefusalOf(err error) (r Refusal, ok bool) {
	s := statusOf(err)
	e, domain, access, ok := refusal.FromStatus(s.Err())
	if !ok {
		return Refusal{}, false
	}
	r = Refusal{
		Code: s.Code(), Reason: e.Reason, Domain: domain, Access: access, Subject: e.Subject, Detail: e.Detail,
		Chinese: refusal.Chinese(e.Reason),
	}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			r.Name = d.GetReason()
		case *errdetails.LocalizedMessage:
			if d.GetLocale() == "zh-CN" {
				r.Chinese = d.GetMessage()
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				r.Mistakes = append(r.Mistakes, Mistake{Field: v.GetField(), Description: v.GetDescription()})
			}
		}
	}
	return r, true
}

// statusOf finds the status under the wrapping, so that its message is the server's own.
func statusOf(err error) *status.Status {
	var with interface{ GRPCStatus() *status.Status }
	if errors.As(err, &with) {
		return with.GRPCStatus()
	}
	return status.Convert(err)
}
