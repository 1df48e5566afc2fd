package certs

import (
	"crypto/x509"
	"sync/atomic"
	"time"
)

// recheck is how long a refusal is believed before the chain is verified again. A refused chain can become right without a new
// generation only when an authority's validity begins, so a second is soon enough, and a caller who repeats a wrong certificate on
// one connection costs a signature check per second and not per call.
const recheck = time.Second

// caller is whoever stands at the other end of one connection: a chain that was presented, and the last judgement about it. TLS has
// proved that it holds the leaf's key; everything else is judged here. Safe for concurrent use.
type caller struct {
	chain     []*x509.Certificate // leaf first, never changed; empty if none was presented
	forwarded bool
	bundles   Bundles
	last      atomic.Pointer[judgement]
}

// judgement is what was decided about a chain under one generation of the bundles, and when it must be decided anew.
type judgement struct {
	generation  uint64
	from, until time.Time
	peer        Peer
	err         error
}

// judge returns the caller's identity at the time now. It answers from the last judgement while that holds, which costs two atomic
// loads, and verifies the chain otherwise.
func (c *caller) judge(now time.Time) (Peer, error) {
	if len(c.chain) == 0 {
		return Peer{}, ErrNoCertificate
	}
	// The generation is read before the bundles. If they change in between, the result is filed under the old generation and so is
	// looked at no more: never the other way round, where a removed authority would stay believed.
	generation := c.bundles.Generation()
	if j := c.last.Load(); j != nil && j.generation == generation && !now.Before(j.from) && !now.After(j.until) {
		return j.peer, j.err
	}
	who, err := verifyChain(c.chain, c.bundles, x509.ExtKeyUsageClientAuth, now)
	j := &judgement{generation: generation, from: who.from, until: who.until, err: err}
	if !who.id.IsZero() {
		j.peer = Peer{ID: who.id, Serial: who.serial, NotBefore: who.notBefore, NotAfter: who.notAfter, Forwarded: c.forwarded}
	}
	if err != nil {
		j.from, j.until = now, now.Add(recheck)
	}
	c.last.Store(j)
	return j.peer, j.err
}
