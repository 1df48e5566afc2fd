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
}

// walk visits every block from segment from on and returns where the log ends. Index is the first record expected there.
// A broken place is the tail of a crash only if nothing whole comes after it; before a whole block it is a [*Fault].
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
		if errors.Is(err, io.EOF) {
			return nil // what should have come is missed by its index in the next segment
		}
		if errors.Is(err, errTorn) {
			return w.broken(c, seq, offset, err)
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

func (w *walker) fault(seq, offset int64, err error) *Fault {
	return &Fault{File: w.path(seq), Offset: offset, Index: w.index, Err: err}
}

// whole takes a whole block.
func (w *walker) whole(seq, offset int64, b *block) error {
	switch {
	case w.end.torn != nil:
		return w.fault(w.end.segment, w.end.offset, w.end.torn)
	case b.first != w.index:
		return w.fault(seq, offset, fmt.Errorf("starts at record %d: %w", b.first, errOrder))
	}
	if err := w.visit(seq, offset, b); errors.Is(err, errRoot) {
		return w.fault(seq, offset, err)
	} else if err != nil {
		return err
	}
	w.index = b.next()
	return nil
}

// broken takes a broken place. There can be only one, at the very end: the log makes one write at a time, and is not
// used again before a torn one was cut off.
func (w *walker) broken(c *cursor, seq, offset int64, cause error) error {
	if w.end.torn != nil {
		return w.fault(w.end.segment, w.end.offset, w.end.torn)
	}
	followed, err := c.find(w.index, func(n []byte) bool {
		_, err := translog.OpenCheckpoint(n, w.verifier)
		return err == nil
	})
	if err != nil {
		return err
	}
	if followed {
		return w.fault(seq, offset, cause)
	}
	w.end = tail{segment: seq, offset: offset, torn: cause}
	return nil
}
