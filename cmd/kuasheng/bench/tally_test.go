package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func refused(reason auditv1.Reason) error {
	return refusal.New(reason, "for a test").Status("henan.example", "accesses/7").Err()
}

func TestReason(t *testing.T) {
	strange, err := status.New(codes.PermissionDenied, "no").WithDetails(&errdetails.ErrorInfo{Reason: "MADE_UP_0000001", Domain: "evil.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{refused(auditv1.Reason_REASON_NO_GRANT), "NO_GRANT"},
		{fmt.Errorf("querying: %w", refused(auditv1.Reason_REASON_NODE_BUSY)), "NODE_BUSY"},
		{status.Error(codes.Unavailable, "connection refused"), "UNAVAILABLE"},
		{status.Error(codes.DeadlineExceeded, "late"), "DEADLINE_EXCEEDED"},
		{context.DeadlineExceeded, "DEADLINE_EXCEEDED"},
		{status.Error(codes.Code(4711), "a code that nobody knows"), "UNKNOWN"},
		{strange.Err(), "PERMISSION_DENIED"},
		{&client.EvidenceError{Step: client.StepIntentReceipt, Err: errors.New("x")}, "EVIDENCE_INTENT_RECEIPT"},
		{fmt.Errorf("x: %w", &client.EvidenceError{Step: client.StepContent, Err: errors.New("x")}), "EVIDENCE_CONTENT"},
		{fmt.Errorf("x: %w", client.ErrJournalKey), "JOURNAL_KEY_NOT_AVAILABLE"},
		{errEmpty, "EMPTY_ANSWER"},
		{errors.New("anything else"), "UNKNOWN"},
	} {
		if got := Reason(c.err); got != c.want {
			t.Errorf("Reason(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}

// TestTally: answers, verified answers and errors go where they belong, also when callers are merged.
func TestTally(t *testing.T) {
	var a, b tally
	a.add(outcome{took: time.Millisecond, bytes: 800})
	a.add(outcome{took: time.Hour, verified: true})
	a.add(outcome{took: time.Millisecond, err: refused(auditv1.Reason_REASON_NODE_BUSY)})
	b.add(outcome{took: 3 * time.Millisecond, bytes: 1000})
	b.add(outcome{err: refused(auditv1.Reason_REASON_NODE_BUSY)})
	b.add(outcome{verified: true, err: status.Error(codes.Unavailable, "gone")})
	var all tally
	all.merge(&a)
	all.merge(&b)
	if all.answers != 3 || all.verified != 1 || all.counted != 2 || all.bytes != 1800 || all.failed() != 3 {
		t.Errorf("answers %d, verified %d, counted %d, bytes %d, failed %d", all.answers, all.verified, all.counted, all.bytes, all.failed())
	}
	if all.latencies.total != 2 || all.latencies.longest != 3*time.Millisecond {
		t.Errorf("latencies of verified or failed calls were recorded: %d, longest %v", all.latencies.total, all.latencies.longest)
	}
	if diff := cmp.Diff(map[string]int64{"NODE_BUSY": 2, "UNAVAILABLE": 1}, all.errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
