package segment

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
)

// largestBlock is the most that one write of the log puts on disk.
const largestBlock = (blockHeaderSize + maxBody + maxNote + page - 1) &^ (page - 1)

// judge reports whether what stands at c.at can be the remains of the one write that a crash cut short; first is the
// record that was due there. If it cannot, cause says why. err means that the file could not be read.
//
// Whatever passes here is erased when the log is opened, and is called unfinished when a copy is verified. So whoever
// could make signed commits pass would have the log itself remove the evidence. What a crash leaves is narrow: a part of
// one block, and zeros after it. Sectors of that block may be missing in any order, but those that are there are as the
// log wrote them. Hence:
//
//   - A header whose checksum holds is the torn block's own, or the place was altered: with another id, another first
//     record, or over a whole body, nobody was interrupted.
//   - The torn block may hold its own signed note. Two notes of trees larger than the one before are two commits. They
//     are looked for byte by byte and not by headers, which an attacker can make fit or destroy.
//   - A whole block with a signed note that begins later was committed after this place was, whatever its header's id.
//   - Beyond the end of the torn block, as far as header or note tell it, stand zeros.
//
// One thing is let pass: a block that is not signed, once. A record whose sender made it look like a block must not stop
// the log from opening. Two of them under the log's id, which no sender knows, are not believed.
func (c *cursor) judge(first int64, signed func(note []byte) (size int64)) (cause, err error) {
	extent, cause, err := c.torn(first)
	if cause != nil || err != nil {
		return cause, err
	}
	if followed, err := c.followed(first, signed); err != nil || followed {
		return errNotTorn, err
	}
	end, several, err := c.notes(first, signed)
	if err != nil || several {
		return errNotTorn, err
	}
	if extent == 0 {
		extent = largestBlock
		if end > 0 {
			extent = padded(end - c.at)
		}
	}
	if err := c.blank(c.at + extent); errors.Is(err, errHole) {
		return errNotTorn, nil
	} else if err != nil {
		return nil, err
	}
	return nil, nil
}

// torn looks at the header of the torn block. It returns the block's size, or 0 if the header is not there.
func (c *cursor) torn(first int64) (extent int64, cause, err error) {
	b, err := c.view(c.at, page)
	if err != nil || !sealed(b) {
		return 0, nil, err
	}
	h, err := parseBlockHeader(b, c.head.id)
	switch {
	case err != nil:
		return 0, errPosition, nil // the reader of the block has said what it says
	case h.first != first:
		return 0, fmt.Errorf("%w: %w", errPosition, errOrder), nil
	case h.size() > c.head.size-c.at:
		return 0, fmt.Errorf("%w: %w", errPosition, errFormat), nil
	}
	if b, err = c.view(c.at, h.size()); err != nil {
		return 0, nil, err
	}
	if crc32.Checksum(b[blockHeaderSize:], castagnoli) == h.sum {
		return 0, errNotTorn, nil // whole, and yet no block: made so, or by a later version
	}
	return h.size(), nil, nil
}

// followed reports whether a block begins after c.at that the log committed, or two that claim its id.
func (c *cursor) followed(first int64, signed func(note []byte) int64) (bool, error) {
	var bl block
	own := 0
	for off := c.at + page; off < c.head.size; off += page {
		b, err := c.view(off, page)
		if err != nil {
			return false, err
		}
		h, id, err := parseAnyHeader(b)
		if err != nil || h.size() > c.head.size-off {
			continue
		}
		if id == c.head.id {
			if own++; own > 1 {
				return true, nil
			}
		}
		if b, err = c.view(off, h.size()); err != nil {
			return false, err
		}
		if bl.parse(b, id) == nil && signed(bl.note) > first {
			return true, nil
		}
	}
	return false, nil
}

// notes looks for signed checkpoints of trees of more than first records from c.at on. It returns where the only one
// ends, 0 if there is none, and whether there are several. Checkpoints of older trees may stand in records.
func (c *cursor) notes(first int64, signed func(note []byte) int64) (end int64, several bool, err error) {
	head := []byte(c.head.origin + "\n")
	for off := c.at; off < c.head.size; off += window {
		// A note that begins in this window may end in the next.
		b, err := c.view(off, min(window+maxNote, c.head.size-off))
		if err != nil {
			return 0, false, err
		}
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], head)
			if at += i; i < 0 || at >= window {
				break
			}
			n := noteLength(b[at:])
			if n == 0 || signed(b[at:at+n]) <= first {
				continue
			}
			if end != 0 {
				return 0, true, nil
			}
			end = off + int64(at+n)
		}
	}
	return end, false, nil
}

// noteLength returns the length of what looks like a signed note at the start of b, or 0: a text, an empty line and lines
// of signatures.
func noteLength(b []byte) int {
	b = b[:min(len(b), maxNote)]
	text := bytes.Index(b, []byte("\n\n"))
	if text < 0 {
		return 0
	}
	n := text + 2
	for bytes.HasPrefix(b[n:], []byte("— ")) {
		line := bytes.IndexByte(b[n:], '\n')
		if line < 0 {
			break
		}
		n += line + 1
	}
	if n == text+2 {
		return 0
	}
	return n
}
