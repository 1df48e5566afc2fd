package segment

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// Record returns one record. It is compared with its leaf in the tree: what comes back is what was committed to.
func (l *Log) Record(index int64) ([]byte, error) {
	s := l.state.Load()
	if index < 0 || index >= s.edge.Size {
		return nil, fmt.Errorf("reading record %d of %d: %w", index, s.edge.Size, translog.ErrRange)
	}
	_, p, err := l.derived.index.find(index, s.blocks)
	if err != nil {
		return nil, fmt.Errorf("reading record %d: %w", index, l.readError(err))
	}
	var r blockReader
	if err := r.load(l, p); err != nil {
		return nil, fmt.Errorf("reading record %d: %w", index, l.readError(err))
	}
	slot := index - p.first
	if err := r.match(l, p, int(slot), int(slot)+1); err != nil {
		return nil, fmt.Errorf("reading record %d: %w", index, l.readError(err))
	}
	return r.block.records[slot], nil
}

// Scan calls fn for every record from index from to the size at the time of the call, in order. The slice is only valid
// during the call. An error of fn ends the scan and is returned as it is.
func (l *Log) Scan(ctx context.Context, from int64, fn func(index int64, record []byte) error) error {
	s := l.state.Load()
	if from < 0 || from > s.edge.Size {
		return fmt.Errorf("scanning from record %d of %d: %w", from, s.edge.Size, translog.ErrRange)
	}
	if from == s.edge.Size {
		return nil
	}
	number, p, err := l.derived.index.find(from, s.blocks)
	var r blockReader
	for {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.load(l, p)
		}
		if err == nil {
			err = r.match(l, p, 0, int(p.count))
		}
		if err != nil {
			return fmt.Errorf("scanning from record %d: %w", from, l.readError(err))
		}
		for i, record := range r.block.records {
			if index := p.first + int64(i); index >= from {
				if err := fn(index, record); err != nil {
					return err
				}
			}
		}
		if number++; number == s.blocks {
			return nil
		}
		p, err = l.derived.index.get(number)
	}
}

// readError tells reading from a closed log apart from trouble.
func (l *Log) readError(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return ErrClosed
	}
	return err
}

// blockReader reads single blocks, reusing its memory.
type blockReader struct {
	buf   []byte
	block block
	tiles []translog.Hash
}

// load reads the block at p.
func (r *blockReader) load(l *Log, p place) error {
	f, err := l.cfg.disk.read(l.chain.path(p.segment))
	if err != nil {
		return err
	}
	defer f.Close()
	if int64(cap(r.buf)) < p.length {
		r.buf = make([]byte, p.length)
	}
	r.buf = r.buf[:p.length]
	if _, err := f.ReadAt(r.buf, p.offset); err != nil {
		return err
	}
	err = r.block.parse(r.buf, l.chain.heads[0].id)
	if err == nil && (r.block.first != p.first || r.block.count != p.count) {
		err = errOrder
	}
	if err != nil {
		return &Fault{File: l.chain.path(p.segment), Offset: p.offset, Index: p.first, Count: int64(p.count), Err: err}
	}
	return nil
}

// match compares the block's records [lo, hi) with the leaves in the tree.
func (r *blockReader) match(l *Log, p place, lo, hi int) error {
	var err error
	if r.tiles, err = l.derived.hashes(0, p.first+int64(lo), hi-lo, r.tiles[:0]); err != nil {
		return err
	}
	for i, want := range r.tiles {
		if translog.LeafHash(r.block.records[lo+i]) != want {
			return &Fault{File: l.chain.path(p.segment), Offset: p.offset, Index: p.first + int64(lo+i), Count: 1, Err: errLeaf}
		}
	}
	return nil
}

// CheckpointAt returns the signed checkpoint that some commit made for exactly this size, or ErrRange: a log signs one
// checkpoint per block.
func (l *Log) CheckpointAt(size int64) ([]byte, error) {
	s := l.state.Load()
	if size == s.edge.Size {
		return s.checkpoint, nil
	}
	if size < 1 || size > s.edge.Size {
		return nil, fmt.Errorf("reading checkpoint of size %d of %d: %w", size, s.edge.Size, translog.ErrRange)
	}
	_, p, err := l.derived.index.find(size-1, s.blocks)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint of size %d: %w", size, l.readError(err))
	}
	if p.next() != size {
		return nil, fmt.Errorf("reading checkpoint of size %d, where no commit ended: %w", size, translog.ErrRange)
	}
	var r blockReader
	if err := r.load(l, p); err != nil {
		return nil, fmt.Errorf("reading checkpoint of size %d: %w", size, l.readError(err))
	}
	return r.block.note, nil
}

// Node returns the hash of the perfect subtree [n<<level, (n+1)<<level) of the durable tree.
func (l *Log) Node(level int, n int64) (translog.Hash, error) {
	return l.node(l.Size(), level, n)
}

func (l *Log) node(size int64, level int, n int64) (translog.Hash, error) {
	if level < 0 || level > 40 || n < 0 || n >= size>>level {
		return translog.Hash{}, fmt.Errorf("reading node %d at level %d of a tree of %d: %w", n, level, size, translog.ErrRange)
	}
	h, err := l.derived.node(level, n)
	if err != nil {
		return translog.Hash{}, l.readError(err)
	}
	return h, nil
}

// Inclusion returns the RFC 6962 audit path of the leaf at index in the tree of the given size, at most the log's.
func (l *Log) Inclusion(index, size int64) ([]translog.Hash, error) {
	return translog.ProveInclusion(index, size, l.within(size))
}

// Consistency returns the RFC 6962 consistency proof from size m to size n, at most the log's.
func (l *Log) Consistency(m, n int64) ([]translog.Hash, error) {
	return translog.ProveConsistency(m, n, l.within(n))
}

// Range returns the range proof from size m to size n, at most the log's, for targets. See package translog.
func (l *Log) Range(m, n int64, targets []int64) ([]translog.Hash, error) {
	return translog.ProveRange(m, n, targets, l.within(n))
}

// EdgeAt returns the edge of the tree of the given size, at most the log's.
func (l *Log) EdgeAt(size int64) (translog.Edge, error) {
	if size < 0 || size > l.Size() {
		return translog.Edge{}, fmt.Errorf("reading edge of size %d of %d: %w", size, l.Size(), translog.ErrRange)
	}
	e, err := l.derived.edge(size)
	if err != nil {
		return translog.Edge{}, fmt.Errorf("reading edge of size %d: %w", size, l.readError(err))
	}
	return e, nil
}

// within reads nodes for proofs in a tree of the given size.
func (l *Log) within(size int64) func(int, int64) (translog.Hash, error) {
	have := l.Size()
	return func(level int, n int64) (translog.Hash, error) {
		if size > have {
			return translog.Hash{}, fmt.Errorf("size %d of a log of %d: %w", size, have, translog.ErrRange)
		}
		return l.node(have, level, n)
	}
}
