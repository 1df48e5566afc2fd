package grant

import (
	"strings"
	"sync"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/flood"
	"github.com/kuasheng/kuasheng/exchange/rule"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// limits bounds what operators may make the exchange keep. Every grant is in memory, and none is ever deleted: whoever could give them without
// end could fill the exchange for all provinces. Grants under way at the same moment may exceed a count by their number.
type limits struct {
	inForce int        // of one providing province, in force or yet to begin
	kept    int        // of one providing province, revoked and expired ones included
	all     int        // of all provinces, revoked and expired ones included
	rate    flood.Rate // of one province's operators together
}

// defaults are the limits of an exchange. 100,000 grants beside the 32,000 entries of the national platform weigh 200 MiB; twice as many still
// leave most of the 1 GiB that an exchange may use. A province keeps a quarter of them at most, so that it cannot take the others' room. 20,000 in
// force are thirty for each of 700 systems. A bulk import of 500 is taken at once, and a province's 20,000 in seven minutes.
func defaults() limits {
	return limits{inForce: 20_000, kept: 50_000, all: 200_000, rate: flood.Rate{Burst: 500, PerSecond: 50}}
}

// pace is how fast the provinces' operators give grants.
type pace struct {
	mu      sync.Mutex
	buckets map[string]*flood.Bucket // by trust domain: a member's, as the caller's certificate shows
}

// hold refuses a grant that comes too fast after the others of its creator's province.
func (p *pace) hold(now time.Time, creator certs.ID, rate flood.Rate) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	domain := creator.TrustDomain.Name()
	b, ok := p.buckets[domain]
	if !ok {
		b = &flood.Bucket{}
		p.buckets[domain] = b
	}
	if !b.Take(now, rate) {
		return refusal.New(auditv1.Reason_REASON_OVERLOADED, "the operators of %s give grants faster than %v a second; go on more slowly", domain, rate.PerSecond)
	}
	return nil
}

// checkCounts refuses a grant for which there is no room.
func (s *Store) checkCounts(mistakes *rule.Mistakes, g *grantv1.Grant, now time.Time) {
	const place = "grant.resource"
	s.mu.RLock()
	all, records := len(s.byName), s.byProvince[province(g.GetResource())]
	s.mu.RUnlock()
	switch {
	case all >= s.limits.all:
		mistakes.Violation(place, "the exchange keeps %d grants, as many as it can: its operator has to look", all)
	case len(records) >= s.limits.kept:
		mistakes.Violation(place, "the province has given %d grants, those that are revoked or expired included, as many as the exchange keeps", len(records))
	case len(records) >= s.limits.inForce && countInForce(records, now) >= s.limits.inForce:
		mistakes.Violation(place, "the province has %d grants in force: revoke those that are not needed", s.limits.inForce)
	}
}

// countInForce looks at each grant, since expiry comes by itself: a millisecond or two, as often as pace lets a province ask.
func countInForce(records []*record, now time.Time) int {
	n := 0
	for _, r := range records {
		if !over(r.current.Load().grant, now) {
			n++
		}
	}
	return n
}

// province is the "provinces/410000" of a resource name.
func province(resource string) string {
	name, _, _ := strings.Cut(resource, "/resources/")
	return name
}
