package flood

import (
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
)

// longest is how long a count waits while its flood goes on. It is what a crash can lose.
const longest = time.Minute

// Collect takes the counts that are due: those whose flood is over, which shows in a bucket with room again, and those that have waited for a
// minute. With all it takes every count. Each comes as the one intent that puts it on record; whoever cannot record it gives it back. Callers
// that are refused no more are forgotten.
func (r *Refusals) Collect(now time.Time, all bool) []*auditv1.Intent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []*auditv1.Intent
	for region, m := range r.members {
		for id, c := range m.callers {
			// A record of a count takes a token like any other, or a caller that is refused just above its rate would have one every time.
			due = c.collect(due, now, all || c.count != nil && r.take(now, m, c))
			if c.count == nil && c.bucket.Full(now, r.limits.Caller) {
				delete(m.callers, id)
			}
		}
		due = m.rest.collect(due, now, all)
		if len(m.callers) == 0 && m.rest.count == nil && m.bucket.Full(now, r.limits.Member) {
			delete(r.members, region)
		}
	}
	return due
}

func (c *caller) collect(due []*auditv1.Intent, now time.Time, take bool) []*auditv1.Intent {
	if c.count == nil || !take && now.Sub(c.count.since) < longest {
		return due
	}
	intent := c.count.last
	intent.Reason, intent.SuppressedRefusals = auditv1.Reason_REASON_REFUSALS_EXCEEDED, c.count.n
	c.count = nil
	return append(due, intent)
}

// Restore takes back an intent of Collect that could not be recorded.
func (r *Refusals) Restore(now time.Time, intent *auditv1.Intent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.member(intent.GetCaller().GetRegion())
	n := intent.GetSuppressedRefusals()
	c, known := m.callers[intent.GetCaller().GetSpiffeId()]
	if !known {
		c, intent = &m.rest, unnamed(intent)
	}
	c.add(now, intent, n)
}
