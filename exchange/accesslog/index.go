package accesslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

const (
	// linger is how long records wait for others to be indexed with. Nobody notices: readers scan what is not indexed yet.
	linger = 200 * time.Millisecond
	// retryDelay is how long the index rests after a failed write: a full disk does not empty faster.
	retryDelay = 2 * time.Second
	// queueCommits and queueBytes bound the commits that wait to be indexed. They stay in memory anyway until their last record has been
	// dispatched; 32 MiB are about 65,000 records, three seconds at full load. What does not fit is read back from the log.
	queueCommits = 1024
	queueBytes   = 32 << 20
	// manyRecords take more than a second to index: whoever waits for the start is told.
	manyRecords = 200_000
)

// errRebuild means that the database cannot be used with this log.
var errRebuild = errors.New("index does not fit the log")

// index makes the log searchable. It stands behind the log and is never evidence: what is lost or damaged is built again from the log.
//
// One goroutine writes it, from start to close, and owns the batch; everything else may be used by anybody.
type index struct {
	dir    string
	logger *slog.Logger
	db     *badger.DB   // nil before start
	log    *segment.Log // nil before start

	queue  chan *segment.Commit
	queued atomic.Int64 // bytes in queue
	missed atomic.Bool  // a commit found no room in queue: read the log

	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended; nil before it starts
	err    error         // its last error, valid after done
}

// openIndex prepares the index in a directory of its own. The database is opened by start: it may be thrown away there, which nobody should
// do before the lock of the log proves that no other process is using it.
func openIndex(dir string, logger *slog.Logger) (*index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	return &index{dir: dir, logger: logger, queue: make(chan *segment.Commit, queueCommits)}, nil
}

// start opens the database, or a new one if it is damaged or does not belong to the log; indexes all that the log holds; and begins to take
// commits. After an error only close may be called.
func (ix *index) start(log *segment.Log) error {
	ix.log = log
	b, err := ix.fill(ix.open())
	if err != nil && !errors.Is(err, errRebuild) && !errors.Is(err, errDamaged) {
		return err
	}
	if err != nil {
		ix.logger.Warn("building the access log's index anew", "records", log.Size(), "reason", err)
		if b, err = ix.fill(ix.renew()); err != nil {
			return fmt.Errorf("renewing the index: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ix.cancel, ix.done = cancel, make(chan struct{})
	go ix.run(ctx, b)
	return nil
}

// fill indexes what the log holds beyond size.
func (ix *index) fill(size int64, err error) (*batch, error) {
	if err != nil {
		return nil, err
	}
	if n := ix.log.Size() - size; n > manyRecords {
		ix.logger.Info("indexing the access log", "records", n)
	}
	b := newBatch(size)
	if err := ix.catchUp(context.Background(), b); err != nil {
		return nil, err
	}
	return b, ix.flush(b)
}

// open opens the database and returns how many records it covers. It trusts nothing: Badger's iterators end silently at a block that they
// cannot read, and an access would be hidden, so all checksums are verified first (a second for 50 million accesses).
//
// Badger goes further with some damage and takes the process down. A marker that outlives such an attempt condemns the database, so that
// one crash, and not a crash at every start, is what a rotten sector costs.
func (ix *index) open() (int64, error) {
	marker := filepath.Join(ix.dir, "opening")
	if _, err := os.Stat(marker); err == nil {
		return 0, fmt.Errorf("%w: opening it did not end well the last time", errDamaged)
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return 0, err
	}
	size, err := ix.openDatabase()
	if err != nil {
		return 0, err
	}
	return size, os.Remove(marker)
}

func (ix *index) openDatabase() (int64, error) {
	db, err := openBadger(ix.dir, ix.logger)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errRebuild, err)
	}
	ix.db = db
	if err := db.VerifyChecksum(); err != nil {
		return 0, fmt.Errorf("%w: %w", errDamaged, err)
	}
	var m meta
	err = db.View(func(txn *badger.Txn) error {
		return read(txn, []byte{keyMeta}, func(b []byte) (err error) {
			m, err = parseMeta(b)
			return err
		})
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, ix.empty()
	}
	if err != nil {
		return 0, err
	}
	if m.size > ix.log.Size() {
		return 0, fmt.Errorf("%w: it covers %d records and the log has %d", errRebuild, m.size, ix.log.Size())
	}
	leaf, err := ix.log.Node(0, m.size-1)
	if err != nil {
		return 0, err
	}
	if leaf != m.leaf {
		return 0, fmt.Errorf("%w: its record %d is another one in the log", errRebuild, m.size-1)
	}
	return m.size, nil
}

// empty reports an error if the database holds anything although it says nothing about its extent.
func (ix *index) empty() error {
	return ix.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		if it.Rewind(); it.Valid() {
			return fmt.Errorf("the index does not say what it covers: %w", errDamaged)
		}
		return nil
	})
}

// renew throws the database away and opens an empty one. A crash on the way leaves less of the old one, which the next start renews.
func (ix *index) renew() (int64, error) {
	if err := ix.closeBadger(); err != nil {
		ix.logger.Warn("closing the old index", "error", err)
	}
	ix.db = nil
	if err := os.RemoveAll(ix.dir); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(ix.dir, 0o700); err != nil {
		return 0, err
	}
	return ix.open()
}

// offer takes a commit. It never blocks: it runs on the log's committer.
func (ix *index) offer(c *segment.Commit) {
	n := size(c)
	if ix.queued.Add(n) <= queueBytes {
		select {
		case ix.queue <- c:
			return
		default:
		}
	}
	ix.queued.Add(-n)
	ix.missed.Store(true)
}

func size(c *segment.Commit) (n int64) {
	for i := range c.Entries {
		n += int64(len(c.Entries[i].Record))
	}
	return n
}

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
			ix.err = nil
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
	ix.queued.Add(-size(c))
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

// close indexes what was offered, waits for the goroutine and closes the database. The log is closed already, so that nothing is offered
// any more.
func (ix *index) close() error {
	var err error
	if ix.done != nil {
		ix.cancel()
		<-ix.done
		err = ix.err
	}
	if err := errors.Join(err, ix.closeBadger()); err != nil {
		return fmt.Errorf("closing the index: %w", err)
	}
	return nil
}

func (ix *index) closeBadger() error {
	if ix.db == nil {
		return nil
	}
	return ix.db.Close()
}

// covered is how many records the index covers, as of a transaction.
func covered(txn *badger.Txn) (int64, error) {
	var m meta
	err := read(txn, []byte{keyMeta}, func(b []byte) (err error) {
		m, err = parseMeta(b)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	return m.size, err
}
