package accesslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
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
	// queueCommits and queueBytes bound the commits that wait to be indexed: 32 MiB are about 65,000 records, three seconds at full load.
	// What does not fit is read back from the log.
	queueCommits = 1024
	queueBytes   = 32 << 20
	// manyRecords take more than a second to index: whoever waits for the start is told.
	manyRecords = 200_000
)

// index makes the log searchable. It stands behind the log and is never evidence: what is lost or damaged is built again from the log.
//
// One goroutine writes it, from start to close, and owns the batch; everything else may be used by anybody.
type index struct {
	dir    string
	logger *slog.Logger
	db     *badger.DB             // nil before start
	log    *segment.Log           // nil before start
	room   func(dir string) error // room; tests fill the disk

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
	return &index{dir: dir, logger: logger, room: room, queue: make(chan *segment.Commit, queueCommits)}, nil
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

// offer takes a commit. It never blocks: it runs on the log's committer.
func (ix *index) offer(c *segment.Commit) {
	n := weight(c)
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

// weight is what a commit's records take in the queue.
func weight(c *segment.Commit) (n int64) {
	for i := range c.Entries {
		n += int64(len(c.Entries[i].Record))
	}
	return n
}

// close indexes what was offered, waits for the goroutine and closes the database, unless the disk is full. The log is closed already, so
// that nothing is offered any more.
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
