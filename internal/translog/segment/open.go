package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// Open opens a log that [Create] made and verifies it: every block since the segment before the last, the whole tree
// against the last checkpoint, and the checkpoint's signature. The torn tail of a crash is cut off durably; anything
// else that is not as it was written is refused with a [*Fault], and nothing is changed.
//
// Open fails with ErrNotExist if there is no log, ErrLocked if another process has it, ErrForeign if it is another
// origin's or key's, ErrLost if the segments end before a commit that the block index remembers.
func Open(cfg Config) (*Log, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	if _, err := cfg.disk.list(cfg.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening log: %w: %s: it is made once, with init", ErrNotExist, cfg.Dir)
	}
	lock, err := cfg.disk.lock(filepath.Join(cfg.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("opening log %s: %w", cfg.Dir, err)
	}
	l, err := openLocked(cfg, lock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening log %s: %w", cfg.Dir, err), lock.Close())
	}
	return l, nil
}

func openLocked(cfg Config, lock io.Closer) (*Log, error) {
	if err := sweep(cfg.disk, cfg.Dir); err != nil {
		return nil, err
	}
	c, err := loadChain(cfg.disk, cfg.Dir, cfg.Origin, cfg.Verifier)
	if err != nil {
		return nil, err
	}
	d, err := openDerived(cfg.disk, cfg.Dir, c.heads[0].id)
	if err != nil {
		return nil, err
	}
	l, err := recovered(cfg, c, d, lock)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return l, nil
}

// sweep removes a segment in the making that a crash left.
func sweep(d disk, dir string) error {
	names, err := d.list(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, segmentPrefix) && strings.HasSuffix(name, unfinished) {
			if err := d.remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// recovered verifies the log, cuts a torn tail and starts the committer. Nothing is cut before everything is verified.
func recovered(cfg Config, c *chain, d *derived, lock io.Closer) (*Log, error) {
	claim, err := d.index.claim()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	r := &replay{chain: c, derived: d}
	if err := r.last(); errors.Is(err, errDerived) {
		cfg.Logger.Warn("rebuilding derived files of log", "origin", cfg.Origin, "cause", err)
		if err := r.all(); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if claim > r.edge.Size {
		return nil, fmt.Errorf("%w: segments end at size %d, the block index knows a commit up to %d: "+
			"restore the segments; only removing %s accepts the loss", ErrLost, r.edge.Size, claim, filepath.Join(cfg.Dir, derivedDir))
	}
	if r.end.torn != nil {
		cfg.Logger.Warn("cutting torn tail of log", "origin", cfg.Origin, "file", c.path(r.end.segment),
			"offset", r.end.offset, "size", r.edge.Size, "cause", r.end.torn)
		if err := erase(cfg.disk, c, r.end.segment, r.end.offset); err != nil {
			return nil, fmt.Errorf("cutting torn tail: %w", err)
		}
	}
	if err := d.cut(r.edge.Size, r.blocks); err != nil {
		return nil, err
	}
	// The next opening may build on all but the last two segments' derived files.
	if err := d.sync(); err != nil {
		return nil, err
	}
	cfg.Logger.Info("opened log", "origin", cfg.Origin, "size", r.edge.Size, "blocks", r.blocks,
		"segments", len(c.heads), "took", time.Since(start))
	return newLog(cfg, c, d, lock, r)
}
