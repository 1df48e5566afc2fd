package certs

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Bundles says which authorities speak for which trust domain, and lets a reader notice cheaply that this has changed.
type Bundles interface {
	x509bundle.Source
	// Generation returns a number that grows with every change. A bundle fetched after reading the generation is that of this
	// generation or of a later one.
	Generation() uint64
}

// BundleSet is a set of bundles keyed by trust domain: the federation. It is safe for concurrent use; readers never wait.
type BundleSet struct {
	mu      sync.Mutex // serialises writers
	current atomic.Pointer[bundleMap]
}

// bundleMap is one state of a set and is never changed.
type bundleMap struct {
	generation uint64
	bundles    map[spiffeid.TrustDomain]*x509bundle.Bundle
}

// NewBundleSet returns a set holding copies of the bundles given.
func NewBundleSet(bundles ...*x509bundle.Bundle) *BundleSet {
	s := &BundleSet{}
	s.current.Store(&bundleMap{generation: 1})
	for _, b := range bundles {
		s.Set(b)
	}
	return s
}

// Set adds a copy of the bundle to the set, in place of any other of the same trust domain. A bundle without authorities is kept and
// trusts nobody. Setting what is there already changes nothing, nor the generation.
func (s *BundleSet) Set(bundle *x509bundle.Bundle) {
	s.change(func(m map[spiffeid.TrustDomain]*x509bundle.Bundle) bool {
		b := bundle.Clone()
		if b.Equal(m[b.TrustDomain()]) {
			return false
		}
		m[b.TrustDomain()] = b
		return true
	})
}

// Remove takes the trust domain out of the set. Its callers are refused from their next call on, open connections included.
func (s *BundleSet) Remove(td spiffeid.TrustDomain) {
	s.change(func(m map[spiffeid.TrustDomain]*x509bundle.Bundle) bool {
		_, ok := m[td]
		delete(m, td)
		return ok
	})
}

func (s *BundleSet) change(edit func(map[spiffeid.TrustDomain]*x509bundle.Bundle) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current.Load()
	next := make(map[spiffeid.TrustDomain]*x509bundle.Bundle, len(old.bundles)+1)
	maps.Copy(next, old.bundles)
	if edit(next) {
		s.current.Store(&bundleMap{generation: old.generation + 1, bundles: next})
	}
}

// Generation implements Bundles.
func (s *BundleSet) Generation() uint64 { return s.current.Load().generation }

// GetX509BundleForTrustDomain returns a copy: changing it does not change whom the set trusts.
func (s *BundleSet) GetX509BundleForTrustDomain(td spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	b, ok := s.current.Load().bundles[td]
	if !ok {
		return nil, fmt.Errorf("looking up the authorities of trust domain %q: it is not a member", td.Name())
	}
	return b.Clone(), nil
}

// TrustDomains lists the trust domains of the set in order.
func (s *BundleSet) TrustDomains() []spiffeid.TrustDomain {
	return slices.SortedFunc(maps.Keys(s.current.Load().bundles), spiffeid.TrustDomain.Compare)
}

// Join returns the union of several Bundles; of two that know the same trust domain the earlier one speaks. The exchange puts its own
// source first and its registry second, so that no registered member can replace the exchange's own authority.
func Join(sources ...Bundles) Bundles { return joined(slices.Clone(sources)) }

type joined []Bundles

// Generation is the sum, which grows whenever any of the sources changes.
func (j joined) Generation() uint64 {
	var sum uint64
	for _, s := range j {
		sum += s.Generation()
	}
	return sum
}

func (j joined) GetX509BundleForTrustDomain(td spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	err := fmt.Errorf("looking up the authorities of trust domain %q: nobody to ask", td.Name())
	for _, s := range j {
		b, sErr := s.GetX509BundleForTrustDomain(td)
		if sErr == nil {
			return b, nil
		}
		err = sErr
	}
	return nil, err
}
