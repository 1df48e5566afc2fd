package segment

import (
	"errors"
	"fmt"
	"time"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// committer writes batches, one block each, until the log is closed or a write fails. One goroutine runs it and owns its
// fields.
type committer struct {
	log  *Log
	w    *writer
	next chan prepared // the segment being prepared, if any
	quit chan struct{} // closed when nothing will need it any more
	buf  []byte        // aligned
}

func (c *committer) run() {
	defer close(c.log.stopped)
	defer c.stop()
	for {
		b := c.log.take()
		if b == nil {
			return
		}
		if err := c.commit(b); err != nil {
			c.log.fail(b, err)
			return
		}
	}
}

// take waits for the next batch. It returns nil when the log is closed and nothing waits.
func (l *Log) take() *Batch {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			b := l.queue[0]
			l.queue[0] = nil
			l.queue = l.queue[1:]
			l.room = len(b.entries)
			l.mu.Unlock()
			return b
		}
		l.queue = nil
		closed := l.closed
		l.mu.Unlock()
		if closed {
			return nil
		}
		<-l.wake
	}
}

// commit makes a batch durable and tells everybody. An error matching ErrUnknown means that the batch may be on disk.
//
// A crash before the write returns leaves a torn tail or a whole block that nobody was told of; a crash after it leaves
// the block. The checkpoint is signed before the write but leaves the process only after it: what was signed and not
// written was never seen, and what is signed next for the same size contradicts nothing.
func (c *committer) commit(b *Batch) error {
	l := c.log
	before := l.state.Load()
	first, now := before.edge.Size, time.Now()
	if first > maxSize-int64(len(b.entries)) {
		return fmt.Errorf("log holds %d records, the most its format allows: %w", first, translog.ErrRange)
	}
	span := translog.NewSpan(before.edge, b.leaves)
	signed, err := translog.SignCheckpoint(translog.Checkpoint{Origin: l.cfg.Origin, Size: span.Size(), Root: span.Root()}, l.cfg.Signer)
	if err != nil {
		return err
	}
	if len(signed) > maxNote {
		return fmt.Errorf("signed checkpoint of %d bytes: %w", len(signed), ErrTooLarge)
	}
	block := c.room(padded(blockHeaderSize + int64(b.bytes) + int64(len(signed))))
	if err := c.roll(int64(len(block))); err != nil {
		return err
	}
	for i := range b.entries {
		b.entries[i].Index = first + int64(i)
	}
	encodeBlock(block, l.chain.heads[0].id, first, now.UnixNano(), b.entries, signed)
	if _, err := c.w.f.WriteAt(block, c.w.at); err != nil {
		return fmt.Errorf("%w: writing block of %d records at %d in segment %d: %w", ErrUnknown, len(b.entries), first, c.w.seq, err)
	}

	p := place{first: first, count: uint32(len(b.entries)), segment: c.w.seq, offset: c.w.at, length: int64(len(block))}
	c.w.at += p.length
	lost := l.derived.put(span, b.leaves, before.blocks, p)
	l.state.Store(&state{edge: span.After(), blocks: before.blocks + 1, checkpoint: signed})
	b.commit = &Commit{First: first, Entries: b.entries, Checkpoint: signed, Span: span, Time: now}
	l.cfg.OnCommit(b.commit)
	l.finish(b)
	c.prepareNext()
	if lost != nil {
		// This batch is durable and its waiters know. But what cannot be read back must not grow.
		l.fail(nil, lost)
	}
	return nil
}

// finish takes a batch off the bounds and wakes its waiters.
func (l *Log) finish(b *Batch) {
	l.mu.Lock()
	l.pending -= len(b.entries)
	l.pendingBytes -= b.bytes
	l.mu.Unlock()
	close(b.done)
}

