package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/kuasheng/kuasheng/internal/translog"
)

const (
	blockMagic      = "KSLB"
	blockHeaderSize = 64
	recordOverhead  = 5 // length and kind
	kindRecord      = 0
	// maxNote bounds the signed checkpoint in a block: an origin twice, 110 bytes of numbers and one signature.
	maxNote = 1024
	// maxBody bounds the records of a block, so that a damaged length cannot make a reader allocate more.
	maxBody = 64 << 20
	// maxRecord is the largest record a log takes: records describe accesses and never hold payloads.
	maxRecord = 1 << 20
)

// blockHeader describes a block. See the package comment for its bytes.
type blockHeader struct {
	first int64
	time  int64 // Unix nanoseconds
	count uint32
	body  uint32 // bytes of the records with their overhead
	note  uint32
	sum   uint32 // CRC-32C of everything after the header, padding included
}

// size is what the block takes in its segment.
func (h blockHeader) size() int64 {
	return padded(blockHeaderSize + int64(h.body) + int64(h.note))
}

// next is the index after the block's last record.
func (h blockHeader) next() int64 { return h.first + int64(h.count) }

func padded(n int64) int64 { return (n + page - 1) &^ (page - 1) }

// block is a parsed block. Its slices point into the buffer it was parsed from.
type block struct {
	blockHeader
	records [][]byte
	note    []byte
}

// encodeBlock writes a block into b, whose length must be the block's size. It is deterministic.
func encodeBlock(b []byte, id logID, first, time int64, entries []Entry, note []byte) {
	at := blockHeaderSize
	for _, e := range entries {
		binary.BigEndian.PutUint32(b[at:], uint32(len(e.Record)))
		b[at+4] = kindRecord
		at += recordOverhead
		at += copy(b[at:], e.Record)
	}
	body := at - blockHeaderSize
	at += copy(b[at:], note)
	clear(b[at:])

	copy(b, blockMagic)
	binary.BigEndian.PutUint32(b[4:], formatNumber)
	binary.BigEndian.PutUint64(b[8:], uint64(first))
	binary.BigEndian.PutUint64(b[16:], uint64(time))
	binary.BigEndian.PutUint32(b[24:], uint32(len(entries)))
	binary.BigEndian.PutUint32(b[28:], uint32(body))
	binary.BigEndian.PutUint32(b[32:], uint32(len(note)))
	binary.BigEndian.PutUint32(b[36:], crc32.Checksum(b[blockHeaderSize:], castagnoli))
	copy(b[40:], id[:])
	clear(b[56:60])
	binary.BigEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
}

// parseBlockHeader reads the header at the start of b. After it succeeds the lengths can be trusted as written: they
// have their own checksum, so that a block with a damaged body can still be stepped over.
func parseBlockHeader(b []byte, id logID) (blockHeader, error) {
	h, theirs, err := parseAnyHeader(b)
	if err == nil && theirs != id {
		return blockHeader{}, fmt.Errorf("block header: %w", ErrForeign)
	}
	return h, err
}

// sealed reports whether the checksum of the header at the start of b holds, whatever it says.
func sealed(b []byte) bool {
	return len(b) >= blockHeaderSize && string(b[:4]) == blockMagic && crc32.Checksum(b[:60], castagnoli) == binary.BigEndian.Uint32(b[60:])
}

// parseAnyHeader reads the header at the start of b and the id of the log that it names.
func parseAnyHeader(b []byte) (blockHeader, logID, error) {
	if len(b) < blockHeaderSize || string(b[:4]) != blockMagic {
		return blockHeader{}, logID{}, errFormat
	}
	if !sealed(b) {
		return blockHeader{}, logID{}, fmt.Errorf("block header: %w", errChecksum)
	}
	if v := binary.BigEndian.Uint32(b[4:]); v != formatNumber {
		return blockHeader{}, logID{}, fmt.Errorf("block format %d, this version reads %d: %w", v, formatNumber, errFormat)
	}
	h := blockHeader{
		first: int64(binary.BigEndian.Uint64(b[8:])),
		time:  int64(binary.BigEndian.Uint64(b[16:])),
		count: binary.BigEndian.Uint32(b[24:]),
		body:  binary.BigEndian.Uint32(b[28:]),
		note:  binary.BigEndian.Uint32(b[32:]),
		sum:   binary.BigEndian.Uint32(b[36:]),
	}
	switch {
	case h.first < 0 || h.first > maxSize-int64(h.count),
		h.count == 0 || int64(h.body) < int64(h.count)*(recordOverhead+1),
		h.body > maxBody || h.note > maxNote,
		binary.BigEndian.Uint32(b[56:]) != 0:
		return blockHeader{}, logID{}, fmt.Errorf("block header: %w", errFormat)
	}
	return h, logID(b[40:56]), nil
}

// parse reads the block at the start of b, reusing bl's memory.
func (bl *block) parse(b []byte, id logID) error {
	h, err := parseBlockHeader(b, id)
	if err != nil {
		return err
	}
	bl.blockHeader = h
	if int64(len(b)) < h.size() {
		return fmt.Errorf("block of %d bytes where %d are left: %w", h.size(), len(b), errFormat)
	}
	if crc32.Checksum(b[blockHeaderSize:h.size()], castagnoli) != h.sum {
		return errChecksum
	}
	return bl.split(b)
}

// split finds the records and the note of a block whose checksum may or may not hold.
func (bl *block) split(b []byte) error {
	bl.records = bl.records[:0]
	body := b[blockHeaderSize : blockHeaderSize+bl.body]
	for range bl.count {
		if len(body) < recordOverhead {
			return fmt.Errorf("records overrun the block: %w", errFormat)
		}
		n, kind := binary.BigEndian.Uint32(body), body[4]
		body = body[recordOverhead:]
		if kind != kindRecord {
			return fmt.Errorf("record kind %d: %w", kind, errKind)
		}
		if n == 0 || n > maxRecord || int(n) > len(body) {
			return fmt.Errorf("record of %d bytes: %w", n, errFormat)
		}
		bl.records = append(bl.records, body[:n:n])
		body = body[n:]
	}
	if len(body) != 0 {
		return fmt.Errorf("%d bytes after the last record: %w", len(body), errFormat)
	}
	at := blockHeaderSize + bl.body
	bl.note = b[at : at+bl.blockHeader.note]
	return nil
}

// leaves hashes the block's records into buf.
func (bl *block) leaves(buf []translog.Hash) []translog.Hash {
	buf = buf[:0]
	for _, r := range bl.records {
		buf = append(buf, translog.LeafHash(r))
	}
	return buf
}
