package catalogue

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kuasheng/kuasheng/exchange/state"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	"google.golang.org/protobuf/proto"
)

// Store is the catalogue: rules in front of the state, and a view of it in memory. It is safe for concurrent use. The entries it hands out
// are shared, with each other in part, and must not be changed.
type Store struct {
	state *state.Store
	now   func() time.Time
	pool  *pool // the state's committer alone uses it

	mu       sync.RWMutex
	byName   map[string]record
	byRegion map[string][]string // names in order
	regions  []string            // in order
}

// record is one entry at one revision of the state.
type record struct {
	resource *cataloguev1.Resource
	revision uint64
}

// Open loads the catalogue and keeps it up to date.
func Open(st *state.Store, now func() time.Time) (*Store, error) {
	s := &Store{state: st, now: now, pool: newPool(), byName: make(map[string]record), byRegion: make(map[string][]string)}
	if err := st.Subscribe(state.Resources, s.apply); err != nil {
		return nil, fmt.Errorf("opening the catalogue: %w", err)
	}
	return s, nil
}

// apply takes in one entry from the state.
func (s *Store) apply(e state.Entry) error {
	r := &cataloguev1.Resource{}
	if err := proto.Unmarshal(e.Value, r); err != nil {
		return err
	}
	r.Etag = state.Etag(e.Revision)
	s.pool.share(r)
	region := Region(r.GetName())

	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.byName[r.GetName()]; !known {
		if _, known := s.byRegion[region]; !known {
			s.regions = insert(s.regions, region)
		}
		s.byRegion[region] = insert(s.byRegion[region], r.GetName())
	}
	s.byName[r.GetName()] = record{r, e.Revision}
	return nil
}

func insert(sorted []string, s string) []string {
	at, _ := slices.BinarySearch(sorted, s)
	return slices.Insert(sorted, at, s)
}

// Region is the code of the region that shares the resource of this name, or "" for what is no resource's name.
func Region(name string) string {
	rest, ok := strings.CutPrefix(name, "provinces/")
	region, _, cut := strings.Cut(rest, "/resources/")
	if !ok || !cut {
		return ""
	}
	return region
}

// Get finds an entry, published or withdrawn, by its name.
func (s *Store) Get(name string) (*cataloguev1.Resource, bool) {
	r, ok := s.get(name)
	return r.resource, ok
}

// GetRevision also tells the revision of the entry's key in the state, for changes that rest on the entry.
func (s *Store) GetRevision(name string) (*cataloguev1.Resource, uint64, bool) {
	r, ok := s.get(name)
	return r.resource, r.revision, ok
}

func (s *Store) get(name string) (record, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.byName[name]
	return r, ok
}

// Len is the number of entries, withdrawn ones included.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byName)
}
