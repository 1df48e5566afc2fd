package accesslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// run indexes what is offered until ctx ends, and then what is still in the queue.
func (ix *index) run(ctx context.Context, b *batch) {
	defer close(ix.done)
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for ctx.Err() == nil {
		var err error
		select {
		case c := <-ix.queue:
			err = ix.take(b, c)
		case <-timer.C:
			err = ix.settle(ctx, b)
			timer.Reset(linger)
		case <-ctx.Done():
			continue
		}
		if err == nil {
			if !b.broken {
				ix.err = nil
			}
			continue
		}
		if ctx.Err() != nil || errors.Is(err, segment.ErrClosed) {
			break // the log closes first; what cannot be read any more is indexed at the next start
		}
		if ix.err == nil {
			ix.logger.Error("the access log's index is behind", "error", err)
		}
		ix.err, b.broken = err, true
		timer.Reset(retryDelay)
	}
	ix.err = ix.drain(b)
}

// take adds a commit to the batch. One that is not the next is left for settle, which reads the log.
func (ix *index) take(b *batch, c *segment.Commit) error {
	ix.queued.Add(-weight(c))
	for i := range c.Entries {
		e := &c.Entries[i]
		if b.broken {
			return nil
		}
		if e.Index > b.next {
			ix.missed.Store(true)
			return nil
		}
		if e.Index < b.next {
			continue
		}
		if err := b.add(e.Record); err != nil {
			return err
		}
		if b.full() {
			if err := ix.flush(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle brings the index up to the log. A failed write may have been made all the same, so what is there is asked first: otherwise quota
// would be counted twice.
func (ix *index) settle(ctx context.Context, b *batch) error {
	missed := ix.missed.Swap(false)
	if b.broken {
		txn := ix.db.NewTransaction(false)
		size, err := covered(txn)
		txn.Discard()
		if err != nil {
			return err
		}
		b.reset(size)
		missed = true
	}
	if missed {
		if err := ix.catchUp(ctx, b); err != nil {
			return err
		}
	}
	return ix.flush(b)
}

// catchUp indexes from the log itself. The last batch is left to be flushed.
func (ix *index) catchUp(ctx context.Context, b *batch) error {
	err := ix.log.Scan(ctx, b.next, func(index int64, record []byte) error {
		if err := b.add(record); err != nil {
			return err
		}
		if b.full() {
			return ix.flush(b)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("catching up with the log: %w", err)
	}
	return nil
}

// flush writes the batch. A crash leaves all of it or nothing.
func (ix *index) flush(b *batch) error {
	if b.next == b.first || b.broken {
		return nil
	}
	if err := ix.room(ix.dir); err != nil {
		return err
	}
	txn := ix.db.NewTransaction(true)
	defer txn.Discard()
	if err := b.write(txn); err != nil {
		return err
	}
	if err := txn.Commit(); err != nil {
		return fmt.Errorf("writing records %d to %d to the index: %w", b.first, b.next-1, err)
	}
	b.reset(b.next)
	return nil
}

// drain indexes what was offered before close. After a gap nothing can be done any more: the log is closed.
func (ix *index) drain(b *batch) error {
	for {
		select {
		case c := <-ix.queue:
			if err := ix.take(b, c); err != nil {
				return err
			}
		default:
			return ix.flush(b)
		}
	}
}
