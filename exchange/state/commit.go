package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

var (
	// ErrConflict means that a key is not at the expected revision. Nothing was changed, and whatever it conflicts with has reached the
	// subscribers: who checks again sees it.
	ErrConflict = errors.New("changed by somebody else")
	// ErrTooLarge means that a change is larger than MaxChange.
	ErrTooLarge = errors.New("change is too large")
	// ErrClosed means that the store was closed before the change was taken.
	ErrClosed = errors.New("state store is closed")
	// ErrFailed means that writing failed: it is unknown whether the change is on disk, and the store takes no more. It has to be opened
	// again.
	ErrFailed = errors.New("state store has failed")

	errChange = errors.New("malformed change")
)

const (
	// MaxChange bounds the bytes of one change. The largest catalogue entries in use have some 50 KiB.
	MaxChange = 512 << 10
	// maxKeys bounds the keys of one change: far above what any rule needs.
	maxKeys = 64
	// maxBlock bounds the bytes of one block: a message of NATS JetStream is 1 MiB by default, and Badger takes 1.2 MiB a transaction.
	maxBlock = 960 << 10
	// maxBlockChanges bounds the changes of one block, hence its keys below the 12,000 that Badger takes a transaction.
	maxBlockChanges = 128
)

// Write is a key's part in a change: a condition, and mostly a new value.
type Write struct {
	Key Key
	// Expected is the revision that the key must have; 0: it must not exist.
	Expected uint64
	// Value is the new value. With nil the key stays as it is, and only its revision is demanded.
	Value []byte
}

// Change is a set of writes that are applied together or not at all. No key stands in it twice.
type Change []Write

// size is what the change takes of a block; it is a little more than Badger counts.
func (c Change) size() int {
	n := 0
	for _, w := range c {
		n += len(w.Key) + len(w.Value) + 32
	}
	return n
}

func (c Change) check() error {
	if len(c) > maxKeys || c.size() > MaxChange {
		return fmt.Errorf("%d keys, %d bytes: %w", len(c), c.size(), ErrTooLarge)
	}
	writes := false
	for i, w := range c {
		if w.Key == "" || w.Key.reserved() {
			return fmt.Errorf("key %q: %w", w.Key, errChange)
		}
		for _, other := range c[:i] {
			if other.Key == w.Key {
				return fmt.Errorf("key %q twice: %w", w.Key, errChange)
			}
		}
		writes = writes || w.Value != nil
	}
	if !writes {
		return fmt.Errorf("nothing to write: %w", errChange)
	}
	return nil
}

// pending is a change on its way. The committer fills in the result and closes done.
type pending struct {
	change   Change
	done     chan struct{}
	revision uint64
	err      error
}

// Commit applies a change and returns its revision. The change must not be touched afterwards.
//
// ctx bounds the wait for the committer's attention only. A change that it has taken is waited for: a caller who left in between would not
// know whether a revocation holds.
func (s *Store) Commit(ctx context.Context, c Change) (uint64, error) {
	if err := c.check(); err != nil {
		return 0, fmt.Errorf("committing: %w", err)
	}
	p := &pending{change: c, done: make(chan struct{})}
	select {
	case s.queue <- p:
		<-p.done
	case <-s.ended:
		p.err = s.end
	case <-ctx.Done():
		p.err = ctx.Err()
	}
	if p.err != nil {
		return 0, fmt.Errorf("committing: %w", p.err)
	}
	return p.revision, nil
}

// run is the committer: the one goroutine that writes, until Close or the first failure.
func (s *Store) run() {
	var first *pending // did not fit into the block before
	for {
		if first == nil {
			select {
			case <-s.stop:
				s.end = ErrClosed
				close(s.ended)
				return
			case first = <-s.queue:
			}
		}
		block, next := s.gather(first)
		err := s.commit(block)
		if err != nil {
			s.end = fmt.Errorf("%w: %w", ErrFailed, err)
			s.log.Error("state store failed and takes no more changes", "error", err)
			close(s.ended) // before anybody is told: who sees a failed change also sees a failed store
		}
		for _, p := range block {
			if s.end != nil {
				p.revision, p.err = 0, s.end
			}
			close(p.done)
		}
		if s.end != nil {
			if next != nil {
				next.err = s.end
				close(next.done)
			}
			return
		}
		first = next
	}
}

// gather takes along whatever is waiting behind first, up to the bounds of a block: a sync is paid once for all of them.
func (s *Store) gather(first *pending) (block []*pending, next *pending) {
	block = append(block, first)
	for size := first.change.size(); len(block) < maxBlockChanges; {
		select {
		case p := <-s.queue:
			if size += p.change.size(); size > maxBlock {
				return block, p
			}
			block = append(block, p)
		default:
			return block, nil
		}
	}
	return block, nil
}

// commit writes one block and delivers it. A conflict, or a disk that is full before anything is written, is the answer to a change; an
// error returned here is the end of the store.
func (s *Store) commit(block []*pending) error {
	if err := s.faults.free(s.dir); err != nil {
		for _, p := range block {
			p.err = err
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	txn := s.db.NewTransaction(true)
	defer txn.Discard()

	revision := s.revision
	var entries []Entry
	for _, p := range block {
		staged, err := stage(txn, p.change, revision+1)
		if errors.Is(err, ErrConflict) {
			p.err = err
			continue
		} else if err != nil {
			return err
		}
		revision++
		p.revision = revision
		entries = append(entries, staged...)
	}
	if revision == s.revision {
		return nil
	}
	if err := txn.Set([]byte(revisionKey), binary.BigEndian.AppendUint64(nil, revision)); err != nil {
		return fmt.Errorf("writing the revision: %w", err)
	}
	if err := s.faults.commit(txn); err != nil {
		return fmt.Errorf("writing a block: %w", err)
	}
	s.revision = revision
	for _, entry := range entries {
		if err := s.deliver(entry); err != nil {
			return err
		}
	}
	return nil
}

// stage applies a change to the transaction if all its conditions hold, those on keys that an earlier change of the same block wrote
// included, since the transaction reads its own writes.
func stage(txn *badger.Txn, c Change, revision uint64) ([]Entry, error) {
	for _, w := range c {
		found, err := revisionOf(txn, w.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the revision of %q: %w", w.Key, err)
		}
		if found != w.Expected {
			return nil, fmt.Errorf("%q is at revision %d and not %d: %w", w.Key, found, w.Expected, ErrConflict)
		}
	}
	var entries []Entry
	for _, w := range c {
		if w.Value == nil {
			continue
		}
		if err := txn.Set([]byte(w.Key), encodeValue(revision, w.Value)); err != nil {
			return nil, fmt.Errorf("writing %q: %w", w.Key, err)
		}
		entries = append(entries, Entry{Key: w.Key, Revision: revision, Value: w.Value})
	}
	return entries, nil
}

// revisionOf returns 0 for a key that does not exist.
func revisionOf(txn *badger.Txn, key Key) (revision uint64, err error) {
	item, err := txn.Get([]byte(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	err = item.Value(func(v []byte) error {
		entry, err := decodeEntry(key, v)
		revision = entry.Revision
		return err
	})
	return revision, err
}
