package accesslog

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// modelPending finds pending intents by brute force.
func (f *fixture) modelPending(origin string, before, after int64, limit int) []PendingIntent {
	f.Helper()
	var all []PendingIntent
	for i, e := range f.wrote {
		open := e.kind == "intent" && (e.result == 0 || e.result == auditv1.Result_RESULT_INTERRUPTED)
		if !open || e.origin != origin || int64(i) <= after || int64(i) >= before || len(all) == limit {
			continue
		}
		b, err := f.log.Record(int64(i))
		f.check(err)
		all = append(all, PendingIntent{int64(i), translog.LeafHash(b), origin})
	}
	return all
}

func (f *fixture) comparePending(stage string) {
	f.Helper()
	size := int64(len(f.wrote))
	for _, origin := range []string{"node0.example/journal", "node1.example/journal", "", "nobody"} {
		for _, q := range []struct {
			before, after int64
			limit         int
		}{{math.MaxInt64, -1, math.MaxInt}, {size, -1, 3}, {size / 2, size / 4, 10}, {size, size, 10}, {0, -1, 10}} {
			got, err := f.log.Pending(origin, q.before, q.after, q.limit)
			f.check(err)
			if diff := cmp.Diff(f.modelPending(origin, q.before, q.after, q.limit), got); diff != "" {
				f.Fatalf("%s: pending of %q, %+v (-model +got):\n%.1000s", stage, origin, q, diff)
			}
		}
	}
}

func (f *fixture) compareUsed(stage string) {
	f.Helper()
	type key struct{ grant, day string }
	want := map[key]int64{}
	for _, e := range f.wrote[:f.opened] {
		if e.kind == "intent" && !e.replaces && e.grant != "" {
			want[key{e.grant, e.time.Add(8 * time.Hour).UTC().Format("20060102")}]++
		}
	}
	for k, n := range want {
		got, err := f.log.Used(k.grant, k.day)
		f.check(err)
		if got != n {
			f.Fatalf("%s: %+v was used %d times, want %d", stage, k, got, n)
		}
	}
}

func TestPendingAgainstModel(t *testing.T) {
	f := newFixture(t)
	for round := range 3 {
		f.random(400)
		f.comparePending(fmt.Sprintf("round %d, partly indexed", round))
		f.reopen()
		f.comparePending(fmt.Sprintf("round %d, indexed", round))
		f.compareUsed(fmt.Sprintf("round %d", round))
	}
}

func TestPendingUntilTheOutcomeIsFinal(t *testing.T) {
	final := map[auditv1.Result]bool{
		auditv1.Result_RESULT_ANSWERED: true, auditv1.Result_RESULT_REFUSED_BY_NODE: true, auditv1.Result_RESULT_FAILED: true,
		auditv1.Result_RESULT_NOT_SENT: true, auditv1.Result_RESULT_INTERRUPTED: false, auditv1.Result_RESULT_RECOVERED_ANSWERED: true,
		auditv1.Result_RESULT_RECOVERED_NOT_ANSWERED: true, auditv1.Result_RESULT_REPLACED: true, auditv1.Result_RESULT_CUT: true,
	}
	if len(final) != len(auditv1.Result_name)-1 {
		t.Fatalf("%d results are tested of %d", len(final), len(auditv1.Result_name)-1)
	}
	for _, between := range []string{"in the same batch", "after it was indexed"} {
		t.Run(between, func(t *testing.T) {
			f := newFixture(t)
			pending := func() bool {
				got, err := f.log.Pending("node.example/journal", math.MaxInt64, -1, 10)
				f.check(err)
				return len(got) > 0
			}
			for result, final := range final {
				intent := f.write(entry{kind: "intent", requester: "spiffe://p.example/app/a", origin: "node.example/journal"})
				f.settle()
				if !pending() {
					t.Fatal("an intent without an outcome is not pending")
				}
				if between != "in the same batch" {
					f.reopen()
				}
				f.write(entry{kind: "outcome", of: intent, result: result})
				f.settle()
				if pending() == final {
					t.Errorf("with %v pending is %v", result, !final)
				}
				f.reopen()
				if pending() == final {
					t.Errorf("with %v pending is %v once indexed", result, !final)
				}
				f.write(entry{kind: "outcome", of: intent, result: auditv1.Result_RESULT_RECOVERED_ANSWERED})
				f.settle()
				if pending() {
					t.Error("still pending after recovery")
				}
			}
		})
	}
}

func TestRefusedIntentsAreNeitherPendingNorCounted(t *testing.T) {
	f := newFixture(t)
	f.write(entry{kind: "refused", requester: "spiffe://p.example/app/a", grant: "grants/1", origin: "node.example/journal"})
	f.reopen()
	pending, err := f.log.Pending("node.example/journal", math.MaxInt64, -1, 10)
	f.check(err)
	used, err := f.log.Used("grants/1", "20260301")
	f.check(err)
	if len(pending) != 0 || used != 0 {
		t.Errorf("pending %v, used %d", pending, used)
	}
}

func TestUsedCountsDaysInChina(t *testing.T) {
	f := newFixture(t)
	write := func(hour, minute int, replaces bool) {
		f.now = time.Date(2026, 3, 1, hour, minute, 59, 0, time.UTC)
		f.write(entry{kind: "intent", requester: "spiffe://p.example/app/a", grant: "grants/1", replaces: replaces})
	}
	write(0, 0, false)
	write(15, 59, false) // 23:59:59 in Shanghai
	write(15, 59, true)  // the same request, for another replica
	write(16, 0, false)  // the next day
	f.settle()
	f.reopen()
	for day, want := range map[string]int64{"20260301": 2, "20260302": 1, "20260303": 0, "": 0, "2026030": 0} {
		if got, err := f.log.Used("grants/1", day); err != nil || got != want {
			t.Errorf("on %q used %d times (%v), want %d", day, got, err, want)
		}
	}
}
