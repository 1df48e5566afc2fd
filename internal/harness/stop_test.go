package harness

import (
	"testing"

	"go.uber.org/goleak"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
)

// TestGracefulStop stops exchange and node under load, as a service manager does, again and again. Every access that was begun is finished and
// has its record, and nothing is left behind in the process.
func TestGracefulStop(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("under load", func(t *testing.T) {
		sys := Start(t, nil)
		henan := sys.Province("410000", "henan.example", "one")
		zhejiang := sys.Province("330000", "zhejiang.example", "one")
		replica := henan.Run("one", "")
		grantAll(sys, henan, zhejiang)
		load := startLoad(t, henan, zhejiang, 6)
		for range 3 {
			load.waitAnswers(sys, 100)
			replica.Stop()
			replica.Start()
			load.waitAnswers(sys, 100)
			sys.Stop()
			sys.Serve()
		}
		load.waitAnswers(sys, 20)
		load.stop()
		replica.Stop()
		sys.Stop()

		book := readLedger(t, sys, replica)
		book.check(t)
		load.check(book)
		if n := tally(book)[auditv1.Result_RESULT_ANSWERED.String()]; n != len(load.receipts) {
			t.Errorf("%d accesses were answered and %d answers arrived", n, len(load.receipts))
		}
		for index, list := range book.outcomes {
			for _, p := range list {
				if p.record.GetOutcome().GetResult() == auditv1.Result_RESULT_INTERRUPTED {
					t.Errorf("access %d was interrupted by a graceful stop: %v, intent %v", index, book.results(index), book.intents[index].GetMode())
				}
			}
		}
		t.Logf("%d answers; errors %v; outcomes %v", len(load.receipts), load.errs, tally(book))
	})
}
