package client

import (
	"errors"
	"testing"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// TestHistoryBounds has a log show more checkpoints than are remembered, in a shuffled order.
func TestHistoryBounds(t *testing.T) {
	h := newHistory()
	at := func(size int64) translog.Checkpoint {
		return translog.Checkpoint{Origin: "log", Size: size, Root: translog.Hash{byte(size), byte(size >> 8), byte(size >> 16)}}
	}
	const n = 3 * maxRemembered
	for i := range int64(n) {
		if err := h.see(at((i*7919)%n+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	trail := h.logs["log"]
	if len(trail.seen) != maxRemembered || len(trail.order) != maxRemembered || trail.largest.checkpoint.Size != n {
		t.Errorf("%d remembered, %d in order, largest %d", len(trail.seen), len(trail.order), trail.largest.checkpoint.Size)
	}
	last := trail.order[(trail.next+maxRemembered-1)%maxRemembered]
	// What a journal cites convicts the exchange of nothing by itself, so it is not remembered as a fork.
	if err := h.cited("log", last, translog.Hash{}); !errors.Is(err, ErrFork) {
		t.Errorf("cited = %v, want ErrFork", err)
	}
	if err := h.see(at(last), nil); err != nil {
		t.Errorf("see = %v after a citation", err)
	}
	forked := at(last)
	forked.Root[31] = 1
	if err := h.see(forked, nil); !errors.Is(err, ErrFork) {
		t.Errorf("see = %v, want ErrFork", err)
	}
	if err := h.see(at(n+1), nil); !errors.Is(err, ErrFork) {
		t.Errorf("see = %v after a fork, want ErrFork", err)
	}
}
