package decision

import (
	"sync"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// dayZone is the zone in which days are counted: all of China keeps one time, without daylight saving.
var dayZone = time.FixedZone("Asia/Shanghai", 8*60*60)

// Day is the day of a moment as quotas count it, "20060102".
func Day(t time.Time) string { return t.In(dayZone).Format("20060102") }

// Quotas counts the use of grants in memory. How much of a day was used before the process started comes from the access log; what is used per
// second starts afresh.
type Quotas struct {
	used func(grant, day string) (int64, error) // what the access log knows of a day

	mu     sync.Mutex
	day    string
	counts map[string]*usage // by grant name; only of grants with a quota, emptied every day
}

type usage struct {
	day    int64     // uses today
	tokens float64   // uses left in this moment's burst
	at     time.Time // when tokens was right
}

// NewQuotas returns counters that take what was used before from the access log.
func NewQuotas(used func(grant, day string) (int64, error)) *Quotas {
	return &Quotas{used: used, counts: map[string]*usage{}}
}

// use takes one unit, or refuses without taking anything.
func (q *Quotas) use(now time.Time, g *grantv1.Grant) error {
	perSecond, perDay := g.GetQuota().GetPerSecond(), g.GetQuota().GetPerDay()
	if perSecond == 0 && perDay == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	u, err := q.usage(now, g)
	if err != nil {
		return err
	}
	if perDay > 0 && u.day >= perDay {
		return refusal.New(auditv1.Reason_REASON_QUOTA_PER_DAY_EXCEEDED, "the grant %s permits %d queries a day (Asia/Shanghai)", g.GetName(), perDay)
	}
	if perSecond > 0 {
		u.tokens = min(float64(perSecond), u.tokens+now.Sub(u.at).Seconds()*float64(perSecond))
		u.at = now
		if u.tokens < 1 {
			return refusal.New(auditv1.Reason_REASON_QUOTA_PER_SECOND_EXCEEDED, "the grant %s permits %d queries a second", g.GetName(), perSecond)
		}
		u.tokens--
	}
	u.day++
	return nil
}

// giveBack returns one unit.
func (q *Quotas) giveBack(g *grantv1.Grant) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if u, ok := q.counts[g.GetName()]; ok {
		u.day--
		u.tokens++
	}
}

func (q *Quotas) usage(now time.Time, g *grantv1.Grant) (*usage, error) {
	if day := Day(now); day != q.day {
		q.day, q.counts = day, map[string]*usage{}
	}
	if u, ok := q.counts[g.GetName()]; ok {
		return u, nil
	}
	before, err := q.used(g.GetName(), q.day)
	if err != nil {
		return nil, err
	}
	u := &usage{day: before, tokens: float64(g.GetQuota().GetPerSecond()), at: now}
	q.counts[g.GetName()] = u
	return u, nil
}
