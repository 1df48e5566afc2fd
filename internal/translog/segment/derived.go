package segment

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/kuasheng/kuasheng/internal/translog"
)

const (
	tileHeight = 8               // as in C2SP tlog-tiles
	tileLevels = 40 / tileHeight // covers maxSize
	hashSize   = tlog.HashSize
)

// derived are the files that make reading fast: the block index, and per tile level (0, 8, 16, …) one file with the
// hashes of that level at their fixed places, so that a full tile of tlog-tiles is 8192 bytes at tile number × 8192.
// Everything in them follows from the segments. They are written through the page cache and are no evidence: what they
// say is checked against signed checkpoints, and where it is wrong they are written again.
type derived struct {
	index blockIndex
	tiles [tileLevels]file
	buf   []byte // of the one goroutine that writes
}

func openDerived(d disk, dir string, id logID) (*derived, error) {
	dir = filepath.Join(dir, derivedDir)
	if err := d.mkdir(dir); err != nil {
		return nil, fmt.Errorf("making derived files: %w", err)
	}
	dv := &derived{index: blockIndex{id: id}}
	var err error
	if dv.index.f, err = d.write(filepath.Join(dir, "blocks")); err != nil {
		return nil, fmt.Errorf("opening block index: %w", err)
	}
	for i := range dv.tiles {
		if dv.tiles[i], err = d.write(filepath.Join(dir, tileName(i))); err != nil {
			return nil, errors.Join(fmt.Errorf("opening tiles: %w", err), dv.close())
		}
	}
	return dv, nil
}

func tileName(i int) string { return fmt.Sprintf("tiles-%02d", i*tileHeight) }

// put adds what one block brought: its hashes and, last, its place.
func (d *derived) put(span *translog.Span, leaves []translog.Hash, number int64, p place) error {
	d.buf = d.buf[:0]
	for i := range leaves {
		d.buf = append(d.buf, leaves[i][:]...)
	}
	if _, err := d.tiles[0].WriteAt(d.buf, span.First()*hashSize); err != nil {
		return fmt.Errorf("writing tiles: %w", err)
	}
	for i := 1; i < tileLevels; i++ {
		level := i * tileHeight
		lo, hi := span.First()>>level, span.Size()>>level
		if lo == hi {
			break
		}
		d.buf = d.buf[:0]
		for n := lo; n < hi; n++ {
			h, ok := span.Node(level, n)
			if !ok {
				return fmt.Errorf("writing tiles: span lacks node %d at level %d: %w", n, level, translog.ErrRange)
			}
			d.buf = append(d.buf, h[:]...)
		}
		if _, err := d.tiles[i].WriteAt(d.buf, lo*hashSize); err != nil {
			return fmt.Errorf("writing tiles: %w", err)
		}
	}
	d.buf = append(d.buf[:0], zeroPage[:placeSize]...)
	p.encode(d.buf, d.index.id)
	if _, err := d.index.f.WriteAt(d.buf, number*placeSize); err != nil {
		return fmt.Errorf("writing block index: %w", err)
	}
	return nil
}

// node returns the perfect subtree [n<<level, (n+1)<<level), which the caller knows to be complete.
func (d *derived) node(level int, n int64) (translog.Hash, error) {
	i := level / tileHeight
	if level < 0 || i >= tileLevels {
		return translog.Hash{}, fmt.Errorf("reading node at level %d: %w", level, translog.ErrRange)
	}
	width := 1 << (level % tileHeight)
	hashes, err := d.hashes(i, n*int64(width), width, nil)
	if err != nil {
		return translog.Hash{}, err
	}
	for len(hashes) > 1 {
		for j := 0; j < len(hashes); j += 2 {
			hashes[j/2] = tlog.NodeHash(hashes[j], hashes[j+1])
		}
		hashes = hashes[:len(hashes)/2]
	}
	return hashes[0], nil
}

// hashes reads n hashes of tile level i from the given one on, appending to buf.
func (d *derived) hashes(i int, from int64, n int, buf []translog.Hash) ([]translog.Hash, error) {
	raw := make([]byte, n*hashSize)
	if _, err := d.tiles[i].ReadAt(raw, from*hashSize); err != nil {
		return nil, fmt.Errorf("reading tiles: %w", err)
	}
	for at := 0; at < len(raw); at += hashSize {
		buf = append(buf, translog.Hash(raw[at:at+hashSize]))
	}
	return buf, nil
}

// edge reads the edge of the tree of the given size.
func (d *derived) edge(size int64) (translog.Edge, error) {
	e := translog.Edge{Size: size}
	for level := tileHeight*tileLevels - 1; level >= 0; level-- {
		if size>>level&1 == 0 {
			continue
		}
		h, err := d.node(level, size>>level-1)
		if err != nil {
			return translog.Edge{}, err
		}
		e.Hashes = append(e.Hashes, h)
	}
	return e, nil
}

// cut shortens the files to a tree of the given size in the given number of blocks.
func (d *derived) cut(size, blocks int64) error {
	if err := d.index.f.Truncate(blocks * placeSize); err != nil {
		return fmt.Errorf("cutting block index: %w", err)
	}
	for i, f := range d.tiles {
		if err := f.Truncate(size >> (i * tileHeight) * hashSize); err != nil {
			return fmt.Errorf("cutting tiles: %w", err)
		}
	}
	return nil
}

func (d *derived) sync() error {
	for _, f := range d.files() {
		if err := f.Sync(); err != nil {
			return fmt.Errorf("syncing derived files: %w", err)
		}
	}
	return nil
}

func (d *derived) close() error {
	var errs []error
	for _, f := range d.files() {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (d *derived) files() []file {
	files := []file{d.index.f}
	for _, f := range d.tiles {
		if f != nil {
			files = append(files, f)
		}
	}
	return files
}
