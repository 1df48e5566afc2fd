package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// Log is an open log. All its methods may be called by any number of goroutines.
type Log struct {
	cfg     Config
	chain   *chain
	derived *derived
	lock    io.Closer

	state atomic.Pointer[state]

	wake    chan struct{}  // tells the committer that the queue or closed changed; holds one
	stopped chan struct{}  // closed when the committer has ended
	jobs    sync.WaitGroup // the preparing goroutine
	once    sync.Once      // releases the files
	release error

	mu           sync.Mutex // guards what follows
	queue        []*Batch   // only the last one still takes records
	pending      int
	pendingBytes int
	room         int // records of the last batch: how much room the next one probably needs
	closed       bool
	err          error
}

// state is the log as of one commit. It never changes.
type state struct {
	edge       translog.Edge
	blocks     int64
	checkpoint []byte
}

func newLog(cfg Config, c *chain, d *derived, lock io.Closer, r *replay) (*Log, error) {
	s := &state{edge: r.edge, blocks: r.blocks, checkpoint: r.note}
	if s.edge.Size == 0 {
		var err error
		if s.checkpoint, err = emptyCheckpoint(cfg); err != nil {
			return nil, err
		}
	}
	w, err := openWriter(cfg.disk, c, c.heads[r.end.segment], r.end.offset)
	if err != nil {
		return nil, err
	}
	l := &Log{
		cfg: cfg, chain: c, derived: d, lock: lock,
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
	}
	l.state.Store(s)
	go (&committer{log: l, w: w, quit: make(chan struct{})}).run()
	return l, nil
}

// Add puts a record in line for the next commit, as number slot of the batch. It never blocks. The record, which carries
// its own random salt, is the log's from then on: the caller must not change it. The tag travels to OnCommit or OnFail.
//
// Errors: ErrFull, ErrTooLarge, ErrClosed, ErrFailed. With an error nothing was added.
func (l *Log) Add(record []byte, tag any) (batch *Batch, slot int, err error) {
	size := recordOverhead + len(record)
	if len(record) == 0 || len(record) > maxRecord || size > l.cfg.MaxBlockBytes {
		return nil, 0, fmt.Errorf("adding a record of %d bytes: %w", len(record), ErrTooLarge)
	}
	leaf := translog.LeafHash(record) // here, where callers run side by side, and not in the one committer
	l.mu.Lock()
	switch {
	case l.err != nil:
		err = errUnwritten
	case l.closed:
		err = ErrClosed
	case l.pending >= l.cfg.MaxPending || l.pendingBytes+size > l.cfg.MaxPendingBytes:
		err = ErrFull
	}
	if err != nil {
		l.mu.Unlock()
		return nil, 0, fmt.Errorf("adding a record: %w", err)
	}
	if n := len(l.queue); n > 0 && l.queue[n-1].takes(record, &l.cfg) {
		batch = l.queue[n-1]
	} else {
		batch = newBatch(max(l.room, 8))
		l.queue = append(l.queue, batch)
	}
	slot = batch.add(record, tag, leaf)
	l.pending++
	l.pendingBytes += size
	l.mu.Unlock()
	l.signal()
	return batch, slot, nil
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // the committer has yet to look, and will see everything
	}
}

// Append adds a record and waits until it is durable. If ctx ends first the error matches ErrUnknown as well as the
// context's: the record is in line and will normally be committed.
func (l *Log) Append(ctx context.Context, record []byte) (*Commit, int64, error) {
	batch, slot, err := l.Add(record, nil)
	if err != nil {
		return nil, 0, err
	}
	select {
	case <-batch.Done():
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("appending: %w: %w", ErrUnknown, context.Cause(ctx))
	}
	commit, err := batch.Commit()
	if err != nil {
		return nil, 0, err
	}
	return commit, commit.First + int64(slot), nil
}

// Checkpoint returns the signed checkpoint of the last durable commit. Nobody may change it.
func (l *Log) Checkpoint() []byte { return l.state.Load().checkpoint }

// Size returns the number of durable records.
func (l *Log) Size() int64 { return l.state.Load().edge.Size }

// Edge returns the edge of the last durable tree.
func (l *Log) Edge() translog.Edge { return l.state.Load().edge.Clone() }

// Err returns nil while the log works and the final error after it failed. It matches ErrFailed. Only opening the log
// again, which verifies it, ends that state.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close commits what was added, stops the committer, waits for it and releases the files. It returns Err, or what went
// wrong in releasing. Batches still waiting in a failed log have been failed when it returns.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.signal()
	<-l.stopped
	l.jobs.Wait()
	l.once.Do(func() { l.release = errors.Join(l.derived.close(), l.lock.Close()) })
	return errors.Join(l.Err(), l.release)
}
