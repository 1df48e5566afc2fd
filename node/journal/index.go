package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/badgerdir"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

const (
	// memTable is the size of Badger's write buffer.
	memTable = 8 << 20
	// freeFloor is what must be free before the index is written: both write buffers as log files and as tables.
	freeFloor = 4 * memTable
	// bulk is how many records go into one transaction: three keys each stay far below Badger's limit.
	bulk = 2000
	// linger is how long records gather before they are indexed: it bounds the syncs to five a second. The checker of tickets remembers what was
	// used in the meantime.
	linger = 200 * time.Millisecond
	// spentFor is how long a spent ticket is remembered: far longer than any ticket_age that a node accepts.
	spentFor = 24 * time.Hour
)

// room keeps away from the end of the disk: there the index stops, and the journal with it.
func room(dir string) error { return badgerdir.Room(dir, freeFloor) }

// errIndexClosed is what waiters get of an index that was closed.
var errIndexClosed = errors.New("journal index is closed")

var (
	keyAccepted = []byte("a")
	keySize     = []byte("z")
)

func keyIntent(h translog.Hash) []byte { return append([]byte("i"), h[:]...) }
func keyOpen(h translog.Hash) []byte   { return append([]byte("o"), h[:]...) }
func keySpent(h translog.Hash) []byte  { return append([]byte("s"), h[:]...) }

// index runs behind the log in one goroutine. The log's writes bypass the page cache, so it reads back what it indexes; a commit is small
// and the goroutine takes many at once.
type index struct {
	dir    string
	db     *badger.DB
	logger *slog.Logger
	wake   chan struct{} // holds one: the log has grown
	hurry  chan struct{} // holds one: somebody waits
	stop   context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	size    int64 // records indexed
	err     error
	changed chan struct{} // closed and replaced when size or err changes
}

// openIndex opens the Badger directory. SyncWrites is on although the log holds everything but the spent tickets: Badger does not sync a full
// memtable's file when it begins the next, so that a power cut could keep a later transaction, and with it the size that it speaks of, and lose an earlier
// one. An answer would then be missing here, and the exchange would be told that the province never gave it.
func openIndex(dir string, logger *slog.Logger) (*index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening journal index: %w", err)
	}
	if err := room(dir); err != nil {
		return nil, fmt.Errorf("opening journal index: %w", err)
	}
	if err := badgerdir.RemoveEmpty(dir); err != nil {
		return nil, fmt.Errorf("opening journal index: %w", err)
	}
	opts := badger.DefaultOptions(dir).WithLogger(nil).WithSyncWrites(true).WithMemTableSize(memTable).WithNumMemtables(2).
		WithBlockCacheSize(8 << 20).WithIndexCacheSize(8 << 20).WithValueLogFileSize(32 << 20).WithNumCompactors(2)
	db, err := badger.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("opening journal index: %w", err)
	}
	return &index{dir: dir, db: db, logger: logger, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), ended: make(chan struct{}), changed: make(chan struct{})}, nil
}

// start catches up with the log and then follows it.
func (ix *index) start(log *segment.Log) error {
	size, err := ix.readSize()
	if err != nil {
		return err
	}
	if size > log.Size() {
		// The log was restored from an older copy: what the index says beyond it is not true.
		ix.logger.Warn("journal index is ahead of the journal and is rebuilt", "indexed", size, "records", log.Size())
		if err := ix.db.DropAll(); err != nil {
			return fmt.Errorf("dropping journal index: %w", err)
		}
		size = 0
	}
	ix.size = size
	ctx, cancel := context.WithCancel(context.Background())
	ix.stop = cancel
	if err := ix.catchUp(ctx, log); err != nil {
		cancel()
		close(ix.ended)
		return err
	}
	go func() {
		defer close(ix.ended)
		for {
			if !ix.idle(ctx) {
				return
			}
			if err := ix.catchUp(ctx, log); err != nil && ctx.Err() == nil {
				ix.logger.Error("journal index has stopped and with it the journal; the next start brings it up to date", "error", err)
				ix.advance(ix.size, err)
				return
			}
		}
	}()
	return nil
}

// idle waits until there is something to index; it reports false when the index is to close.
func (ix *index) idle(ctx context.Context) bool {
	select {
	case <-ix.hurry:
		return true
	case <-ix.wake:
	case <-ctx.Done():
		return false
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-ix.hurry:
		return true
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (ix *index) close() error {
	if ix.stop != nil {
		ix.stop()
		<-ix.ended
	}
	ix.advance(ix.size, errIndexClosed)
	if err := badgerdir.Close(ix.db, room); err != nil {
		return fmt.Errorf("closing journal index: %w", err)
	}
	return nil
}

// offer says that the log has grown.
func (ix *index) offer() {
	select {
	case ix.wake <- struct{}{}:
	default:
	}
}

func (ix *index) advance(size int64, err error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.size, ix.err = size, err
	close(ix.changed)
	ix.changed = make(chan struct{})
}

// failed is why the index has stopped; nil while it follows, and when it was closed.
func (ix *index) failed() error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if errors.Is(ix.err, errIndexClosed) {
		return nil
	}
	return ix.err
}

// wait returns when the first size records are indexed.
func (ix *index) wait(size int64) error {
	for {
		ix.mu.Lock()
		done, err, changed := ix.size >= size, ix.err, ix.changed
		ix.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case ix.hurry <- struct{}{}:
		default:
		}
		<-changed
	}
}

