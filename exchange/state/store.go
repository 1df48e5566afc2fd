package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/kuasheng/kuasheng/internal/badgerdir"
)

// Store is the exchange's state. It is safe for concurrent use.
type Store struct {
	db          *badger.DB
	dir         string
	trustDomain string
	log         *slog.Logger
	faults      faults

	queue chan *pending // unbuffered: whoever got through is in the committer's hands and will be answered
	stop  chan struct{} // closed by Close
	ended chan struct{} // closed when the committer has ended; end is set before
	end   error         // why the committer ended

	closing sync.Once

	mu          sync.Mutex // held while a block is written and delivered, so that nobody reads what is not delivered yet
	revision    uint64     // of the last change; the committer alone writes it
	subscribers []subscriber
}

type subscriber struct {
	prefix Key
	apply  func(Entry) error
}

// faults are the two doors to the disk, so that tests can let them fail.
type faults struct {
	free   func(dir string) error
	commit func(*badger.Txn) error
}

// Entry is one value at one revision.
type Entry struct {
	Key      Key
	Revision uint64
	Value    []byte // valid during the call it is passed to
}

// Open opens a store that exists. Only one process can have it open.
func Open(dir string, log *slog.Logger) (*Store, error) {
	return open(dir, log, faults{free: room, commit: (*badger.Txn).Commit})
}

func open(dir string, log *slog.Logger, f faults) (*Store, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening %s: %w", dir, ErrNotExist)
	}
	// Badger makes a store of any directory it is given. One without its manifest is not ours to fill.
	if _, err := os.Stat(filepath.Join(dir, badger.ManifestFilename)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening %s: %w", dir, ErrNotExist)
	}
	db, err := openBadger(dir, log)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	s := &Store{
		db: db, dir: dir, log: log, faults: f,
		queue: make(chan *pending),
		stop:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	if err := s.readHead(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", dir, err), badgerdir.Close(db, f.free))
	}
	go s.run()
	return s, nil
}

// readHead reads who the store belongs to and how far it has come.
func (s *Store) readHead() error {
	return s.db.View(func(txn *badger.Txn) error {
		identity, err := txn.Get([]byte(identityKey))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return fmt.Errorf("reading the identity record: %w", ErrIdentity)
		} else if err != nil {
			return fmt.Errorf("reading the identity record: %w", err)
		}
		data, err := identity.ValueCopy(nil)
		if err != nil {
			return fmt.Errorf("reading the identity record: %w", err)
		}
		if s.trustDomain, err = parseIdentity(data); err != nil {
			return err
		}
		revision, err := txn.Get([]byte(revisionKey))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil // nothing has changed yet
		} else if err != nil {
			return fmt.Errorf("reading the revision: %w", err)
		}
		return revision.Value(func(v []byte) error {
			if len(v) != 8 {
				return fmt.Errorf("reading the revision: %w", ErrIdentity)
			}
			s.revision = binary.BigEndian.Uint64(v)
			return nil
		})
	})
}

// TrustDomain is the trust domain of the exchange that the store belongs to.
func (s *Store) TrustDomain() string { return s.trustDomain }

// Revision is the number of changes so far.
func (s *Store) Revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision
}

// Get reads one value; ok is false where there is none. The value is the caller's to keep. It never runs ahead of the subscribers: what it
// returns, they have seen. For that it waits while a block is written, so it is not for the path of a query.
func (s *Store) Get(key Key) (entry Entry, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get([]byte(key))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		value, err := item.ValueCopy(nil)
		if err != nil {
			return err
		}
		entry, err = decodeEntry(key, value)
		ok = err == nil
		return err
	})
	if err != nil {
		return Entry{}, false, fmt.Errorf("reading %q: %w", key, err)
	}
	return entry, ok, nil
}

// Subscribe calls apply for every value under the prefix, in the order of keys, and from then on for every change of one, in the order of
// changes, before the Commit that made it returns. Calls never overlap. apply must not call the store. An error of apply while loading
// is returned; one later ends the store, since memory and disk no longer agree.
func (s *Store) Subscribe(prefix Key, apply func(Entry) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{PrefetchValues: true, PrefetchSize: 100, Prefix: []byte(prefix)})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			key := Key(item.Key())
			err := item.Value(func(v []byte) error {
				entry, err := decodeEntry(key, v)
				if err != nil {
					return err
				}
				return apply(entry)
			})
			if err != nil {
				return fmt.Errorf("loading %q: %w", key, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.subscribers = append(s.subscribers, subscriber{prefix, apply})
	return nil
}

// deliver hands one entry to whoever subscribed to it. The committer calls it with mu held.
func (s *Store) deliver(entry Entry) error {
	for _, sub := range s.subscribers {
		if !strings.HasPrefix(string(entry.Key), string(sub.prefix)) {
			continue
		}
		if err := sub.apply(entry); err != nil {
			return fmt.Errorf("applying %q: %w", entry.Key, err)
		}
	}
	return nil
}

// Close finishes the block that is being written, refuses further changes and closes the files. On a full disk it returns an error that wraps
// ErrDiskFull and leaves the files open until the process ends: see the package comment.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.stop)
		<-s.ended
		if err = badgerdir.Close(s.db, s.faults.free); err != nil {
			err = fmt.Errorf("closing %s: %w", s.dir, err)
		}
	})
	return err
}

// Ended is closed when the store takes no more changes: after Close, or after an error that [Store.Err] tells.
func (s *Store) Ended() <-chan struct{} { return s.ended }

// Err is why the store takes no more changes: nil while it does, ErrClosed after Close, or an error wrapping ErrFailed.
func (s *Store) Err() error {
	select {
	case <-s.ended:
		return s.end
	default:
		return nil
	}
}
