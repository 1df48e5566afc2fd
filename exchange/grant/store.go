package grant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kuasheng/kuasheng/exchange/catalogue"
	"github.com/kuasheng/kuasheng/exchange/flood"
	"github.com/kuasheng/kuasheng/exchange/member"
	"github.com/kuasheng/kuasheng/exchange/state"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"google.golang.org/protobuf/proto"
)

// Store is the grants: rules in front of the state, and a view of them in memory. It is safe for concurrent use. The grants it hands out are
// shared and must not be changed.
type Store struct {
	state     *state.Store
	resources *catalogue.Store
	members   *member.Store
	now       func() time.Time
	pool      *pool // the state's committer alone uses it
	limits    limits
	pace      pace

	mu         sync.RWMutex
	byName     map[string]*record
	byPair     map[pair][]*grantv1.Grant // replaced, never changed: readers keep it without the lock
	byProvince map[string][]*record      // of the provider. Appended to: readers keep a prefix without the lock
	order      []*record                 // oldest first. Appended to or replaced: readers keep a prefix without the lock
	loaded     bool                      // order is sorted
}

// pair is what a decision asks for.
type pair struct{ requester, resource string }

// record is one grant, at its current version. What never changes stands beside it, since lists look at every record.
type record struct {
	current             atomic.Pointer[version]
	created             int64 // nanoseconds; with the name its place in order
	name                string
	requester, resource string
}

type version struct {
	grant    *grantv1.Grant
	revision uint64 // of the grant's key in the state
}

// Open loads the grants and keeps them up to date.
func Open(st *state.Store, resources *catalogue.Store, members *member.Store, now func() time.Time) (*Store, error) {
	s := &Store{
		state: st, resources: resources, members: members, now: now,
		pool:       newPool(),
		limits:     defaults(),
		pace:       pace{buckets: make(map[string]*flood.Bucket)},
		byName:     make(map[string]*record),
		byPair:     make(map[pair][]*grantv1.Grant),
		byProvince: make(map[string][]*record),
	}
	if err := st.Subscribe(state.Grants, s.apply); err != nil {
		return nil, fmt.Errorf("opening the grants: %w", err)
	}
	// Keys order by random ids: sorted once after loading, and not at each grant.
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.order, (*record).compare)
	s.loaded = true
	return s, nil
}

// apply takes in one grant from the state.
func (s *Store) apply(e state.Entry) error {
	g := &grantv1.Grant{}
	if err := proto.Unmarshal(e.Value, g); err != nil {
		return err
	}
	g.Etag = state.Etag(e.Revision)
	s.pool.share(g)

	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.byName[g.GetName()]
	if !known {
		r = &record{created: g.GetCreateTime().AsTime().UnixNano(), name: g.GetName(), requester: g.GetRequester(), resource: g.GetResource()}
		s.byName[r.name] = r
		s.place(r)
	}
	r.current.Store(&version{g, e.Revision})
	if !known { // with its version: readers follow
		provider := province(r.resource)
		s.byProvince[provider] = append(s.byProvince[provider], r)
	}
	of := pair{g.GetRequester(), g.GetResource()}
	s.byPair[of] = s.renew(s.byPair[of], g)
	return nil
}

// place puts a new record where it belongs, which is the end unless the clock was set back.
func (s *Store) place(r *record) {
	if n := len(s.order); !s.loaded || n == 0 || s.order[n-1].compare(r) < 0 {
		s.order = append(s.order, r)
		return
	}
	at, _ := slices.BinarySearchFunc(s.order, r, (*record).compare)
	s.order = slices.Insert(slices.Clone(s.order), at, r)
}

// keepSpent is how many grants of a pair that are revoked or expired are kept at hand, to tell a caller why nothing permits the query.
const keepSpent = 16

// renew returns a pair's grants with g in place of its earlier version, newest first. Those at the end of their life are kept in small number,
// so that giving and revoking without end does not make each decision slower.
func (s *Store) renew(old []*grantv1.Grant, g *grantv1.Grant) []*grantv1.Grant {
	next := make([]*grantv1.Grant, 0, len(old)+1)
	next = append(next, g)
	for _, other := range old {
		if other.GetName() != g.GetName() {
			next = append(next, other)
		}
	}
	slices.SortFunc(next, func(a, b *grantv1.Grant) int {
		return cmp.Or(b.GetCreateTime().AsTime().Compare(a.GetCreateTime().AsTime()), strings.Compare(b.GetName(), a.GetName()))
	})
	now, spent := s.now(), 0
	return slices.DeleteFunc(next, func(g *grantv1.Grant) bool {
		if !over(g, now) {
			return false
		}
		spent++
		return spent > keepSpent
	})
}

// over reports whether a grant permits nothing any more.
func over(g *grantv1.Grant, now time.Time) bool {
	return g.GetState() == grantv1.GrantState_GRANT_STATE_REVOKED || !now.Before(g.GetExpireTime().AsTime())
}

// Get finds a grant, whatever its state, by its name.
func (s *Store) Get(name string) (*grantv1.Grant, bool) {
	v, ok := s.get(name)
	return v.grant, ok
}

func (s *Store) get(name string) (version, bool) {
	s.mu.RLock()
	r, ok := s.byName[name]
	s.mu.RUnlock()
	if !ok {
		return version{}, false
	}
	return *r.current.Load(), true
}

// ByRequesterResource finds the grants of an application (SPIFFE ID) for a resource (name), newest first: all that are in force or will be,
// and the latest of those that are revoked or expired. The slice is shared and must not be changed.
func (s *Store) ByRequesterResource(requester, resource string) []*grantv1.Grant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byPair[pair{requester, resource}]
}

// Len is the number of grants, whatever their state.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byName)
}
