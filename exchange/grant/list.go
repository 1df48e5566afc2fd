package grant

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kuasheng/kuasheng/exchange/catalogue"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// Scope is whose grants a caller may see. The zero Scope sees none.
type Scope struct {
	All         bool
	Region      string // grants for resources of this region
	TrustDomain string // grants to applications of this trust domain
	Application string // grants to this application (SPIFFE ID)
}

// Sees reports whether the grant is within the scope.
func (s Scope) Sees(g *grantv1.Grant) bool { return s.sees(g.GetRequester(), g.GetResource()) }

func (s Scope) sees(requester, resource string) bool {
	switch {
	case s.All:
		return true
	case s.Application != "" && s.Application == requester:
		return true
	case s.Region != "" && s.Region == catalogue.Region(resource):
		return true
	case s.TrustDomain == "":
		return false
	}
	rest, ok := strings.CutPrefix(requester, "spiffe://")
	domain, _, _ := strings.Cut(rest, "/")
	return ok && s.TrustDomain == domain
}

// Filter says which of the visible grants a list holds.
type Filter struct {
	Resource  string // only those for this resource; any if empty
	Requester string // only those to this application; any if empty
}

func (f Filter) matches(requester, resource string) bool {
	return (f.Resource == "" || f.Resource == resource) && (f.Requester == "" || f.Requester == requester)
}

// List returns at most limit grants within the scope, newest first, from the cursor on ("" for the first page), and the cursor of the
// next page ("" on the last). It refuses with PAGE_TOKEN_INVALID a cursor that it never gave.
func (s *Store) List(scope Scope, filter Filter, cursor string, limit int) (page []*grantv1.Grant, next string, err error) {
	s.mu.RLock()
	order := s.order
	s.mu.RUnlock()
	// What follows looks at all grants in the worst case, without holding up decisions.
	end := len(order)
	if cursor != "" {
		at, err := parseCursor(cursor)
		if err != nil {
			return nil, "", err
		}
		end, _ = slices.BinarySearchFunc(order, at, (*record).compare)
	}
	var last *record
	for _, r := range slices.Backward(order[:end]) {
		if !filter.matches(r.requester, r.resource) || !scope.sees(r.requester, r.resource) {
			continue
		}
		if len(page) == limit {
			return page, last.cursor(), nil
		}
		page, last = append(page, r.current.Load().grant), r
	}
	return page, "", nil
}

// compare orders records by their creation.
func (r *record) compare(other *record) int {
	return cmp.Or(cmp.Compare(r.created, other.created), strings.Compare(r.name, other.name))
}

// cursor names a place in the order, not a grant: it works, and tells the same, whether that grant exists or not.
func (r *record) cursor() string { return fmt.Sprintf("%d/%s", r.created, r.name) }

func parseCursor(s string) (*record, error) {
	created, name, ok := strings.Cut(s, "/")
	nanoseconds, err := strconv.ParseInt(created, 10, 64)
	if !ok || err != nil {
		return nil, refusal.About(auditv1.Reason_REASON_PAGE_TOKEN_INVALID, "page_token", "it was not given by this list")
	}
	return &record{created: nanoseconds, name: name}, nil
}
