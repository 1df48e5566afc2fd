package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// replay rebuilds the tree and the derived files from the blocks of the segments.
type replay struct {
	chain   *chain
	derived *derived

	edge   translog.Edge
	blocks int64
	note   []byte // of the last block
	newest place  // of the last block
	end    tail

	leaves []translog.Hash
	text   []byte
}

// last replays the last two segments that hold something: when a segment came into use, the derived files of all but the
// one before it had been synced, so that older ones can be built on. What was built on is proven by the first
// checkpoint met: its root covers the whole tree.
func (r *replay) last() error {
	from, first := int64(len(r.chain.heads)), int64(0)
	for used := 0; used < 2; {
		from--
		if from <= 0 {
			return r.all()
		}
		var blank bool
		var err error
		if first, blank, err = r.chain.first(from); err != nil {
			return err
		}
		if !blank {
			used++
		}
	}
	if first < 0 {
		return r.all() // which finds out whether that is corruption
	}
	if err := r.start(from, first); err != nil {
		return fmt.Errorf("%w: %w", errDerived, err)
	}
	err := r.run(from)
	if errors.Is(err, errRoot) {
		return fmt.Errorf("%w: %w", errDerived, err)
	}
	return err
}

// errDerived means that the derived files cannot be built on.
var errDerived = errors.New("derived files do not fit the segments")

// start takes up the tree before segment from, whose first record is first, from the derived files.
func (r *replay) start(from, first int64) error {
	size, err := r.derived.index.f.size()
	if err != nil {
		return err
	}
	// Entries of later segments may be holes after a crash of the machine: they count as later.
	later := func(i int) bool {
		p, err := r.derived.index.get(int64(i))
		return err != nil || p.next() > first
	}
	r.blocks = int64(sort.Search(int(size/placeSize), later))
	if r.blocks == 0 {
		return errMissing
	}
	p, err := r.derived.index.get(r.blocks - 1)
	if err != nil {
		return err
	}
	if p.next() != first || p.segment >= from {
		return errOrder
	}
	r.edge, err = r.derived.edge(first)
	return err
}

// all replays everything.
func (r *replay) all() error {
	r.edge, r.blocks, r.note = translog.Edge{}, 0, nil
	return r.run(0)
}

func (r *replay) run(from int64) error {
	var err error
	r.end, err = r.chain.walk(context.Background(), from, r.edge.Size, r.visit)
	return err
}

func (r *replay) visit(seq, offset int64, b *block) error {
	r.leaves = b.leaves(r.leaves)
	span := translog.NewSpan(r.edge, r.leaves)
	if !r.speaks(b.note, span) {
		return errRoot
	}
	p := place{first: b.first, count: b.count, segment: seq, offset: offset, length: b.size()}
	if err := r.derived.put(span, r.leaves, r.blocks, p); err != nil {
		return err
	}
	r.edge, r.blocks, r.newest = span.After(), r.blocks+1, p
	r.note = append(r.note[:0], b.note...)
	return nil
}

// speaks reports whether a note's text is the checkpoint of span's tree. It leaves the signature open.
func (r *replay) speaks(note []byte, span *translog.Span) bool {
	return speaks(note, r.chain.heads[0].origin, span, &r.text)
}

func speaks(note []byte, origin string, span *translog.Span, buf *[]byte) bool {
	cp := translog.Checkpoint{Origin: origin, Size: span.Size(), Root: span.Root()}
	*buf, _ = cp.AppendText((*buf)[:0]) // never fails
	*buf = append(*buf, '\n')
	return bytes.HasPrefix(note, *buf)
}

// check verifies the signature of the last checkpoint against the tree.
func (r *replay) check() error {
	if r.edge.Size == 0 {
		return nil
	}
	cp, err := translog.OpenCheckpoint(r.note, r.chain.verifier)
	if err == nil && (cp.Size != r.edge.Size || cp.Root != r.edge.Root()) {
		err = errRoot
	}
	if err != nil {
		p := r.newest
		return &Fault{File: r.chain.path(p.segment), Offset: p.offset, Index: p.first, Count: int64(p.count), Err: err}
	}
	return nil
}
