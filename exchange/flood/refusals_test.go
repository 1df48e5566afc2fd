package flood

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"google.golang.org/protobuf/testing/protocmp"
)

var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func small() Limits {
	return Limits{Caller: Rate{Burst: 5, PerSecond: 1}, Member: Rate{Burst: 12, PerSecond: 2}, Callers: 4}
}

func refused(app, resource string) *auditv1.Intent {
	return &auditv1.Intent{
		Caller: &auditv1.Caller{SpiffeId: "spiffe://zhejiang.example/app/" + app, CertificateSerial: "1f", Region: "330000"},
		Method: "/m", Resource: resource, Reason: auditv1.Reason_REASON_NO_GRANT, Fields: []string{"balance"},
	}
}

// counted is what Collect returns of an app.
func counted(app, resource string, n int64) *auditv1.Intent {
	i := refused(app, resource)
	i.Reason, i.Fields, i.SuppressedRefusals = auditv1.Reason_REASON_REFUSALS_EXCEEDED, nil, n
	return i
}

// flood refuses n times and returns how often that went on record.
func flood(r *Refusals, at time.Time, n int, app, resource string) (recorded int) {
	for range n {
		if r.Admit(at, refused(app, resource)) {
			recorded++
		}
	}
	return recorded
}

func wantDue(t *testing.T, due []*auditv1.Intent, want ...*auditv1.Intent) {
	t.Helper()
	sorted := protocmp.Transform()
	byID := cmp.Transformer("byID", func(list []*auditv1.Intent) map[string]*auditv1.Intent {
		m := map[string]*auditv1.Intent{}
		for _, i := range list {
			m[i.GetCaller().GetSpiffeId()] = i
		}
		return m
	})
	if diff := cmp.Diff(want, due, byID, sorted); diff != "" || len(want) != len(due) {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestCallerBurst(t *testing.T) {
	r := NewRefusals(small())
	if got := flood(r, start, 100, "a", "x"); got != 5 {
		t.Errorf("%d on record, want the burst of 5", got)
	}
	if got := flood(r, start, 3, "b", "x"); got != 3 {
		t.Errorf("%d of another caller on record, want all 3", got)
	}
	wantDue(t, r.Collect(start, false))
	// The flood is over: one record says how much it was, once.
	wantDue(t, r.Collect(start.Add(time.Second), false), counted("a", "x", 95))
	wantDue(t, r.Collect(start.Add(2*time.Second), true))
	// Whoever is not refused any more is forgotten.
	r.Collect(start.Add(time.Minute), false)
	if len(r.members) != 0 {
		t.Errorf("%d members are remembered", len(r.members))
	}
}

func TestFloodWithoutEnd(t *testing.T) {
	r := NewRefusals(small())
	const seconds, each = 180, 100
	var recorded, suppressed, records int64
	for s := range seconds {
		at := start.Add(time.Duration(s) * time.Second)
		recorded += int64(flood(r, at, each, "a", "x"))
		for _, i := range r.Collect(at, false) {
			records++
			suppressed += i.GetSuppressedRefusals()
		}
	}
	if records != 2 {
		t.Errorf("%d records of counts in three minutes, want one a minute", records)
	}
	for _, i := range r.Collect(start.Add(seconds*time.Second), true) {
		suppressed += i.GetSuppressedRefusals()
	}
	if recorded+suppressed != seconds*each {
		t.Errorf("%d recorded and %d counted of %d", recorded, suppressed, seconds*each)
	}
	if recorded > 5+seconds {
		t.Errorf("%d on record", recorded)
	}
}

func TestMemberBurst(t *testing.T) {
	r := NewRefusals(small())
	total := 0
	for app := range 10 {
		total += flood(r, start, 4, fmt.Sprint("app-", app), "x")
	}
	if total != 12 {
		t.Errorf("%d of one member on record, want its burst of 12", total)
	}
	// Of the ten, four are kept apart; the others count as their trust domain.
	rest := counted("", "x", 6*4)
	rest.Caller = &auditv1.Caller{SpiffeId: "spiffe://zhejiang.example", Region: "330000"}
	wantDue(t, r.Collect(start, true), counted("app-3", "x", 4), rest)
	if got := flood(r, start, 1, "app-0", "x"); got != 0 {
		t.Error("a caller with a token got past its member's bucket")
	}
	other := refused("a", "x")
	other.Caller.Region = "410000"
	if !r.Admit(start, other) {
		t.Error("another member's refusal is not recorded")
	}
}

func TestResourceOfCount(t *testing.T) {
	r := NewRefusals(small())
	flood(r, start, 6, "a", "x")
	flood(r, start, 1, "a", "y")
	flood(r, start, 1, "a", "y")
	wantDue(t, r.Collect(start, true), counted("a", "", 3))
}

func TestRestore(t *testing.T) {
	r := NewRefusals(small())
	flood(r, start, 8, "a", "x")
	due := r.Collect(start, true)
	flood(r, start, 1, "a", "x")
	r.Restore(start, due[0])
	wantDue(t, r.Collect(start, true), counted("a", "x", 4))
	// The caller may be forgotten meanwhile; what it did is not.
	r = NewRefusals(small())
	r.Restore(start, counted("a", "x", 4))
	rest := counted("", "x", 4)
	rest.Caller = &auditv1.Caller{SpiffeId: "spiffe://zhejiang.example", Region: "330000"}
	wantDue(t, r.Collect(start, true), rest)
}

func TestConcurrentCountsAreExact(t *testing.T) {
	r := NewRefusals(small())
	const workers, each = 8, 2000
	var mu sync.Mutex
	var total int64
	add := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		total += n
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			add(int64(flood(r, start, each, fmt.Sprint("app-", w), "x")))
			for _, i := range r.Collect(start, true) {
				add(i.GetSuppressedRefusals())
			}
		})
	}
	wg.Wait()
	for _, i := range r.Collect(start, true) {
		add(i.GetSuppressedRefusals())
	}
	if total != workers*each {
		t.Errorf("%d recorded or counted, want %d", total, workers*each)
	}
}
