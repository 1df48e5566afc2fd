package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// tally is what one caller counts. It is for one goroutine; the loop merges them when all have ended.
type tally struct {
	latencies histogram
	answers   int64 // calls that brought an answer, verified ones included
	verified  int64
	bytes     int64 // of answers as messages, where they were counted
	counted   int64 // answers whose bytes were counted
	errors    map[string]int64
}

// outcome is how one call ended.
type outcome struct {
	took     time.Duration
	bytes    int // 0 where the answer was decoded by somebody else
	verified bool
	err      error
}

func (t *tally) add(o outcome) {
	switch {
	case o.err != nil:
		if t.errors == nil {
			t.errors = map[string]int64{}
		}
		t.errors[Reason(o.err)]++
	case o.verified:
		t.answers++
		t.verified++
	default:
		t.answers++
		t.counted++
		t.bytes += int64(o.bytes)
		t.latencies.record(o.took)
	}
}

func (t *tally) merge(other *tally) {
	t.latencies.merge(&other.latencies)
	t.answers += other.answers
	t.verified += other.verified
	t.bytes += other.bytes
	t.counted += other.counted
	for reason, n := range other.errors {
		if t.errors == nil {
			t.errors = map[string]int64{}
		}
		t.errors[reason] += n
	}
}

// failed is how many calls brought no answer.
func (t *tally) failed() int64 {
	var n int64
	for _, m := range t.errors {
		n += m
	}
	return n
}

// errEmpty means that a call ended well and brought nothing.
var errEmpty = errors.New("empty answer")

// Reason names why a call brought no answer: the exchange's own reason (NO_GRANT, NODE_BUSY, …), EVIDENCE_… with the step where the evidence does not
// hold, or the gRPC code where the exchange was not reached. There are only as many as these have names, so that a hostile server cannot make a
// report grow.
func Reason(err error) string {
	var evidence *client.EvidenceError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &evidence):
		return "EVIDENCE_" + constant(evidence.Step.String())
	case errors.Is(err, client.ErrJournalKey):
		return "JOURNAL_KEY_NOT_AVAILABLE"
	case errors.Is(err, errEmpty):
		return "EMPTY_ANSWER"
	}
	if r, ok := client.RefusalOf(err); ok && r.Reason != auditv1.Reason_REASON_UNSPECIFIED {
		return r.Name
	}
	return constant(codeOf(err).String())
}

// codeOf finds the gRPC code under the wrapping.
func codeOf(err error) codes.Code {
	var with interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &with):
		code := with.GRPCStatus().Code()
		if code > codes.Unauthenticated {
			return codes.Unknown
		}
		return code
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	default:
		return codes.Unknown
	}
}

// constant writes a name such as "DeadlineExceeded" or "intent receipt" as DEADLINE_EXCEEDED and INTENT_RECEIPT.
func constant(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == ' ':
			b.WriteByte('_')
			continue
		case i > 0 && unicode.IsUpper(r):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// BrokenEvidenceError means that answers came whose evidence does not hold. It matches client.ErrEvidence through the first of them.
type BrokenEvidenceError struct{ First error }

// Error implements error.
func (e *BrokenEvidenceError) Error() string {
	return fmt.Sprintf("an answer under load: %v", e.First)
}

// Unwrap returns the first error.
func (e *BrokenEvidenceError) Unwrap() error { return e.First }
