package accesslog

import (
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Accesses are listed in the order of the log, which is nearly that of their times but not quite: writers race, and clocks are set back.
// So time narrows a list in two steps: the periods that cover the wanted time say between which indexes its accesses are, and the time of
// each record decides. Periods of four lengths make that exact to a second, however long the log, with a few hundred keys.

// longest is the length of the longest period in seconds.
const longest = 86400

// widths are the lengths of periods in seconds, each a multiple of the one before; the level in a key is the position here.
var widths = [...]int64{1, 60, 3600, longest}

// period is one stretch of time, aligned to its length.
type period struct {
	level byte
	start int64 // Unix seconds
}

func (p period) key() []byte {
	// Flipping the sign bit puts times before 1970, which a broken clock can yield, in front of the others.
	return binary.BigEndian.AppendUint64([]byte{keyPeriod, p.level}, uint64(p.start)^1<<63)
}

// extent is the span of indexes in which accesses of a period lie, both ends included. Others may lie between them.
type extent struct{ first, last int64 }

func (e extent) with(o extent) extent { return extent{min(e.first, o.first), max(e.last, o.last)} }

func (e extent) encode() []byte {
	return binary.BigEndian.AppendUint64(number(e.first), uint64(e.last))
}

func parseExtent(b []byte) (extent, error) {
	if len(b) != 16 {
		return extent{}, fmt.Errorf("reading an extent of %d bytes: %w", len(b), errDamaged)
	}
	e := extent{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}
	if e.first < 0 || e.last < e.first {
		return extent{}, fmt.Errorf("reading an extent: %w", errDamaged)
	}
	return e, nil
}

// floor rounds down to a multiple of width, for negative numbers too.
func floor(seconds, width int64) int64 {
	r := seconds % width
	if r < 0 {
		r += width
	}
	return seconds - r
}

// periods finds the extent of the accesses made from second start to before second end. ok is false where there are none.
func periods(txn *badger.Txn, start, end int64) (e extent, ok bool, err error) {
	scan := func(level int, from, to int64) {
		if err != nil || from >= to {
			return
		}
		var found extent
		var some bool
		if found, some, err = scanPeriods(txn, byte(level), from, to); some && ok {
			e = e.with(found)
		} else if some {
			e, ok = found, true
		}
	}
	for level := range widths {
		if level == len(widths)-1 {
			scan(level, start, end)
			break
		}
		// What the next length cannot cover at the two ends is left to this one.
		wide := widths[level+1]
		left, right := floor(start+wide-1, wide), floor(end, wide)
		if left >= right {
			scan(level, start, end)
			break
		}
		scan(level, start, left)
		scan(level, right, end)
		start, end = left, right
	}
	return e, ok, err
}

func scanPeriods(txn *badger.Txn, level byte, from, to int64) (e extent, ok bool, err error) {
	opt := badger.DefaultIteratorOptions
	opt.PrefetchValues = false
	opt.Prefix = []byte{keyPeriod, level}
	it := txn.NewIterator(opt)
	defer it.Close()
	limit := string(period{level, to}.key())
	for it.Seek(period{level, from}.key()); it.Valid() && string(it.Item().Key()) < limit; it.Next() {
		var found extent
		err := it.Item().Value(func(b []byte) (err error) {
			found, err = parseExtent(b)
			return err
		})
		if err != nil {
			return extent{}, false, err
		}
		if ok {
			found = found.with(e)
		}
		e, ok = found, true
	}
	return e, ok, nil
}
