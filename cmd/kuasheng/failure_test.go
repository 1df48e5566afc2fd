package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// TestReportRefusal looks for what a refused caller needs, in both languages and each once.
func TestReportRefusal(t *testing.T) {
	r := refusal.About(auditv1.Reason_REASON_PURPOSE_NOT_GRANTED, "purpose.code", "the grant does not have this purpose")
	var out strings.Builder
	if code := report(&out, &cobra.Command{}, fmt.Errorf("querying: %w", r.Status("exchange.example", "accesses/7").Err())); code != exitFailure {
		t.Errorf("exit status is %d", code)
	}
	for _, want := range []string{
		"refused: PURPOSE_NOT_GRANTED\n",
		refusal.Chinese(r.Reason) + "（purpose.code）。", refusal.Cure(r.Reason) + "\n",
		r.Detail, "exchange.example", "accesses/7", cure(r.Reason),
	} {
		if n := strings.Count(out.String(), want); n != 1 {
			t.Errorf("%q stands %d times, want once, in\n%s", want, n, &out)
		}
	}
}

// TestReportLookUp expects the warning that data may have left wherever no answer proves that it has not: asking again blindly would have it
// leave twice.
func TestReportLookUp(t *testing.T) {
	for _, err := range []error{
		refusal.New(auditv1.Reason_REASON_DEADLINE_EXCEEDED, "").Status("exchange.example", "").Err(),
		refusal.New(auditv1.Reason_REASON_NODE_LOST, "").Status("exchange.example", "accesses/7").Err(),
		refusal.New(auditv1.Reason_REASON_CALLER_GONE, "").Status("exchange.example", "accesses/7").Err(),
		status.Error(codes.DeadlineExceeded, "context deadline exceeded"), // made by the client's own gRPC library
	} {
		t.Run(err.Error(), func(t *testing.T) {
			var out strings.Builder
			report(&out, &cobra.Command{}, err)
			if !strings.Contains(out.String(), lookUp) {
				t.Errorf("does not say that data may have left:\n%s", &out)
			}
		})
	}
}
