package member

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/state"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/proto"
)

// Store is the registry: rules in front of the state, and a view of it in memory. It is safe for concurrent use. The members it hands out
// are shared and must not be changed.
type Store struct {
	state   *state.Store
	now     func() time.Time
	bundles *certs.BundleSet

	mu       sync.RWMutex
	byRegion map[string]*record
	byDomain map[spiffeid.TrustDomain]*record
	regions  []string // in order
	guard    uint64   // revision of state.MemberSet: of the last change of any member
}

// record is one member at one revision; it is replaced and never changed.
type record struct {
	member      *registryv1.Member
	revision    uint64
	domain      spiffeid.TrustDomain
	authorities map[authority]bool
}

// Open loads the registry and keeps it up to date.
func Open(st *state.Store, now func() time.Time) (*Store, error) {
	s := &Store{
		state: st, now: now,
		bundles:  certs.NewBundleSet(),
		byRegion: make(map[string]*record),
		byDomain: make(map[spiffeid.TrustDomain]*record),
	}
	// Changes list the member before the guard, and arrive in that order: a snapshot never has a guard that is newer than its members. The
	// other way round only costs a conflict and a second look.
	err := st.Subscribe(state.MemberSet, func(e state.Entry) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.guard = e.Revision
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	if err := st.Subscribe(state.Members, s.apply); err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	return s, nil
}

// apply takes in one member from the state.
func (s *Store) apply(e state.Entry) error {
	m := &registryv1.Member{}
	if err := proto.Unmarshal(e.Value, m); err != nil {
		return err
	}
	m.Etag = state.Etag(e.Revision)
	domain, err := spiffeid.TrustDomainFromString(m.GetTrustDomain())
	if err != nil {
		return err
	}
	bundle, err := parseBundle(domain, m.GetBundlePem())
	if err != nil {
		return err
	}
	r := &record{member: m, revision: e.Revision, domain: domain, authorities: authorities(bundle)}
	region := Region(m.GetName())

	// A member is visible before its authorities are believed, and never the other way round.
	s.mu.Lock()
	if _, known := s.byRegion[region]; !known {
		at, _ := slices.BinarySearch(s.regions, region)
		s.regions = slices.Insert(s.regions, at, region)
	}
	s.byRegion[region], s.byDomain[domain] = r, r
	s.mu.Unlock()
	s.bundles.Set(bundle)
	return nil
}

// Region is the region code in a member's name: "410000" of "provinces/410000".
func Region(name string) string { return strings.TrimPrefix(name, "provinces/") }

// Get finds a member by its region code.
func (s *Store) Get(region string) (*registryv1.Member, bool) {
	s.mu.RLock()
	r, ok := s.byRegion[region]
	s.mu.RUnlock()
	if !ok {
		return nil, false
	}
	return r.member, true
}

// ByTrustDomain finds the member that a SPIFFE ID belongs to.
func (s *Store) ByTrustDomain(domain spiffeid.TrustDomain) (*registryv1.Member, bool) {
	m, _, ok := s.RevisionByTrustDomain(domain)
	return m, ok
}

// RevisionByTrustDomain also tells the revision of the member's key in the state, for changes that rest on the member.
func (s *Store) RevisionByTrustDomain(domain spiffeid.TrustDomain) (*registryv1.Member, uint64, bool) {
	s.mu.RLock()
	r, ok := s.byDomain[domain]
	s.mu.RUnlock()
	if !ok {
		return nil, 0, false
	}
	return r.member, r.revision, true
}

// List returns at most limit members whose region codes follow after, in order, and whether there are more.
func (s *Store) List(after string, limit int) (page []*registryv1.Member, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	from, found := slices.BinarySearch(s.regions, after)
	if found {
		from++
	}
	for _, region := range s.regions[from:] {
		if len(page) == limit {
			return page, true
		}
		page = append(page, s.byRegion[region].member)
	}
	return page, false
}

// Bundles is the federation: the authorities of every member. It changes with the registry.
func (s *Store) Bundles() *certs.BundleSet { return s.bundles }

// Active reports whether the member takes part.
func Active(m *registryv1.Member) bool {
	return m.GetState() == registryv1.MemberState_MEMBER_STATE_ACTIVE
}

// Has reports whether the member has a role.
func Has(m *registryv1.Member, role registryv1.MemberRole) bool {
	return slices.Contains(m.GetRoles(), role)
}
