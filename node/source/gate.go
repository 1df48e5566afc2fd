package source

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// maxWaiting bounds those who wait for one resource. It is several times the callers that the exchange serves at once;
// whoever comes later would wait out the whole time only to fail.
const maxWaiting = 1024

// gate lets a bounded number of queries of one resource through at a time.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int64
}

func newGate(n int) *gate { return &gate{slots: make(chan struct{}, n)} }

// enter waits for a place until ctx ends. Whoever entered leaves.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > maxWaiting {
		g.waiting.Add(-1)
		return fmt.Errorf("waiting for a connection: %w: too many wait already", ErrBusy)
	}
	defer g.waiting.Add(-1)
	select {
	case g.slots <- struct{}{}:
		if ctx.Err() == nil {
			return nil
		}
		g.leave() // the place came with the end of the time: the source shall not be asked in vain
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("waiting for a connection: %w", context.Canceled)
	}
	return fmt.Errorf("waiting for a connection: %w", ErrBusy)
}

func (g *gate) leave() { <-g.slots }
