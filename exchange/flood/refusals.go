package flood

import (
	"strings"
	"sync"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
)

// Limits says how many refusals are recorded one by one.
type Limits struct {
	Caller  Rate // of one SPIFFE ID
	Member  Rate // of all IDs of one member, since its authority can issue any number of them
	Callers int  // IDs of one member that are kept apart at a time
}

// Defaults are the limits of an exchange. A commit of a single small record takes 4 KiB on disk, so that one caller that is refused without end
// writes at most 80 KB/s and a whole member 800 KB/s, where without limits four seconds were enough for 30 MB. An honest program whose grant has
// ended stays within the burst while somebody looks. A member has a few dozen systems; only those that are being refused are kept apart, and
// each of them takes some hundred bytes.
func Defaults() Limits {
	return Limits{Caller: Rate{Burst: 200, PerSecond: 20}, Member: Rate{Burst: 2000, PerSecond: 200}, Callers: 256}
}

// Refusals decides which refusals go on record one by one, and counts the others. It is safe for concurrent use.
//
// Its memory is bounded by the members, of which there are as many as provinces, and Limits.Callers for each. A caller beyond those is counted
// under its trust domain. What is counted lives in memory for at most a minute: a crash loses that much, and of refusals only, of which none let
// any data out.
type Refusals struct {
	limits Limits

	mu      sync.Mutex
	members map[string]*member // by region code; "" is the exchange's own domain
}

type member struct {
	bucket  Bucket
	callers map[string]*caller // by SPIFFE ID; at most Limits.Callers
	rest    caller             // those for whom callers has no room, together
}

type caller struct {
	bucket Bucket
	count  *count // nil while nothing is counted
}

// count is of refusals that stand nowhere yet.
type count struct {
	last  *auditv1.Intent // caller, method, and resource if it was the same in all
	n     int64
	since time.Time
}

// NewRefusals returns a limiter that has counted nothing.
func NewRefusals(limits Limits) *Refusals {
	return &Refusals{limits: limits, members: map[string]*member{}}
}

// Admit reports whether a refusal is to be put on record. If not it has been counted.
func (r *Refusals) Admit(now time.Time, intent *auditv1.Intent) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.member(intent.GetCaller().GetRegion())
	id := intent.GetCaller().GetSpiffeId()
	c, known := m.callers[id]
	if !known {
		if len(m.callers) >= r.limits.Callers {
			m.rest.add(now, unnamed(intent), 1)
			return false
		}
		c = &caller{}
		m.callers[id] = c
	}
	if r.take(now, m, c) {
		return true
	}
	c.add(now, intent, 1)
	return false
}

// take takes a token of the caller and one of its member, or none.
func (r *Refusals) take(now time.Time, m *member, c *caller) bool {
	return m.bucket.Room(now, r.limits.Member) && c.bucket.Take(now, r.limits.Caller) && m.bucket.Take(now, r.limits.Member)
}

func (r *Refusals) member(region string) *member {
	m, ok := r.members[region]
	if !ok {
		m = &member{callers: map[string]*caller{}}
		r.members[region] = m
	}
	return m
}

// add counts n refusals.
func (c *caller) add(now time.Time, intent *auditv1.Intent, n int64) {
	resource := intent.GetResource()
	if c.count == nil {
		c.count = &count{since: now}
	} else if c.count.last.GetResource() != resource {
		resource = ""
	}
	c.count.n += n
	c.count.last = &auditv1.Intent{Caller: intent.GetCaller(), Method: intent.GetMethod(), Resource: resource}
}

// unnamed is a refusal of somebody of its trust domain.
func unnamed(intent *auditv1.Intent) *auditv1.Intent {
	domain, _, _ := strings.Cut(strings.TrimPrefix(intent.GetCaller().GetSpiffeId(), "spiffe://"), "/")
	return &auditv1.Intent{
		Caller: &auditv1.Caller{SpiffeId: "spiffe://" + domain, Region: intent.GetCaller().GetRegion()},
		Method: intent.GetMethod(), Resource: intent.GetResource(),
	}
}
