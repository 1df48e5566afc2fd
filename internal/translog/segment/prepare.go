package segment

import (
	"errors"
	"fmt"
)

// syncEvery bounds what a preparing segment has in the disk's queue: a commit must not wait behind 64 MiB of zeros.
const syncEvery = 4 << 20

// writer is the segment being written. The committer owns it.
type writer struct {
	f    file
	seq  int64
	at   int64
	size int64
}

// fits reports whether a block of n bytes can go into the segment: a block never straddles two.
func (w *writer) fits(n int64) bool { return w.at+n <= w.size }

// half reports whether it is time to prepare the next segment.
func (w *writer) half() bool { return w.at >= w.size/2 }

// prepared is the outcome of preparing a segment.
type prepared struct {
	w     *writer
	err   error
	final bool // trying again would prove nothing
}

// prepare makes an empty segment file durably and opens it for commits. It appears under its name only when whole, so a
// crash leaves at most an unfinished file that the next opening removes. quit ends it early.
func prepare(d disk, c *chain, head header, quit <-chan struct{}) (*writer, error) {
	seq := int64(head.sequence)
	temporary := c.path(seq) + unfinished
	if err := fill(d, temporary, head, quit); err != nil {
		// Gives the room back; the next opening removes it too.
		return nil, fmt.Errorf("preparing segment %d: %w", seq, errors.Join(err, d.remove(temporary)))
	}
	if err := d.rename(temporary, c.path(seq)); err != nil {
		return nil, fmt.Errorf("preparing segment %d: %w", seq, err)
	}
	if err := d.sync(c.dir); err != nil {
		return nil, fmt.Errorf("preparing segment %d: %w", seq, err)
	}
	return openWriter(d, c, head, page)
}

func openWriter(d disk, c *chain, head header, at int64) (*writer, error) {
	f, err := d.commit(c.path(int64(head.sequence)))
	if err != nil {
		return nil, fmt.Errorf("opening segment %d for writing: %w", head.sequence, err)
	}
	return &writer{f: f, seq: int64(head.sequence), at: at, size: head.size}, nil
}

// fill writes the header and zeros. Real zeros, and not only reserved room: a first write into reserved room changes the
// file's metadata, which costs every later commit a second trip to the disk.
func fill(d disk, name string, head header, quit <-chan struct{}) (err error) {
	f, err := d.write(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(0); err != nil {
		return err
	}
	if err := f.allocate(head.size); err != nil {
		return err
	}
	chunk := make([]byte, min(window, head.size))
	head.encode(chunk[:page])
	for at := int64(0); at < head.size; at += window {
		select {
		case <-quit:
			return ErrClosed
		default:
		}
		if _, err := f.WriteAt(chunk[:min(window, head.size-at)], at); err != nil {
			return err
		}
		clear(chunk[:page])
		if (at+window)%syncEvery == 0 {
			if err := f.Sync(); err != nil {
				return err
			}
		}
	}
	return f.Sync()
}

// erase zeroes the segment durably from offset on, where nothing but the remains of a torn write stands.
func erase(d disk, c *chain, seq, offset int64) (err error) {
	r, err := d.read(c.path(seq))
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := d.commit(c.path(seq))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	b := aligned(window)
	for size := c.heads[seq].size; offset < size; offset += window {
		b = b[:min(window, size-offset)]
		if _, err := r.ReadAt(b, offset); err != nil {
			return err
		}
		if zero(b) {
			continue
		}
		clear(b)
		if _, err := w.WriteAt(b, offset); err != nil {
			return err
		}
	}
	return nil
}
