package accesslog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// The index's keys. Integers are 8 bytes big-endian; a digest is the first 16 bytes of the SHA-256 of the term, so that a term of any
// length, which callers choose, makes a key of one length. A collision only adds candidates: List looks at the record again.
//
//	key                              value                          what
//	"M"                              version ‖ size ‖ leaf          how far the index goes; leaf hash of the last record it covers
//	"a" ‖ digest("")     ‖ index     chunk                          all accesses
//	"r" ‖ digest(ID)     ‖ index     chunk                          accesses by requester
//	"s" ‖ digest(name)   ‖ index     chunk                          accesses by resource
//	"p" ‖ digest(region) ‖ index     chunk                          accesses by province: the caller's and the resource's
//	"t" ‖ level ‖ start              first index ‖ last index       accesses by time: see period.go
//	"o" ‖ intent                     index of its last outcome
//	"w" ‖ intent                     leaf hash ‖ journal origin     permitted intents without a final outcome (waiting)
//	"q" ‖ day "20060102" ‖ digest    count                          permitted intents of a grant on a day in China
//
// A chunk is the list of the accesses of one batch that have one term. Its key carries the first index, its value the distances between
// neighbours as uvarints. One key per access and term was measured at 105 µs of CPU per query, more than all the rest of the exchange; a
// batch of 4,096 records writes some 10 chunks.
const (
	keyMeta      = 'M'
	keyAll       = 'a'
	keyRequester = 'r'
	keyResource  = 's'
	keyProvince  = 'p'
	keyPeriod    = 't'
	keyOutcome   = 'o'
	keyWaiting   = 'w'
	keyQuota     = 'q'
)

// indexVersion changes with any change of the table above or of what is indexed: an index of another version is rebuilt.
const indexVersion = 1

// errDamaged means that the index holds what nobody wrote. It is rebuilt at the next start.
var errDamaged = errors.New("access log index is damaged")

// digestSize keeps keys short. 128 bits cannot collide by accident.
const digestSize = 16

func digest(term string) [digestSize]byte {
	sum := sha256.Sum256([]byte(term))
	return [digestSize]byte(sum[:digestSize])
}

// term is what a posting list is about.
type term struct {
	kind byte
	text string
}

// prefix begins the keys of all chunks of a term.
func (t term) prefix() []byte {
	d := digest(t.text)
	return append([]byte{t.kind}, d[:]...)
}

func indexKey(prefix []byte, index int64) []byte {
	b := make([]byte, 0, len(prefix)+8)
	return binary.BigEndian.AppendUint64(append(b, prefix...), uint64(index))
}

// keyIndex reads the index at the end of a key.
func keyIndex(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[len(key)-8:])) }

func outcomeKey(intent int64) []byte { return indexKey([]byte{keyOutcome}, intent) }

func waitingKey(intent int64) []byte { return indexKey([]byte{keyWaiting}, intent) }

func quotaKey(day, grant string) []byte {
	d := digest(grant)
	return append(append([]byte{keyQuota}, day...), d[:]...)
}

// number is a value that is one integer.
func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func parseNumber(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("reading a number of %d bytes: %w", len(b), errDamaged)
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// meta says which records the index covers.
type meta struct {
	size int64         // records [0, size)
	leaf translog.Hash // of record size-1: its salt makes it unlike any record of another log or another history
}

func (m meta) encode() []byte {
	b := make([]byte, 0, 17+len(m.leaf))
	b = append(b, indexVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(m.size))
	return append(b, m.leaf[:]...)
}

func parseMeta(b []byte) (meta, error) {
	var m meta
	if len(b) != 9+len(m.leaf) || b[0] != indexVersion {
		return meta{}, fmt.Errorf("reading the extent of an index that this version did not write: %w", errDamaged)
	}
	m.size = int64(binary.BigEndian.Uint64(b[1:]))
	copy(m.leaf[:], b[9:])
	if m.size < 1 || m.size > translog.MaxSize {
		return meta{}, fmt.Errorf("reading an extent of %d records: %w", m.size, errDamaged)
	}
	return m, nil
}

// encodeChunk writes ascending indexes, the first of which stands in the key.
func encodeChunk(indexes []int64) []byte {
	b := make([]byte, 0, 2*len(indexes))
	for i := 1; i < len(indexes); i++ {
		b = binary.AppendUvarint(b, uint64(indexes[i]-indexes[i-1]))
	}
	return b
}

// decodeChunk reads them back into buf.
func decodeChunk(first int64, b []byte, buf []int64) ([]int64, error) {
	buf = append(buf[:0], first)
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		last := buf[len(buf)-1]
		if n <= 0 || d == 0 || d > uint64(translog.MaxSize-last) {
			return nil, fmt.Errorf("reading a chunk: %w", errDamaged)
		}
		buf = append(buf, last+int64(d))
		b = b[n:]
	}
	return buf, nil
}
