package link

import (
	"context"
	"fmt"
	"slices"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// join makes the replica known. One of the same journal that has not noticed its end yet is closed first and waited for: two sessions of one
// journal would be two followers of it.
func (h *Hub) join(ctx context.Context, s *session) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return refusal.New(auditv1.Reason_REASON_SHUTTING_DOWN, "the exchange is stopping")
	}
	for _, other := range h.provinces[s.region] {
		if other.origin == s.origin {
			return refusal.New(auditv1.Reason_REASON_ALREADY_EXISTS, "another replica with journal %q has just attached; each replica needs a journal of its own", s.origin)
		}
	}
	if len(h.provinces[s.region]) >= maxReplicas {
		return refusal.New(auditv1.Reason_REASON_OVERLOADED, "province %s has %d replicas attached already", s.region, maxReplicas)
	}
	h.provinces[s.region] = append(h.provinces[s.region], s)
	h.noteArrival()
	return nil
}

// displace ends a session of the same journal and waits until it has gone.
func (h *Hub) displace(ctx context.Context, region, origin string) error {
	h.mu.RLock()
	var old *session
	for _, s := range h.provinces[region] {
		if s.origin == origin {
			old = s
		}
	}
	h.mu.RUnlock()
	if old == nil {
		return nil
	}
	old.cancel(refusal.New(auditv1.Reason_REASON_NODE_LOST, "the replica attached anew"))
	select {
	case <-old.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the replica's earlier stream to end: %w", context.Cause(ctx))
	}
}

// leave takes a session out: unsent calls move on, sent ones are interrupted. The session stays known until that is done, so that one that
// follows it (see displace) finds everything before it in the log and the last checkpoint stored.
func (h *Hub) leave(s *session, cause error) {
	s.draining.Store(true)
	h.noteDeparture(s.region)
	s.mu.Lock()
	s.closed = true
	queue, outstanding := s.queue, s.outstanding
	s.queue, s.outstanding = nil, nil
	s.mu.Unlock()
	for _, b := range queue {
		h.moveAll(b.calls)
	}
	lost := refusal.New(auditv1.Reason_REASON_NODE_LOST, "the node was lost after the request had been sent; its journal will tell whether it answered")
	if r, ok := refusal.Of(cause); ok && r.Reason != auditv1.Reason_REASON_NODE_LOST {
		lost = refusal.New(r.Reason, "the link to the node was closed: %s", r.Detail)
	}
	for _, c := range outstanding {
		h.end(c, Result{Err: lost, Evidence: c.Head()}, auditv1.Result_RESULT_INTERRUPTED)
	}
	s.store(context.Background())
	h.forget(s)
	close(s.ended)
}

// forget makes a session unknown.
func (h *Hub) forget(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(h.provinces[s.region]), func(other *session) bool { return other == s })
	if len(kept) == 0 {
		delete(h.provinces, s.region)
	} else {
		h.provinces[s.region] = kept
	}
}

// Drain tells every node that the exchange is stopping and takes no more calls; calls under way go on.
func (h *Hub) Drain() {
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
}

// Close ends every session and waits until they have gone or ctx ends.
func (h *Hub) Close(ctx context.Context) {
	h.Drain()
	h.mu.RLock()
	var all []*session
	for _, list := range h.provinces {
		all = append(all, list...)
	}
	h.mu.RUnlock()
	for _, s := range all {
		s.cancel(refusal.New(auditv1.Reason_REASON_SHUTTING_DOWN, "the exchange is stopping"))
	}
	for _, s := range all {
		select {
		case <-s.ended:
		case <-ctx.Done():
			return
		}
	}
	h.moves.Wait() // bounded by graceTime
}

// Idle reports whether no call is under way.
func (h *Hub) Idle() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, list := range h.provinces {
		for _, s := range list {
			if s.reserved.Load() > 0 {
				return false
			}
		}
	}
	return true
}
