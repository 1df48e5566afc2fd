package segment

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Create makes an empty log. It fails with [ErrExists] if anything is in the directory: a log that was damaged or lost is
// never silently begun anew. After a crash in the middle it can be called again.
func Create(cfg Config) (err error) {
	cfg, err = cfg.filled()
	if err != nil {
		return fmt.Errorf("creating log: %w", err)
	}
	d := cfg.disk
	if err := d.mkdir(cfg.Dir); err != nil {
		return fmt.Errorf("creating log: %w", err)
	}
	lock, err := d.lock(filepath.Join(cfg.Dir, lockName))
	if err != nil {
		return fmt.Errorf("creating log: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	names, err := d.list(cfg.Dir)
	if err != nil {
		return fmt.Errorf("creating log: %w", err)
	}
	for _, name := range names {
		if name != lockName && !strings.HasSuffix(name, unfinished) {
			return fmt.Errorf("creating log: %w: %s holds %s", ErrExists, cfg.Dir, name)
		}
	}
	head := header{key: cfg.Verifier.KeyHash(), size: cfg.SegmentSize, origin: cfg.Origin}
	if _, err := rand.Read(head.id[:]); err != nil {
		return fmt.Errorf("creating log: %w", err)
	}
	w, err := prepare(d, &chain{disk: d, dir: cfg.Dir}, head, nil)
	if err != nil {
		return fmt.Errorf("creating log: %w", err)
	}
	return w.f.Close()
}
