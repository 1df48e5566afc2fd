package harness

import (
	"syscall"
	"testing"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc/health/grpc_health_v1"
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
		rounds := 3
		if testing.Short() || raceEnabled {
			rounds = 1
		}
		for range rounds {
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

// TestStopWaits stops a server while a query is in the source's hands. The server waits for the answer, and the caller gets it.
func TestStopWaits(t *testing.T) {
	t.Run("node", func(t *testing.T) {
		t.Parallel()
		c := newScene(t)
		ended := c.ask()
		check(t, c.node.cmd.Process.Signal(syscall.SIGTERM))
		app := c.another.App("portal")
		c.sys.Eventually("draining", func() bool {
			r, _ := client.RefusalOf(askOnce(t, c.load, app))
			return r.Reason == auditv1.Reason_REASON_NODE_NOT_ATTACHED
		})
		c.answers(ended)
		if code := c.node.WaitExit(); code != 0 {
			t.Errorf("the node ended with code %d", code)
		}
		c.node = c.replica.Spawn()
		if _, result := c.finish(); result != auditv1.Result_RESULT_ANSWERED {
			t.Errorf("the access ended %v", result)
		}
	})
	t.Run("exchange", func(t *testing.T) {
		t.Parallel()
		c := newScene(t)
		ended := c.ask()
		check(t, c.exchange.cmd.Process.Signal(syscall.SIGTERM))
		waitHealth(c.sys, c.another, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
		c.answers(ended)
		if code := c.exchange.WaitExit(); code != 0 {
			t.Errorf("the exchange ended with code %d", code)
		}
		c.exchange = c.sys.Spawn()
		if _, result := c.finish(); result != auditv1.Result_RESULT_ANSWERED {
			t.Errorf("the access ended %v", result)
		}
	})
}

// answers opens the gate, and demands that the query ends well and not before.
func (c *scene) answers(ended <-chan error) {
	c.t.Helper()
	select {
	case err := <-ended:
		c.t.Fatalf("the query ended before its source had answered: %v", err)
	default:
	}
	close(c.gate.open)
	if err := <-ended; err != nil {
		c.t.Errorf("the query that was under way: %v", err)
	}
}
