package harness

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// TestAccessLogOutage takes the disk away from under the access log. From the first record that cannot be written callers get UNAVAILABLE, the
// source is not asked any more and health turns; when the disk is back a plain restart is all it takes.
func TestAccessLogOutage(t *testing.T) {
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) {
			sys := Start(t, nil)
			henan := sys.Province("410000", "henan.example", "one")
			zhejiang := sys.Province("330000", "zhejiang.example")
			replica := henan.Run("one", "")
			grantAll(sys, henan, zhejiang)
			sys.Stop()
			whole := filepath.Join(sys.Dir, "exchange")
			o.prepare(t, whole, sys.logDir())
			exchange := sys.Spawn().WaitReady()

			load := newLoad(t, henan)
			app := zhejiang.App("portal")
			end := outageBegins(t, sys, load, app, askOnce, func() func() { return o.begin(t, whole, sys.logDir(), exchange) }, auditv1.Reason_REASON_LOG_UNAVAILABLE)

			asked := queriesOf(t, replica)
			for range 20 {
				err := askOnce(t, load, app)
				if r, _ := client.RefusalOf(err); r.Reason != auditv1.Reason_REASON_LOG_UNAVAILABLE || status.Code(err) != codes.Unavailable {
					t.Fatalf("a call without a log: %v, want UNAVAILABLE for LOG_UNAVAILABLE", err)
				}
			}
			if now := queriesOf(t, replica); now != asked {
				t.Errorf("the source was asked %d times after the log had failed", now-asked)
			}
			waitHealth(sys, zhejiang, grpc_health_v1.HealthCheckResponse_NOT_SERVING)

			check(t, exchange.cmd.Process.Signal(syscall.SIGTERM))
			if code := exchange.WaitExit(); code != 1 {
				t.Errorf("the exchange ended with code %d, want 1: it must say that its log is at fault", code)
			}
			left := 0 // databases that are not closed, since on a full disk that would kill the process: state and index
			if o.everything {
				left = 2
			}
			if n := strings.Count(exchange.Log(), "leaving the database open"); n != left {
				t.Errorf("the exchange left %d databases open, want %d\n%s", n, left, exchange.log.tail(20))
			}
			end()
			exchange = sys.Spawn().WaitReady()
			worksAgain(t, sys, load, app)
			waitHealth(sys, zhejiang, grpc_health_v1.HealthCheckResponse_SERVING)
			waitSettled(sys, zhejiang)
			exchange.Stop()
			replica.Stop()
			book := readLedger(t, sys, replica)
			book.check(t)
			load.check(book)
		})
	}
}

// TestJournalOutage does the same to a node's journal. The node says that it cannot go on and ends; nothing leaves the province.
func TestJournalOutage(t *testing.T) {
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) { journalOutage(t, o, askOnce, auditv1.Reason_REASON_NODE_LOST) })
	}
	// Block 255 of the journal is the first that does not fit the limit: the query before makes it the beginning of an export.
	t.Run("files limited at an export's beginning", func(t *testing.T) {
		journalOutage(t, limitedFiles(), exportOnce, auditv1.Reason_REASON_NODE_LOST)
	})
}

func journalOutage(t *testing.T, o outage, ask func(*testing.T, *load, *client.Client) error, reason auditv1.Reason) {
	t.Parallel() // most of it is waiting for the node that does not come back
	sys := Start(t, nil)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example")
	replica := henan.Run("one", "")
	grantAll(sys, henan, zhejiang)
	replica.Stop()
	o.prepare(t, replica.Dir, replica.journalDir())
	node := replica.Spawn().WaitReady()

	load := newLoad(t, henan)
	app := zhejiang.App("portal")
	end := outageBegins(t, sys, load, app, ask, func() func() { return o.begin(t, replica.Dir, replica.journalDir(), node) }, reason)
	if code := node.WaitExit(); code != ExitJournal {
		t.Errorf("the node ended with code %d, want %d: it must say that its journal is at fault", code, ExitJournal)
	}
	if err := askOnce(t, load, app); status.Code(err) != codes.Unavailable {
		t.Errorf("a call without a node: %v, want UNAVAILABLE", err)
	}

	end()
	node = replica.Spawn().WaitReady()
	worksAgain(t, sys, load, app)
	waitSettled(sys, zhejiang)
	node.Stop()
	sys.Stop()
	book := readLedger(t, sys, replica)
	book.check(t)
	load.check(book)
}

// outageBegins lets an outage begin while calls go well and asks until the first one fails, which it must for the reason given.
func outageBegins(t *testing.T, sys *System, load *load, app *client.Client, ask func(*testing.T, *load, *client.Client) error, begin func() func(), reason auditv1.Reason) (end func()) {
	t.Helper()
	worksAgain(t, sys, load, app)
	end = begin()
	// A segment has 512 blocks, and a call at least one: three segments are more than any outage lets pass.
	for range 3 * segmentSize / 4096 {
		err := ask(t, load, app)
		if err == nil {
			continue
		}
		if r, _ := client.RefusalOf(err); r.Reason != reason || status.Code(err) != codes.Unavailable {
			t.Fatalf("the first call that failed: %v, want UNAVAILABLE for %v", err, reason)
		}
		return end
	}
	t.Fatal("the outage went unnoticed")
	return end
}

// askOnce makes one small query.
func askOnce(t *testing.T, load *load, app *client.Client) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return load.query(ctx, app, Query(load.provider, PersonA))
}

// exportOnce makes one small export.
func exportOnce(t *testing.T, load *load, app *client.Client) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return load.export(ctx, app)
}

// worksAgain asks until an answer comes.
func worksAgain(t *testing.T, sys *System, load *load, app *client.Client) {
	t.Helper()
	sys.Eventually("answering", func() bool { return askOnce(t, load, app) == nil })
}

// queriesOf is how often the node in this process has asked its sources.
func queriesOf(t *testing.T, r *Replica) uint64 {
	t.Helper()
	families, err := r.Registry.Gather()
	check(t, err)
	for _, f := range families {
		if f.GetName() == "kuasheng_node_source_seconds" {
			return f.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	t.Fatal("the node does not count its queries")
	return 0
}

func waitHealth(s *System, asking *Province, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
	s.T.Helper()
	api := grpc_health_v1.NewHealthClient(s.Dial(asking.CA, asking.AppID("portal")))
	s.Eventually("in health "+want.String(), func() bool {
		got, err := api.Check(s.T.Context(), &grpc_health_v1.HealthCheckRequest{})
		return err == nil && got.GetStatus() == want
	})
}
