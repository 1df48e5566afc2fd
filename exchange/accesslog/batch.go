package accesslog

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/kuasheng/kuasheng/internal/translog"
)

const (
	// batchRecords bounds a batch: as many records as come in a fifth of a second at 20,000 a second. Larger ones save nothing more.
	batchRecords = 4096
	// batchKeys and batchBytes keep a transaction within what Badger takes with the options of openBadger, some 13,000 keys and 1.2 MB,
	// with room for what one more record may add (12 keys, and texts of at most 64 KiB).
	batchKeys  = 8192
	batchBytes = 512 << 10
)

// batch collects what a run of records changes in the index, to be written in one transaction: a batch is in the index whole or not at
// all, together with the size that says so. An access whose outcome comes in the same batch never waits, which saves it two keys.
type batch struct {
	first, next int64  // records [first, next)
	last        []byte // record next-1
	broken      bool   // a write failed: nothing here counts

	postings map[byte]map[string]*[]int64 // kind of key, term
	seconds  map[int64]extent             // accesses by the second of their time
	outcomes map[int64]int64              // intent → its last outcome
	waiting  map[int64][]byte             // intent → value
	ended    []int64                      // intents of earlier batches that got their final outcome
	quota    map[string]int64             // day ‖ grant → count
	keys     int                          // at most what will be written
	bytes    int                          // of texts and values

	gist gist
	key  []byte
}

func newBatch(first int64) *batch {
	b := &batch{}
	b.reset(first)
	return b
}

// reset empties the batch, to begin with record first.
func (b *batch) reset(first int64) {
	*b = batch{
		first: first, next: first, last: b.last[:0], key: b.key[:0], ended: b.ended[:0],
		postings: map[byte]map[string]*[]int64{keyAll: {}, keyRequester: {}, keyResource: {}, keyProvince: {}},
		seconds:  map[int64]extent{}, outcomes: map[int64]int64{}, waiting: map[int64][]byte{}, quota: map[string]int64{},
	}
}

func (b *batch) full() bool {
	return b.next-b.first >= batchRecords || b.keys >= batchKeys || b.bytes >= batchBytes
}

// add takes the next record.
func (b *batch) add(record []byte) error {
	if err := b.gist.read(record); err != nil {
		return fmt.Errorf("indexing record %d: %w", b.next, err)
	}
	if b.gist.access() {
		b.access(record)
	} else {
		b.outcome()
	}
	b.last = append(b.last[:0], record...)
	b.next++
	return nil
}

func (b *batch) access(record []byte) {
	g, index := &b.gist, b.next
	b.post(keyAll, nil)
	b.post(keyRequester, g.requester)
	if len(g.resource) > 0 {
		b.post(keyResource, g.resource)
	}
	if len(g.region) > 0 {
		b.post(keyProvince, g.region)
	}
	if code := g.provider(); code != "" && code != string(g.region) {
		b.post(keyProvince, []byte(code))
	}
	e, ok := b.seconds[g.seconds]
	if !ok {
		e = extent{index, index}
		b.keys += len(widths)
	}
	b.seconds[g.seconds] = e.with(extent{index, index})
	if g.waits() {
		leaf := translog.LeafHash(record)
		b.waiting[index] = append(leaf[:], g.origin...)
		b.keys++
		b.bytes += len(leaf) + len(g.origin)
	}
	if g.counts() {
		b.key = append(append(b.key[:0], day(g.time())...), g.grant...)
		if _, ok := b.quota[string(b.key)]; !ok {
			b.keys++
			b.bytes += len(b.key)
		}
		b.quota[string(b.key)]++
	}
}

func (b *batch) outcome() {
	intent := b.gist.intent
	if _, ok := b.outcomes[intent]; !ok {
		b.keys += 2
	}
	b.outcomes[intent] = b.next
	if !b.gist.final() {
		return
	}
	if intent >= b.first {
		delete(b.waiting, intent)
	} else {
		b.ended = append(b.ended, intent)
	}
}

// post adds the record at hand to the list of a term.
func (b *batch) post(kind byte, text []byte) {
	list, ok := b.postings[kind][string(text)]
	if !ok {
		list = &[]int64{}
		b.postings[kind][string(text)] = list
		b.keys++
		b.bytes += len(text)
	}
	*list = append(*list, b.next)
	b.bytes += 2
}

// write puts the batch into a transaction.
func (b *batch) write(txn *badger.Txn) error {
	var errs []error
	set := func(key, value []byte) { errs = append(errs, txn.Set(key, value)) }
	for kind, terms := range b.postings {
		for text, list := range terms {
			set(indexKey(term{kind, text}.prefix(), (*list)[0]), encodeChunk(*list))
		}
	}
	for intent, outcome := range b.outcomes {
		set(outcomeKey(intent), number(outcome))
	}
	for intent, value := range b.waiting {
		set(waitingKey(intent), value)
	}
	for _, intent := range b.ended {
		errs = append(errs, txn.Delete(waitingKey(intent)))
	}
	errs = append(errs, b.writePeriods(txn), b.writeQuota(txn))
	set([]byte{keyMeta}, meta{b.next, translog.LeafHash(b.last)}.encode())
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return fmt.Errorf("writing records %d to %d to the index: %w", b.first, b.next-1, errs[i])
	}
	return nil
}

func (b *batch) writePeriods(txn *badger.Txn) error {
	all := make(map[period]extent, len(widths)*len(b.seconds))
	for second, e := range b.seconds {
		for level, width := range widths {
			p := period{byte(level), floor(second, width)}
			if had, ok := all[p]; ok {
				all[p] = had.with(e)
			} else {
				all[p] = e
			}
		}
	}
	for p, e := range all {
		err := read(txn, p.key(), func(b []byte) error {
			had, err := parseExtent(b)
			e = e.with(had)
			return err
		})
		if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
			return err
		}
		if err := txn.Set(p.key(), e.encode()); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeQuota(txn *badger.Txn) error {
	for text, n := range b.quota {
		key := quotaKey(text[:len(dayFormat)], text[len(dayFormat):])
		had, err := readNumber(txn, key)
		if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
			return err
		}
		if err := txn.Set(key, number(had+n)); err != nil {
			return err
		}
	}
	return nil
}

// read hands the value of a key to fn. Errors: badger.ErrKeyNotFound and those of fn.
func read(txn *badger.Txn, key []byte, fn func(b []byte) error) error {
	item, err := txn.Get(key)
	if err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	return item.Value(fn)
}

func readNumber(txn *badger.Txn, key []byte) (n int64, err error) {
	err = read(txn, key, func(b []byte) (err error) {
		n, err = parseNumber(b)
		return err
	})
	return n, err
}

const dayFormat = "20060102"

// day is the calendar day in China, by which quotas count. China has one time zone and no summer time, so that no zone data is needed.
func day(t time.Time) string { return t.In(time.FixedZone("Asia/Shanghai", 8*60*60)).Format(dayFormat) }