func (ix *index) catchUp(ctx context.Context, log *segment.Log) error {
	for ix.size < log.Size() {
		if err := room(ix.dir); err != nil {
			return fmt.Errorf("indexing journal: %w", err)
		}
		txn := ix.db.NewTransaction(true)
		next, err := ix.fill(ctx, txn, log)
		if err == nil {
			err = txn.Commit()
		}
		txn.Discard()
		if err != nil {
			return fmt.Errorf("indexing journal: %w", err)
		}
		ix.advance(next, nil)
	}
	return nil
}

var errBulk = errors.New("transaction is full")

// fill puts up to bulk records into a transaction.
func (ix *index) fill(ctx context.Context, txn *badger.Txn, log *segment.Log) (next int64, err error) {
	next = ix.size
	size, root, err := acceptedIn(txn)
	if err != nil {
		return 0, err
	}
	err = log.Scan(ctx, ix.size, func(at int64, b []byte) error {
		if at >= ix.size+bulk {
			return errBulk
		}
		r, err := evidence.DecodeRecord(b)
		if err != nil {
			return fmt.Errorf("record %d: %w", at, err)
		}
		answer := r.GetAnswer()
		var intent translog.Hash
		copy(intent[:], answer.GetIntentHash())
		if answer.GetExchangeTreeSize() > size {
			size = answer.GetExchangeTreeSize()
			copy(root[:], answer.GetExchangeRootHash())
		}
		next = at + 1
		return put(txn, intent, at, answer.GetState())
	})
	if err != nil && !errors.Is(err, errBulk) {
		return 0, err
	}
	accepted := append(binary.BigEndian.AppendUint64(nil, uint64(size)), root[:]...)
	if err := txn.Set(keyAccepted, accepted); err != nil {
		return 0, err
	}
	return next, txn.Set(keySize, binary.BigEndian.AppendUint64(nil, uint64(next)))
}

func put(txn *badger.Txn, intent translog.Hash, at int64, state auditv1.AnswerState) error {
	value := binary.BigEndian.AppendUint64(nil, uint64(at))
	switch state {
	case auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN:
		if err := txn.Set(keyOpen(intent), value); err != nil {
			return err
		}
	case auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED, auditv1.AnswerState_ANSWER_STATE_STREAM_CUT:
		if err := txn.Delete(keyOpen(intent)); err != nil {
			return err
		}
	}
	return txn.Set(keyIntent(intent), value)
}

func (ix *index) readSize() (size int64, err error) {
	err = ix.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(keySize)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(b []byte) error {
			if len(b) != 8 {
				return fmt.Errorf("size has %d bytes", len(b))
			}
			size = int64(binary.BigEndian.Uint64(b))
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("reading journal index: %w", err)
	}
	return size, nil
}

func (ix *index) accepted() (size int64, root translog.Hash, err error) {
	err = ix.db.View(func(txn *badger.Txn) (err error) {
		size, root, err = acceptedIn(txn)
		return err
	})
	return size, root, err
}

func acceptedIn(txn *badger.Txn) (size int64, root translog.Hash, err error) {
	item, err := txn.Get(keyAccepted)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, root, nil
	}
	if err != nil {
		return 0, root, fmt.Errorf("reading journal index: %w", err)
	}
	err = item.Value(func(b []byte) error {
		if len(b) != 8+len(root) {
			return fmt.Errorf("accepted tree has %d bytes", len(b))
		}
		size = int64(binary.BigEndian.Uint64(b))
		copy(root[:], b[8:])
		return nil
	})
	return size, root, err
}

func (ix *index) find(intent translog.Hash) (at int64, ok bool, err error) {
	err = ix.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(keyIntent(intent))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		return item.Value(func(b []byte) error {
			at = int64(binary.BigEndian.Uint64(b))
			return nil
		})
	})
	if err != nil {
		return 0, false, fmt.Errorf("reading journal index: %w", err)
	}
	return at, ok, nil
}

func (ix *index) used(intent translog.Hash) (used bool, err error) {
	err = ix.db.View(func(txn *badger.Txn) error {
		for _, key := range [][]byte{keyIntent(intent), keySpent(intent)} {
			_, err := txn.Get(key)
			if err == nil {
				used = true
				return nil
			}
			if !errors.Is(err, badger.ErrKeyNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("reading journal index: %w", err)
	}
	return used, nil
}

// spend remembers intents that will never be answered, durably.
func (ix *index) spend(intents []translog.Hash) error {
	if len(intents) == 0 {
		return nil
	}
	if err := room(ix.dir); err != nil {
		return err
	}
	return ix.db.Update(func(txn *badger.Txn) error {
		for _, h := range intents {
			if err := txn.SetEntry(badger.NewEntry(keySpent(h), nil).WithTTL(spentFor)); err != nil {
				return err
			}
		}
		return nil
	})
}

// openExports lists the records that began an export which has not ended.
func (ix *index) openExports() (at []int64, err error) {
	err = ix.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte("o")})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if err := it.Item().Value(func(b []byte) error {
				at = append(at, int64(binary.BigEndian.Uint64(b)))
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading journal index: %w", err)
	}
	return at, nil
}
