package client

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/kuasheng/kuasheng/internal/translog"
)

const (
	// maxRemembered is how many checkpoints of one log are remembered, newest last: at 1,000 commits a second that the client's own receipts
	// show, some seconds, which is how far receipts overtake one another. About 300 bytes each.
	maxRemembered = 4096
	// maxLogs bounds the logs: 36 members with at most 64 journals each, and the exchange's.
	maxLogs = 36*64 + 1
)

// ForkError is the proof that a log signed two trees of one size. Both checkpoints are signed by the log's key, so it convinces anybody:
// keep it and give it to the auditors. It matches [ErrFork].
type ForkError struct {
	Origin string
	Size   int64
	// First and Second are signed notes. Second is empty where the other tree is not signed by the log itself but cited by a province's journal.
	First, Second []byte
}

// Error implements error.
func (e *ForkError) Error() string {
	by := "the log signed both"
	if len(e.Second) == 0 {
		by = "the province's journal cites another one than the exchange showed here"
	}
	return fmt.Sprintf("%v: %.255q at size %d: %s", ErrFork, e.Origin, e.Size, by)
}

// Unwrap makes the error match ErrFork.
func (e *ForkError) Unwrap() error { return ErrFork }

// history remembers the checkpoints that the client has seen. Receipts arrive in any order, so a smaller checkpoint after a larger one is
// no fault; two roots for one size are.
type history struct {
	mu   sync.Mutex // guards logs and everything in it
	logs map[string]*trail
}

// trail is what is remembered of one log.
type trail struct {
	seen    map[int64]sighting
	order   []int64 // sizes in the order in which they were first seen, a ring once it is full
	next    int
	anchor  sighting // the largest that was proven consistent with the first, or the first
	largest sighting
	forked  *ForkError // once set, the log is believed no more
}

type sighting struct {
	checkpoint translog.Checkpoint
	signed     []byte
}

func newHistory() *history { return &history{logs: map[string]*trail{}} }

// see takes a checkpoint whose signature was verified.
func (h *history) see(cp translog.Checkpoint, signed []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, err := h.trail(cp.Origin)
	if err != nil {
		return err
	}
	if t.forked != nil {
		return t.forked
	}
	if old, ok := t.seen[cp.Size]; ok {
		if old.checkpoint.Root != cp.Root {
			t.forked = &ForkError{Origin: cp.Origin, Size: cp.Size, First: old.signed, Second: bytes.Clone(signed)}
			return t.forked
		}
		return nil
	}
	t.add(sighting{checkpoint: cp, signed: bytes.Clone(signed)})
	return nil
}

// cited compares a tree that somebody else cites with what was seen. It is not remembered: nobody has signed it to us, and a journal that
// lies must not make the exchange look forked later.
func (h *history) cited(origin string, size int64, root translog.Hash) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t, ok := h.logs[origin]; ok {
		if old, ok := t.seen[size]; ok && old.checkpoint.Root != root {
			return &ForkError{Origin: origin, Size: size, First: old.signed}
		}
	}
	return nil
}

// span returns the anchor and the largest checkpoint seen of a log.
func (h *history) span(origin string) (anchor, largest sighting, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.logs[origin]
	if !ok {
		return sighting{}, sighting{}, false
	}
	return t.anchor, t.largest, true
}

// advance moves the anchor to a checkpoint that was proven to extend it.
func (h *history) advance(to sighting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t, ok := h.logs[to.checkpoint.Origin]; ok && to.checkpoint.Size > t.anchor.checkpoint.Size {
		t.anchor = to
	}
}

func (h *history) trail(origin string) (*trail, error) {
	t, ok := h.logs[origin]
	if !ok {
		if len(h.logs) >= maxLogs {
			return nil, fmt.Errorf("more than %d logs: %w", maxLogs, ErrProtocol)
		}
		t = &trail{seen: map[int64]sighting{}}
		h.logs[origin] = t
	}
	return t, nil
}

func (t *trail) add(s sighting) {
	size := s.checkpoint.Size
	if len(t.seen) == 0 {
		t.anchor, t.largest = s, s
	}
	if size > t.largest.checkpoint.Size {
		t.largest = s
	}
	t.seen[size] = s
	if len(t.order) < maxRemembered {
		t.order = append(t.order, size)
		return
	}
	delete(t.seen, t.order[t.next])
	t.order[t.next] = size
	t.next = (t.next + 1) % maxRemembered
}
