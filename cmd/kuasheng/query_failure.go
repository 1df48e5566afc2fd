package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
)

// unanswered is a question that went out and brought no answer that holds. Its request id stands in the record of the access, and may have been
// made up by this command: nobody else can tell it.
type unanswered struct {
	error
	requestID string
}

func (u unanswered) Unwrap() error { return u.error }

// asAsked adds the request id to the error of a question, unless the question never went out.
func asAsked(err error, requestID string) error {
	if err == nil || errors.Is(err, client.ErrArgument) || errors.Is(err, client.ErrPart) {
		return err
	}
	return unanswered{err, requestID}
}

// reportAsked says how to find the access, and whether data may have left: who asks again blindly would have it leave twice.
func reportAsked(w io.Writer, u unanswered) {
	fmt.Fprintf(w, "  request id   %s\n", clean(u.requestID))
	if mayHaveLeft(u.error) {
		fmt.Fprintln(w, "  data         the access may be on record, and data may have left the province; its record holds this request id")
	}
}

// mayHaveLeft reports whether an error leaves open that data left the province. A refusal that was decided does not.
func mayHaveLeft(err error) bool {
	r, refused := client.RefusalOf(err)
	if !refused || errors.Is(err, client.ErrCut) || errors.Is(err, client.ErrChanged) {
		return true
	}
	switch r.Reason {
	case auditv1.Reason_REASON_DEADLINE_EXCEEDED, auditv1.Reason_REASON_NODE_LOST, auditv1.Reason_REASON_CALLER_GONE,
		auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, auditv1.Reason_REASON_SHUTTING_DOWN, auditv1.Reason_REASON_INTERNAL,
		auditv1.Reason_REASON_LOG_UNAVAILABLE, auditv1.Reason_REASON_UNSPECIFIED:
		return true
	}
	return false
}

// reportChanged tells data that changed between two parts, which is daily business, from evidence that does not hold.
func reportChanged(w io.Writer, err error) {
	access := ""
	var unverified *client.EvidenceError
	if errors.As(err, &unverified) {
		access = unverified.Access
	} else if r, ok := client.RefusalOf(err); ok {
		access = r.Access
	}
	fmt.Fprintln(w, "kuasheng: the parts of the export do not make a whole / 前后两次导出的数据不能合为一体")
	fmt.Fprintln(w, "  原因         两次导出之间，提供方的数据可能已有变更，属正常情况。已收到的数据不得使用，请重新完整导出。")
	fmt.Fprintln(w, "  detail       the province's data may have changed between the parts, which is normal; an export can go on only over the same rows")
	if access != "" {
		fmt.Fprintf(w, "  on record as %s\n", clean(access))
	}
	fmt.Fprintln(w, "  what to do   export anew in one piece; if that fails as well, report the access to the exchange's operator and your auditor")
}
