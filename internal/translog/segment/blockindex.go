package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// placeSize is the size of one entry of the block index.
const placeSize = 32

// place is where a block is.
type place struct {
	first   int64
	count   uint32
	segment int64
	offset  int64
	length  int64
}

func (p place) next() int64 { return p.first + int64(p.count) }

// encode writes p into 32 bytes. The checksum covers the log's id: an index of another log holds no valid entry.
func (p place) encode(b []byte, id logID) {
	binary.BigEndian.PutUint64(b, uint64(p.first))
	binary.BigEndian.PutUint32(b[8:], p.count)
	binary.BigEndian.PutUint64(b[12:], uint64(p.segment))
	binary.BigEndian.PutUint32(b[20:], uint32(p.offset/page))
	binary.BigEndian.PutUint32(b[24:], uint32(p.length/page))
	binary.BigEndian.PutUint32(b[28:], p.sum(b, id))
}

func (place) sum(b []byte, id logID) uint32 {
	return crc32.Update(crc32.Checksum(id[:], castagnoli), castagnoli, b[:28])
}

func parsePlace(b []byte, id logID) (place, bool) {
	p := place{
		first:   int64(binary.BigEndian.Uint64(b)),
		count:   binary.BigEndian.Uint32(b[8:]),
		segment: int64(binary.BigEndian.Uint64(b[12:])),
		offset:  int64(binary.BigEndian.Uint32(b[20:])) * page,
		length:  int64(binary.BigEndian.Uint32(b[24:])) * page,
	}
	return p, p.sum(b, id) == binary.BigEndian.Uint32(b[28:])
}

// blockIndex is the file of places, one per block in order.
type blockIndex struct {
	f  file
	id logID
}

func (x blockIndex) get(i int64) (place, error) {
	var b [placeSize]byte
	if _, err := x.f.ReadAt(b[:], i*placeSize); err != nil {
		return place{}, fmt.Errorf("reading block index entry %d: %w", i, err)
	}
	p, ok := parsePlace(b[:], x.id)
	if !ok {
		return place{}, fmt.Errorf("reading block index entry %d: %w", i, errChecksum)
	}
	return p, nil
}

// find returns the entry, of the first n, of the block that holds record index. It takes log₂ n reads of a cached file:
// nothing is kept in memory however long the log is.
func (x blockIndex) find(index, n int64) (int64, place, error) {
	lo, hi := int64(0), n-1
	for lo < hi {
		mid := (lo + hi + 1) / 2
		p, err := x.get(mid)
		if err != nil {
			return 0, place{}, err
		}
		if p.first <= index {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	p, err := x.get(lo)
	if err != nil {
		return 0, place{}, err
	}
	if index < p.first || index >= p.next() {
		return 0, place{}, fmt.Errorf("finding record %d in the block index: %w", index, errOrder)
	}
	return lo, p, nil
}

// claim returns the tree size that the index's last valid entry speaks of. An entry is only written for a block that is
// durable: segments that end before it have lost acknowledged records. A crash of the machine may leave holes in the
// file, hence the look back over some entries.
func (x blockIndex) claim() (int64, error) {
	size, err := x.f.size()
	if err != nil {
		return 0, fmt.Errorf("reading block index: %w", err)
	}
	const lookBack = 4 * page / placeSize
	n := size / placeSize
	for i := n - 1; i >= 0 && i >= n-lookBack; i-- {
		if p, err := x.get(i); err == nil {
			return p.next(), nil
		}
	}
	return 0, nil
}
