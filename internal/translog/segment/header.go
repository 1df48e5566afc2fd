package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	page         = 4096 // alignment of everything, the sector size O_DIRECT is sure to accept
	headerMagic  = "KSLOGSEG"
	formatNumber = 1
	headerOrigin = 52
)

// castagnoli is the CRC-32C table: hardware computes it at memory speed.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// logID is drawn at random when a log is created and stands in every segment and block header, so that bytes of
// another log, or of a record that imitates a block, are never taken for blocks of this one.
type logID [16]byte

// header is the first page of a segment file.
type header struct {
	key      uint32 // note key hash
	sequence uint64
	size     int64
	id       logID
	origin   string
}

// encode fills page b, which must be zero.
func (h header) encode(b []byte) {
	copy(b, headerMagic)
	binary.BigEndian.PutUint32(b[8:], formatNumber)
	binary.BigEndian.PutUint32(b[12:], h.key)
	binary.BigEndian.PutUint64(b[16:], h.sequence)
	binary.BigEndian.PutUint64(b[24:], uint64(h.size))
	copy(b[32:], h.id[:])
	binary.BigEndian.PutUint32(b[48:], uint32(len(h.origin)))
	copy(b[headerOrigin:], h.origin)
	binary.BigEndian.PutUint32(b[page-4:], crc32.Checksum(b[:page-4], castagnoli))
}

func parseHeader(b []byte) (header, error) {
	if len(b) != page || string(b[:8]) != headerMagic {
		return header{}, errUnexpected
	}
	if crc32.Checksum(b[:page-4], castagnoli) != binary.BigEndian.Uint32(b[page-4:]) {
		return header{}, errChecksum
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != formatNumber {
		return header{}, fmt.Errorf("format %d, this version reads %d: %w", v, formatNumber, errUnexpected)
	}
	h := header{
		key:      binary.BigEndian.Uint32(b[12:]),
		sequence: binary.BigEndian.Uint64(b[16:]),
		size:     int64(binary.BigEndian.Uint64(b[24:])),
		id:       logID(b[32:48]),
	}
	n := binary.BigEndian.Uint32(b[48:])
	if n > 255 || h.size < 2*page || h.size > maxSegment || h.size%page != 0 {
		return header{}, errFormat
	}
	h.origin = string(b[headerOrigin : headerOrigin+n])
	return h, nil
}

// zero reports whether b holds only zeros.
func zero(b []byte) bool {
	for len(b) > page {
		if !bytes.Equal(b[:page], zeroPage[:]) {
			return false
		}
		b = b[page:]
	}
	return bytes.Equal(b, zeroPage[:len(b)])
}

// zeroPage is never written to.
var zeroPage [page]byte
