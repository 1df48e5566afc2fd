package segment

import (
	"errors"
	"fmt"
	"io"
)

// window is how much a cursor reads at once: large enough to stream, small enough to keep dozens open.
const window = 1 << 20

// errTorn marks a place where no whole block stands although there is something. Whether it is the torn tail of a crash
// or corruption depends on what follows.
var errTorn = errors.New("broken block")

// cursor reads the blocks of one segment file in order.
type cursor struct {
	f     file
	head  header
	path  string
	at    int64 // start of the next block
	buf   []byte
	start int64 // where buf begins in the file
	block block
}

// view returns n bytes of the file at off. They stay valid until the next call.
func (c *cursor) view(off, n int64) ([]byte, error) {
	if off < c.start || off+n > c.start+int64(len(c.buf)) {
		want := min(max(n, window), c.head.size-off)
		if int64(cap(c.buf)) < want {
			c.buf = make([]byte, want)
		}
		c.buf, c.start = c.buf[:want], off
		if _, err := c.f.ReadAt(c.buf, off); err != nil {
			c.buf = c.buf[:0]
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("reading %s at %d: %w", c.path, off, err)
		}
	}
	return c.buf[off-c.start:][:n], nil
}

// next returns the next block, valid until the next call; io.EOF if only zeros follow; an error matching errTorn if
// something else does; any other error if the file cannot be read, which is never taken for the end of the log.
func (c *cursor) next() (*block, error) {
	if c.at == c.head.size {
		return nil, io.EOF
	}
	b, err := c.view(c.at, page)
	if err != nil {
		return nil, err
	}
	if zero(b) {
		return nil, c.end()
	}
	h, err := parseBlockHeader(b, c.head.id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTorn, err)
	}
	if h.size() > c.head.size-c.at {
		return nil, fmt.Errorf("%w: straddles the segment: %w", errTorn, errFormat)
	}
	if b, err = c.view(c.at, h.size()); err != nil {
		return nil, err
	}
	if err := c.block.parse(b, c.head.id); err != nil {
		return nil, fmt.Errorf("%w: %w", errTorn, err)
	}
	c.at += h.size()
	return &c.block, nil
}

// end returns io.EOF if the rest of the segment is zero.
func (c *cursor) end() error {
	if err := c.blank(c.at); err != nil {
		return err
	}
	return io.EOF
}

// blank fails with errHole if anything but zeros stands in the segment from off on.
func (c *cursor) blank(off int64) error {
	for ; off < c.head.size; off += window {
		b, err := c.view(off, min(window, c.head.size-off))
		if err != nil {
			return err
		}
		if !zero(b) {
			return fmt.Errorf("%w: %w", errTorn, errHole)
		}
	}
	return nil
}

// again drops what was read ahead and returns the block at c.at as it is by now.
func (c *cursor) again() (*block, error) {
	c.buf = c.buf[:0]
	return c.next()
}
