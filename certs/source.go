package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// ErrSource means that our own SVID, key or bundles cannot be had.
var ErrSource = errors.New("no usable identity")

// Source is one's own identity, an SVID with its key, and the bundles one trusts, kept up to date from files ([OpenFiles]) or a SPIFFE
// Workload API ([OpenWorkload]) until Close or the end of the context it was opened with. What was read last stays usable after that, so
// that a server can finish its calls. It is safe for concurrent use and implements x509svid.Source, x509bundle.Source and [Bundles].
type Source struct {
	current atomic.Pointer[material]
	stop    context.CancelFunc
	done    chan struct{} // closed when the goroutine that keeps the source up to date has ended
}

// material is one state of a source. It is swapped as a whole, so that a handshake never sees a new key with an old certificate.
type material struct {
	generation uint64
	id         ID
	svid       *x509svid.SVID
	bundles    map[spiffeid.TrustDomain]*x509bundle.Bundle
	changed    chan struct{} // closed when this state has been replaced
}

// newMaterial checks that the SVID's ID is one of ours.
func newMaterial(svid *x509svid.SVID, bundles map[spiffeid.TrustDomain]*x509bundle.Bundle) (*material, error) {
	id, err := FromSPIFFE(svid.ID)
	if err != nil {
		return nil, err
	}
	return &material{generation: 1, id: id, svid: svid, bundles: bundles, changed: make(chan struct{})}, nil
}

// newSource starts keep, which must return when its context ends, to keep the source up to date.
func newSource(ctx context.Context, first *material, keep func(context.Context, *Source)) *Source {
	ctx, stop := context.WithCancel(ctx)
	s := &Source{stop: stop, done: make(chan struct{})}
	s.current.Store(first)
	go func() {
		defer close(s.done)
		keep(ctx, s)
	}()
	return s
}

// publish makes next the current state and reports whether it differs from the one before. Only the keeping goroutine calls it.
func (s *Source) publish(next *material) bool {
	old := s.current.Load()
	if slices.EqualFunc(old.svid.Certificates, next.svid.Certificates, (*x509.Certificate).Equal) &&
		maps.EqualFunc(old.bundles, next.bundles, (*x509bundle.Bundle).Equal) {
		return false
	}
	next.generation = old.generation + 1
	s.current.Store(next)
	close(old.changed)
	return true
}

// ID returns whose identity it is.
func (s *Source) ID() ID { return s.current.Load().id }

// GetX509SVID implements x509svid.Source. The SVID must not be changed.
func (s *Source) GetX509SVID() (*x509svid.SVID, error) { return s.current.Load().svid, nil }

// GetX509BundleForTrustDomain implements x509bundle.Source.
func (s *Source) GetX509BundleForTrustDomain(td spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	b, ok := s.current.Load().bundles[td]
	if !ok {
		return nil, fmt.Errorf("looking up the authorities of trust domain %q: no bundle is configured for it", td.Name())
	}
	return b.Clone(), nil
}

// Generation implements Bundles. It grows with a new SVID as well.
func (s *Source) Generation() uint64 { return s.current.Load().generation }

// Changed returns a channel that is closed at the next change of SVID or bundles. To miss none, call it before GetX509SVID, and again
// after each change. A connection made with the old SVID lasts no longer than that SVID: whoever keeps one open makes a new one.
func (s *Source) Changed() <-chan struct{} { return s.current.Load().changed }

// Close stops following changes and waits until that has stopped.
func (s *Source) Close() error {
	s.stop()
	<-s.done
	return nil
}

// lateShare is the last part of an SVID's life, one fifth, in which a renewal is overdue: SPIRE and common practice renew at half.
const lateShare = 5

// lateness tells the keeping goroutine what to warn about: "" while all is well.
func (m *material) lateness(now time.Time) string {
	leaf := m.svid.Certificates[0]
	switch late := leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / lateShare); {
	case now.After(leaf.NotAfter):
		return "svid has expired, everybody refuses it: renew it"
	case now.Before(leaf.NotBefore):
		return "svid is not valid yet: check the clock"
	case now.After(late):
		return "svid expires soon and has not been renewed"
	default:
		return ""
	}
}
