package decision

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

func isRefusal(err error, reason auditv1.Reason) bool { return errors.Is(err, refusal.New(reason, "")) }

// TestQuotaPerDay counts by the day in China, from what the log knows.
func TestQuotaPerDay(t *testing.T) {
	asked := map[string]int{}
	q := NewQuotas(func(grant, day string) (int64, error) {
		asked[grant+" "+day]++
		if day == "20261122" {
			return 3, nil
		}
		return 0, nil
	})
	g := &grantv1.Grant{Name: "grants/a", Quota: &grantv1.Quota{PerDay: 5}}
	evening := time.Date(2026, 11, 22, 15, 59, 59, 0, time.UTC) // 23:59:59 in China
	for range 2 {
		if err := q.use(evening, g); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := q.use(evening, g); !isRefusal(err, auditv1.Reason_REASON_QUOTA_PER_DAY_EXCEEDED) {
			t.Errorf("the sixth of five: %v", err)
		}
	}
	q.giveBack(g)
	if err := q.use(evening, g); err != nil {
		t.Errorf("one was given back: %v", err)
	}
	midnight := evening.Add(time.Second)
	for range 5 {
		if err := q.use(midnight, g); err != nil {
			t.Errorf("the next day: %v", err)
		}
	}
	if err := q.use(midnight, g); !isRefusal(err, auditv1.Reason_REASON_QUOTA_PER_DAY_EXCEEDED) {
		t.Errorf("the sixth of the next day: %v", err)
	}
	if asked["grants/a 20261122"] != 1 || asked["grants/a 20261123"] != 1 {
		t.Errorf("the log was asked %v", asked)
	}
}

// TestQuotaPerSecond allows a burst of as many as a second has, and refills evenly.
func TestQuotaPerSecond(t *testing.T) {
	q := NewQuotas(func(string, string) (int64, error) { return 0, nil })
	g := &grantv1.Grant{Name: "grants/a", Quota: &grantv1.Quota{PerSecond: 4, PerDay: 100}}
	now := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	burst := func(at time.Time) (n int) {
		for n < 50 && q.use(at, g) == nil {
			n++
		}
		return n
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 4}, {0, 0}, {250 * time.Millisecond, 1}, {300 * time.Millisecond, 0}, {time.Second, 3}, {time.Hour, 4}, {time.Minute, 0}} {
		if got := burst(now.Add(c.after)); got != c.want {
			t.Errorf("after %v: %d, want %d", c.after, got, c.want)
		}
	}
	if err := q.use(now.Add(time.Hour), g); !isRefusal(err, auditv1.Reason_REASON_QUOTA_PER_SECOND_EXCEEDED) {
		t.Errorf("refused with %v", err)
	}
	// Refused for the second, nothing of the day is used up.
	if u := q.counts["grants/a"]; u.day != 12 {
		t.Errorf("%d of the day are used, want 12", u.day)
	}
}

// TestQuotaNone takes no memory for grants without a quota, and refuses where the log cannot tell.
func TestQuotaNone(t *testing.T) {
	unknown := errors.New("the index is behind")
	q := NewQuotas(func(string, string) (int64, error) { return 0, unknown })
	free := &grantv1.Grant{Name: "grants/free"}
	for range 100 {
		if err := q.use(time.Now(), free); err != nil {
			t.Fatal(err)
		}
	}
	q.giveBack(free)
	if len(q.counts) != 0 {
		t.Errorf("%d counters", len(q.counts))
	}
	if err := q.use(time.Now(), &grantv1.Grant{Name: "grants/a", Quota: &grantv1.Quota{PerDay: 1}}); !errors.Is(err, unknown) {
		t.Errorf("with an unknown past: %v", err)
	}
}

// TestQuotaConcurrent never lets one through too many.
func TestQuotaConcurrent(t *testing.T) {
	q := NewQuotas(func(string, string) (int64, error) { return 0, nil })
	g := &grantv1.Grant{Name: "grants/a", Quota: &grantv1.Quota{PerDay: 100}}
	now := time.Now()
	var passed atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 50 {
				if q.use(now, g) == nil {
					passed.Add(1)
				}
			}
		})
	}
	callers.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d passed, want 100", passed.Load())
	}
}
