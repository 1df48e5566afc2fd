package segment

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const (
	segmentPrefix = "segment-"
	unfinished    = ".tmp" // a segment in the making: no block was ever in it
	lockName      = "lock"
	derivedDir    = "derived"
)

func segmentName(sequence int64) string { return fmt.Sprintf("%s%08d", segmentPrefix, sequence) }

// chain is the row of segment files of one log.
type chain struct {
	disk     disk
	dir      string
	verifier note.Verifier
	heads    []header
}

// loadChain reads the header of every segment and checks that they are one log's, with none missing.
func loadChain(d disk, dir, origin string, v note.Verifier) (*chain, error) {
	names, err := d.list(dir)
	if err != nil {
		return nil, fmt.Errorf("listing segments: %w", err)
	}
	slices.Sort(names)
	c := &chain{disk: d, dir: dir, verifier: v}
	for _, name := range names {
		if !strings.HasPrefix(name, segmentPrefix) || strings.HasSuffix(name, unfinished) {
			continue
		}
		seq := int64(len(c.heads))
		if want := segmentName(seq); name != want {
			return nil, &Fault{File: c.path(seq), Index: -1, Err: fmt.Errorf("found %s: %w", name, errMissing)}
		}
		head, err := c.load(seq)
		if err != nil {
			return nil, err
		}
		if err := head.check(c.heads, origin, v); err != nil {
			return nil, &Fault{File: c.path(seq), Index: -1, Err: err}
		}
		c.heads = append(c.heads, head)
	}
	if len(c.heads) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrNotExist, dir)
	}
	return c, nil
}

func (c *chain) path(seq int64) string { return filepath.Join(c.dir, segmentName(seq)) }

func (c *chain) load(seq int64) (header, error) {
	f, err := c.disk.read(c.path(seq))
	if err != nil {
		return header{}, fmt.Errorf("opening segment: %w", err)
	}
	defer f.Close()
	size, err := f.size()
	if err != nil {
		return header{}, fmt.Errorf("opening segment: %w", err)
	}
	if size < page {
		return header{}, &Fault{File: c.path(seq), Index: -1, Err: errSize}
	}
	b := make([]byte, page)
	if _, err := f.ReadAt(b, 0); err != nil {
		return header{}, fmt.Errorf("reading header of %s: %w", c.path(seq), err)
	}
	head, err := parseHeader(b)
	if err == nil && head.size != size {
		err = errSize
	}
	if err != nil {
		return header{}, &Fault{File: c.path(seq), Index: -1, Err: err}
	}
	return head, nil
}

// check reports whether the segment follows earlier ones of this log and key.
func (h header) check(earlier []header, origin string, v note.Verifier) error {
	switch {
	case h.origin != origin:
		return fmt.Errorf("%w: origin is %q, want %q", ErrForeign, h.origin, origin)
	case h.key != v.KeyHash():
		return fmt.Errorf("%w: written with key %08x, the verifier's is %08x", ErrForeign, h.key, v.KeyHash())
	case h.sequence != uint64(len(earlier)):
		return fmt.Errorf("%w: header has number %d", ErrForeign, h.sequence)
	case len(earlier) > 0 && h.id != earlier[0].id:
		return fmt.Errorf("%w: log id differs from the first segment's", ErrForeign)
	}
	return nil
}

// cursor opens segment seq at its first block.
func (c *chain) cursor(seq int64) (*cursor, error) {
	f, err := c.disk.read(c.path(seq))
	if err != nil {
		return nil, fmt.Errorf("opening segment: %w", err)
	}
	return &cursor{f: f, head: c.heads[seq], path: c.path(seq), at: page}, nil
}

// first returns the index of segment seq's first block, or -1 if it begins with none. blank reports that nothing at all
// stands there.
func (c *chain) first(seq int64) (index int64, blank bool, err error) {
	cur, err := c.cursor(seq)
	if err != nil {
		return 0, false, err
	}
	defer cur.f.Close()
	b, err := cur.view(page, page)
	if err != nil {
		return 0, false, err
	}
	if h, err := parseBlockHeader(b, cur.head.id); err == nil {
		return h.first, false, nil
	}
	return -1, zero(b), nil
}
