package accesslog

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// ErrBehind means that the index lags so far behind the log that it cannot be read: it cannot be written, and the operations log says why.
var ErrBehind = errors.New("access log index is behind the log")

// maxTail bounds the records that a reader scans because they are not indexed yet: at full load a few thousand. 65,536 take about a
// tenth of a second.
const maxTail = 65536

// near is how far apart two records are that are read in one go: a block holds at most about as many.
const near = 1024

// errEnough ends a scan.
var errEnough = errors.New("enough")

// view is one look at the log: the index as of one moment, and the records behind it up to size.
type view struct {
	log     *Log
	txn     *badger.Txn
	indexed int64
	size    int64
}

// view must be closed.
func (l *Log) view() (*view, error) {
	if l.index.db.IsClosed() {
		return nil, fmt.Errorf("reading the index: %w", segment.ErrClosed)
	}
	v := &view{log: l, txn: l.index.db.NewTransaction(false)}
	var err error
	if v.indexed, err = covered(v.txn); err != nil {
		v.close()
		return nil, err
	}
	v.size = l.segment.Size() // after the transaction began, so that nothing lies between index and tail
	if v.size-v.indexed > maxTail {
		v.close()
		return nil, fmt.Errorf("reading %d records behind the index: %w", v.size-v.indexed, ErrBehind)
	}
	return v, nil
}

func (v *view) close() { v.txn.Discard() }

// tail calls fn for every record that the index does not cover, in order. Gist and record are valid during the call.
func (v *view) tail(ctx context.Context, fn func(index int64, g *gist, record []byte) error) error {
	if v.indexed == v.size {
		return nil
	}
	var g gist
	err := v.log.segment.Scan(ctx, v.indexed, func(index int64, record []byte) error {
		if index >= v.size {
			return errEnough
		}
		if err := g.read(record); err != nil {
			return fmt.Errorf("record %d: %w", index, err)
		}
		return fn(index, &g, record)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("reading the end of the log: %w", err)
	}
	return nil
}

// outcome finds the last outcome of an intent, or -1. tail holds those that the index does not cover.
func (v *view) outcome(intent int64, tail map[int64]int64) (int64, error) {
	if index, ok := tail[intent]; ok {
		return index, nil
	}
	index, err := readNumber(v.txn, outcomeKey(intent))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return -1, nil
	}
	return index, err
}

// records calls fn for the records at ascending indexes. Those that lie close together were probably committed together and are read in one
// go, by block; one that lies alone is read alone, which spares hashing its neighbours.
func (l *Log) records(ctx context.Context, indexes []int64, fn func(index int64, record []byte) error) error {
	for len(indexes) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		wanted := indexes[0]
		if len(indexes) == 1 || indexes[1] > wanted+near {
			record, err := l.segment.Record(wanted)
			if err != nil {
				return err
			}
			if err := fn(wanted, record); err != nil {
				return err
			}
			indexes = indexes[1:]
			continue
		}
		err := l.segment.Scan(ctx, wanted, func(index int64, record []byte) error {
			switch {
			case len(indexes) == 0, indexes[0] > index+near:
				return errEnough
			case index < indexes[0]:
				return nil
			}
			indexes = indexes[1:]
			return fn(index, record)
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if len(indexes) > 0 && indexes[0] == wanted {
			return fmt.Errorf("record %d: %w", wanted, ErrNotFound)
		}
	}
	return nil
}
