package link

import (
	"context"
	"time"
)

const (
	// graceTime is how long a call waits for a province whose last replica has just gone: long enough for one that renews its SVID, restarts
	// or lost its connection to come back, short enough that a person at a window does not notice.
	graceTime = 3 * time.Second
	// maxAwaiting bounds the calls that wait so, over all provinces: each holds a goroutine and its request.
	maxAwaiting = 1024
)

// Await waits for a replica of a province that had one a moment ago. It reports whether it is worth trying again. Nothing has been recorded or
// sent for the call yet, so waiting costs nothing but time.
func (h *Hub) Await(ctx context.Context, region string) bool {
	if h.awaiting.Add(1) > maxAwaiting {
		h.awaiting.Add(-1)
		return false
	}
	defer h.awaiting.Add(-1)
	timeout := time.NewTimer(graceTime)
	defer timeout.Stop()
	for {
		h.mu.RLock()
		ready, expected, arrived := h.ready(region), h.cfg.Now().Sub(h.departed[region]) < graceTime, h.arrived
		h.mu.RUnlock()
		if ready {
			return true
		}
		if !expected {
			return false
		}
		select {
		case <-arrived:
		case <-timeout.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// ready reports whether a replica takes calls; the caller holds h.mu.
func (h *Hub) ready(region string) bool {
	for _, s := range h.provinces[region] {
		if !s.draining.Load() {
			return true
		}
	}
	return false
}

// noteArrival wakes who awaits a replica; the caller holds h.mu.
func (h *Hub) noteArrival() {
	close(h.arrived)
	h.arrived = make(chan struct{})
}

// noteDeparture remembers that a replica takes no more calls.
func (h *Hub) noteDeparture(region string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.departed[region] = h.cfg.Now()
}
