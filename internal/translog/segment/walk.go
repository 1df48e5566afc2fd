package segment

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// tail is where a log ends.
type tail struct {
	segment int64 // the last one that holds a block, or the torn one
	offset  int64 // end of the last whole block
	torn    error // why what stands at offset is no block; nil if nothing stands there
	count   int64 // of the torn block's records, if its header tells
}

// walk visits every block from segment from on and returns where the log ends. Index is the first record expected there.
// A broken place is the tail of a crash only if one unfinished write can have left it; anything else is a [*Fault].
func (c *chain) walk(ctx context.Context, from, index int64, visit func(seq, offset int64, b *block) error) (tail, error) {
	w := &walker{chain: c, visit: visit, index: index, end: tail{segment: from, offset: page}}
	for seq := from; seq < int64(len(c.heads)); seq++ {
		if err := w.segment(ctx, seq); err != nil {
			return tail{}, err
		}
	}
	return w.end, nil
}

// walker is the state of one walk.
type walker struct {
	*chain
	visit func(seq, offset int64, b *block) error
	index int64
	end   tail
}

func (w *walker) segment(ctx context.Context, seq int64) error {
	c, err := w.cursor(seq)
	if err != nil {
		return err
	}
	defer c.f.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		offset := c.at
		b, err := c.next()
		if errors.Is(err, errTorn) {
			if b, err = w.broken(c, seq, offset, err); b == nil && err == nil {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil // what should have come is missed by its index in the next segment
		}
		if err != nil {
			return err
		}
		if err := w.whole(seq, offset, b); err != nil {
			return err
		}
		w.end.segment, w.end.offset = seq, c.at
	}
}

func (w *walker) fault(seq, offset, count int64, err error) *Fault {
	return &Fault{File: w.path(seq), Offset: offset, Index: w.index, Count: count, Err: err}
}

// whole takes a whole block.
func (w *walker) whole(seq, offset int64, b *block) error {
	switch {
	case w.end.torn != nil:
		return w.fault(w.end.segment, w.end.offset, w.end.count, w.end.torn)
	case b.first != w.index:
		return w.fault(seq, offset, 1, fmt.Errorf("starts at record %d: %w", b.first, errOrder))
	}
	if err := w.visit(seq, offset, b); errors.Is(err, errRoot) {
		return w.fault(seq, offset, int64(b.count), err)
	} else if err != nil {
		return err
	}
	w.index = b.next()
	return nil
}

// broken takes a broken place. There can be only one, at the very end: the log makes one write at a time, and is not
// used again before a torn one was cut off. If the place is whole by now, broken returns what next returns.
func (w *walker) broken(c *cursor, seq, offset int64, torn error) (*block, error) {
	if w.end.torn != nil {
		return nil, w.fault(w.end.segment, w.end.offset, w.end.count, w.end.torn)
	}
	cause, err := c.judge(w.index, func(n []byte) int64 {
		cp, err := translog.OpenCheckpoint(n, w.verifier)
		if err != nil {
			return -1
		}
		return cp.Size
	})
	if err != nil {
		return nil, err
	}
	if cause == nil {
		w.end = tail{segment: seq, offset: offset, torn: torn, count: c.count(torn)}
		return nil, nil
	}
	// A log in use grows while it is read: what follows may have been written after this place was looked at. But then
	// this place, which is written first, is whole by now.
	if b, err := c.again(); !errors.Is(err, errTorn) {
		return b, err
	}
	return nil, w.fault(seq, offset, c.count(torn), fmt.Errorf("%w: %w", torn, cause))
}

// count returns among how many records, from the one due at c.at on, is the first that a broken place lacks; 0 if
// nothing tells.
func (c *cursor) count(torn error) int64 {
	if errors.Is(torn, errHole) {
		return 1 // not even its first record begins here
	}
	b, err := c.view(c.at, page)
	if err != nil {
		return 0
	}
	h, _, err := parseAnyHeader(b)
	if err != nil {
		return 0
	}
	return int64(h.count)
}
