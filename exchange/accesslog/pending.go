package accesslog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// PendingIntent is a permitted intent without a final outcome: it is under way, or it was cut and only the node's journal knows how it ended.
type PendingIntent struct {
	Index         int64
	Leaf          translog.Hash // which the node's answer record cites
	JournalOrigin string        // of the node that the ticket was meant for
}

// Pending returns the first permitted intents, in the order of the log, that are meant for the node with this journal and have no final
// outcome in the log; after and before exclude themselves. RESULT_INTERRUPTED is not final. To go on, pass the last index as after.
// It is exact as of the call, records not indexed yet included.
func (l *Log) Pending(journalOrigin string, before, after int64, limit int) ([]PendingIntent, error) {
	pending, err := l.pending(journalOrigin, before, after, limit)
	if err != nil {
		return nil, fmt.Errorf("finding pending intents: %w", err)
	}
	return pending, nil
}

func (l *Log) pending(journalOrigin string, before, after int64, limit int) ([]PendingIntent, error) {
	v, err := l.view()
	if err != nil {
		return nil, err
	}
	defer v.close()
	recent, ended, err := v.recent(journalOrigin)
	if err != nil {
		return nil, err
	}
	pending, err := v.waiting(journalOrigin, before, after, limit, ended)
	if err != nil {
		return nil, err
	}
	for _, p := range recent {
		if p.Index > after && p.Index < before && len(pending) < limit {
			pending = append(pending, p)
		}
	}
	return pending, nil
}

// recent finds what the index does not know yet: intents that wait, and indexed ones that have ended.
func (v *view) recent(origin string) (waiting []PendingIntent, ended map[int64]bool, err error) {
	ended = map[int64]bool{}
	err = v.tail(context.Background(), func(index int64, g *gist, record []byte) error {
		switch {
		case g.waits() && string(g.origin) == origin:
			waiting = append(waiting, PendingIntent{index, translog.LeafHash(record), origin})
		case g.kind == kindOutcome && g.final():
			ended[g.intent] = true
		}
		return nil
	})
	waiting = slices.DeleteFunc(waiting, func(p PendingIntent) bool { return ended[p.Index] })
	return waiting, ended, err
}

// waiting reads the indexed intents that wait.
func (v *view) waiting(origin string, before, after int64, limit int, ended map[int64]bool) ([]PendingIntent, error) {
	it := v.txn.NewIterator(badger.IteratorOptions{Prefix: []byte{keyWaiting}})
	defer it.Close()
	var pending []PendingIntent
	for it.Seek(waitingKey(max(after+1, 0))); it.Valid() && len(pending) < limit; it.Next() {
		index := keyIndex(it.Item().Key())
		if index >= before {
			break
		}
		var p PendingIntent
		err := it.Item().Value(func(b []byte) (err error) {
			p.Leaf, p.JournalOrigin, err = leafOf(b)
			return err
		})
		if err != nil {
			return nil, err
		}
		if p.JournalOrigin == origin && !ended[index] {
			p.Index = index
			pending = append(pending, p)
		}
	}
	return pending, nil
}

// leafOf takes the value of a waiting intent apart.
func leafOf(value []byte) (leaf translog.Hash, origin string, err error) {
	if len(value) < len(leaf) {
		return leaf, "", fmt.Errorf("reading a waiting intent: %w", errDamaged)
	}
	copy(leaf[:], value)
	return leaf, string(value[len(leaf):]), nil
}

// Used is how many requests were permitted under a grant on a day in China ("20060102"), those that only replaced another one left out. It
// is exact for everything that was durable when the log was opened; what comes later is added within a fraction of a second, so who
// decides on quotas counts that himself.
func (l *Log) Used(grant, day string) (int64, error) {
	if len(day) != len(dayFormat) || grant == "" {
		return 0, nil
	}
	var n int64
	err := l.index.db.View(func(txn *badger.Txn) (err error) {
		n, err = readNumber(txn, quotaKey(day, grant))
		return err
	})
	if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
		return 0, fmt.Errorf("counting the use of grant %q: %w", grant, err)
	}
	return n, nil
}