// fail is final: no Add after it succeeds. The batch b (which may be nil) gets the error itself, those behind it were
// certainly not written.
func (l *Log) fail(b *Batch, err error) {
	final := fmt.Errorf("%w: %w", ErrFailed, err)
	l.mu.Lock()
	l.err = final
	waiting := l.queue
	l.queue = nil
	l.mu.Unlock()
	l.cfg.Logger.Error("log failed", "origin", l.cfg.Origin, "size", l.Size(), "waiting", len(waiting), "error", err)
	if b != nil {
		l.refuse(b, final)
	}
	for _, b := range waiting {
		l.refuse(b, errUnwritten)
	}
}

func (l *Log) refuse(b *Batch, err error) {
	b.err = err
	l.cfg.OnFail(b.entries, err)
	l.finish(b)
}

// room returns the buffer for a block of n bytes.
func (c *committer) room(n int64) []byte {
	if int64(cap(c.buf)) < n {
		c.buf = aligned(n + n/2&^(page-1))
	}
	c.buf = c.buf[:n]
	return c.buf
}

// roll moves on to the next segment if a block of n bytes does not fit this one. Segments made under an older
// configuration may be too small for any block of today: they stay empty.
func (c *committer) roll(n int64) error {
	for !c.w.fits(n) {
		c.startNext()
		next := <-c.next
		c.next = nil
		if next.err != nil && !next.final {
			// It was prepared early, and the disk may have room again by now.
			next.w, next.err = c.open(c.following())
		}
		if next.err != nil {
			return next.err
		}
		old := c.w
		c.w = next.w
		if err := old.f.Close(); err != nil {
			return fmt.Errorf("closing segment %d: %w", old.seq, err)
		}
	}
	return nil
}

// prepareNext begins to prepare the next segment when this one is half full: rolling then costs the commit nothing.
func (c *committer) prepareNext() {
	if c.w.half() {
		c.startNext()
	}
}

// startNext starts the goroutine that prepares the next segment, unless one has. It first syncs the derived files: what
// was committed before the half of this segment is then safe to build on when the next but one is in use. If that fails
// it is not tried again: the kernel reports a lost page once, and would call the second try a success.
func (c *committer) startNext() {
	if c.next != nil {
		return
	}
	l, head, next := c.log, c.following(), make(chan prepared, 1)
	c.next = next
	l.jobs.Go(func() {
		if err := l.derived.sync(); err != nil {
			next <- prepared{err: err, final: true}
			return
		}
		w, err := c.open(head)
		if err != nil && !errors.Is(err, ErrClosed) {
			l.cfg.Logger.Warn("preparing next segment failed", "origin", l.cfg.Origin, "error", err)
		}
		next <- prepared{w: w, err: err}
	})
}

// following returns the header of the segment after the current one.
func (c *committer) following() header {
	l := c.log
	if next := c.w.seq + 1; next < int64(len(l.chain.heads)) {
		return l.chain.heads[next]
	}
	head := l.chain.heads[0]
	head.key, head.sequence, head.size = l.cfg.Verifier.KeyHash(), uint64(c.w.seq+1), l.cfg.SegmentSize
	return head
}

// open opens an empty segment that was there when the log was opened, or makes it. It reads only what never changes.
func (c *committer) open(head header) (*writer, error) {
	l := c.log
	if head.sequence < uint64(len(l.chain.heads)) {
		return openWriter(l.cfg.disk, l.chain, head, page)
	}
	return prepare(l.cfg.disk, l.chain, head, c.quit)
}

// stop releases the segments. What was prepared stays on disk for the next opening.
func (c *committer) stop() {
	close(c.quit)
	if err := c.w.f.Close(); err != nil {
		c.log.cfg.Logger.Warn("closing segment", "error", err)
	}
	if c.next == nil {
		return
	}
	if n := <-c.next; n.w != nil {
		if err := n.w.f.Close(); err != nil {
			c.log.cfg.Logger.Warn("closing segment", "error", err)
		}
	}
}
