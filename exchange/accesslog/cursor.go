package accesslog

import (
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// cursor walks the indexes of one term downwards.
type cursor struct {
	it     *badger.Iterator
	prefix []byte
	chunk  []int64 // ascending; the last one found
}

func newCursor(txn *badger.Txn, t term) *cursor {
	prefix := t.prefix()
	return &cursor{prefix: prefix, it: txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: prefix})}
}

func (c *cursor) close() { c.it.Close() }

// seek returns the largest index that is at most x, or -1. From call to call x must not grow.
func (c *cursor) seek(x int64) (int64, error) {
	if x < 0 {
		return -1, nil
	}
	if len(c.chunk) == 0 || c.chunk[0] > x {
		c.it.Seek(indexKey(c.prefix, x))
		if !c.it.Valid() {
			return -1, nil
		}
		item := c.it.Item()
		err := item.Value(func(b []byte) (err error) {
			c.chunk, err = decodeChunk(keyIndex(item.Key()), b, c.chunk)
			return err
		})
		if err != nil {
			return -1, err
		}
	}
	i, found := slices.BinarySearch(c.chunk, x)
	if !found {
		i-- // there is one below: the chunk begins at or below x
	}
	return c.chunk[i], nil
}

// join walks the indexes that all of its terms have, downwards.
type join struct {
	cursors []*cursor
	below   int64 // all indexes from here on have been returned or ruled out
	floor   int64 // none below is wanted
	seeks   int   // how many more are allowed
}

// next returns the next index, or -1 at the end; if the seeks are used up, -1 with below above floor.
func (j *join) next() (int64, error) {
	x, agreed := j.below-1, 0
	for i := 0; agreed < len(j.cursors); i = (i + 1) % len(j.cursors) {
		if x < j.floor {
			j.below = j.floor
			return -1, nil
		}
		if j.seeks--; j.seeks < 0 {
			j.below = x + 1
			return -1, nil
		}
		y, err := j.cursors[i].seek(x)
		if err != nil {
			return -1, err
		}
		if y < x {
			x, agreed = y, 0
		}
		agreed++
	}
	if x < j.floor {
		j.below = j.floor
		return -1, nil
	}
	j.below = x
	return x, nil
}

func (j *join) close() {
	for _, c := range j.cursors {
		c.close()
	}
}
