package accesslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kuasheng/kuasheng/internal/badgerdir"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// indexDir is where the fixture's index lies.
func (f *fixture) indexDir() string { return filepath.Join(f.cfg.Dir, "index") }

// intact checks everything that is read from the index against the model.
func (f *fixture) intact(stage string) {
	f.Helper()
	f.compare(stage)
	f.comparePending(stage)
	f.compareUsed(stage)
}

func TestIndexIsRebuiltWhenLost(t *testing.T) {
	f := newFixture(t)
	f.random(500)
	f.close()
	f.check(os.RemoveAll(f.indexDir()))
	f.open()
	f.intact("lost")
	f.random(100)
	f.reopen()
	f.intact("after more")
}

// TestIndexAfterCrash copies the log as a crash would leave it, with indexes that are older, newer or of another log.
func TestIndexAfterCrash(t *testing.T) {
	f := newFixture(t)
	f.random(300)
	f.reopen()
	f.random(50)
	crash := t.TempDir()
	copyDir(t, f.cfg.Dir, crash) // nothing was closed, some records are not indexed
	older := len(f.wrote)

	f.random(400)
	f.reopen()
	f.random(20)
	other := newFixture(t)
	other.random(200)
	other.close()

	tests := []struct {
		name    string
		log     string
		index   string
		records int
	}{
		{"killed", crash, crash, older},
		{"killed with an older index", f.cfg.Dir, crash, len(f.wrote)},
		{"restored from a backup, index ahead", crash, f.cfg.Dir, older},
		{"index of another log", crash, other.cfg.Dir, older},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := f.twin(t, tt.records)
			g.cfg.Dir = t.TempDir()
			copyDir(t, filepath.Join(tt.log, "log"), filepath.Join(g.cfg.Dir, "log"))
			copyDir(t, filepath.Join(tt.index, "index"), filepath.Join(g.cfg.Dir, "index"))
			g.open()
			defer g.close()
			g.intact("opened")
			g.random(50)
			g.reopen()
			g.intact("after more")
		})
	}
}

// twin is another fixture with the same keys and the model as it was after n records.
func (f *fixture) twin(t *testing.T, n int) *fixture {
	g := &fixture{T: t, cfg: f.cfg, now: f.now, rand: f.rand, wrote: f.until(n)}
	g.cfg.Now = func() time.Time { return g.now }
	return g
}

// until is the model as it was after n records.
func (f *fixture) until(n int) []entry {
	wrote := append([]entry(nil), f.wrote[:n]...)
	for i := range wrote {
		if wrote[i].kind != "outcome" {
			wrote[i].result = 0
		}
	}
	for _, e := range wrote {
		if e.kind == "outcome" {
			wrote[e.of].result = e.result
		}
	}
	return wrote
}

// childDir and childKey tell the test binary that it is a child of TestIndexIsRebuiltWhenDamaged.
const (
	childDir = "ACCESSLOG_CHILD_DIR"
	childKey = "ACCESSLOG_CHILD_KEY"
)

// TestChildOpens opens a damaged log in a process of its own, which Badger may take down.
func TestChildOpens(t *testing.T) {
	dir, key := os.Getenv(childDir), os.Getenv(childKey)
	if dir == "" {
		t.Skip("runs as a child of TestIndexIsRebuiltWhenDamaged")
	}
	s, v := keys(t, key)
	log, err := Open(Config{Dir: dir, Signer: s, Verifier: v, SegmentSize: 4 << 20, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestIndexIsRebuiltWhenDamaged damages each file of the index. The first start may crash, the second must show everything.
func TestIndexIsRebuiltWhenDamaged(t *testing.T) {
	f := newFixture(t)
	f.random(300)
	f.close()
	whole := t.TempDir()
	copyDir(t, f.indexDir(), whole)
	files, err := os.ReadDir(whole)
	f.check(err)
	for _, file := range files {
		path := filepath.Join(f.indexDir(), file.Name())
		b, err := os.ReadFile(filepath.Join(whole, file.Name()))
		f.check(err)
		damages := map[string]func() error{
			"removed": func() error { return os.Remove(path) },
			"cut":     func() error { return os.Truncate(path, int64(len(b)/2)) },
		}
		if strings.HasSuffix(path, ".sst") || file.Name() == "MANIFEST" {
			damages["emptied"] = func() error { return os.Truncate(path, 0) }
			for _, at := range []int{0, len(b) / 8, len(b) / 2, len(b) - 100, len(b) - 3} {
				if at < 0 || at >= len(b) {
					continue
				}
				c := append([]byte(nil), b...)
				c[at] ^= 0xff
				damages[fmt.Sprintf("flip at %d", at)] = func() error { return os.WriteFile(path, c, 0o600) }
			}
		}
		for name, damage := range damages {
			t.Run(file.Name()+" "+name, func(t *testing.T) {
				g := f.twin(t, len(f.wrote))
				copyDir(t, whole, f.indexDir())
				g.check(damage())
				child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildOpens$")
				child.Env = append(os.Environ(), childDir+"="+f.cfg.Dir, childKey+"="+f.key)
				_ = child.Run()
				g.open()
				defer g.close()
				for name, q := range g.queries() {
					if diff := cmp.Diff(g.model(q), g.pages(q, 1000)); diff != "" {
						t.Errorf("%s %+v (-model +listed):\n%.1000s", name, q, diff)
					}
				}
				g.comparePending("damaged")
				g.compareUsed("damaged")
			})
		}
	}
}

// unstarted returns an index that is open but has no goroutine, and its batch.
func (f *fixture) unstarted() (*index, *batch) {
	f.Helper()
	ix, err := openIndex(f.indexDir(), f.cfg.Logger)
	f.check(err)
	ix.log, err = segment.Open(f.cfg.segments(nil, nil))
	f.check(err)
	size, err := ix.open()
	f.check(err)
	f.Cleanup(func() { ix.log.Close(); ix.closeBadger() })
	return ix, newBatch(size)
}

// commits reads the log's records as commits of n records.
func commits(t *testing.T, log *segment.Log, n int) []*segment.Commit {
	t.Helper()
	var all []*segment.Commit
	err := log.Scan(context.Background(), 0, func(index int64, record []byte) error {
		if len(all) == 0 || len(all[len(all)-1].Entries) == n {
			all = append(all, &segment.Commit{First: index})
		}
		c := all[len(all)-1]
		c.Entries = append(c.Entries, segment.Entry{Index: index, Record: append([]byte(nil), record...)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestIndexFaults drives the index by hand through lost offers and failed writes.
func TestIndexFaults(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name  string
		drive func(t *testing.T, ix *index, b *batch, all []*segment.Commit)
	}{
		{"every commit offered", func(t *testing.T, ix *index, b *batch, all []*segment.Commit) {
			for _, c := range all {
				take(t, ix, b, c)
			}
		}},
		{"a commit missed", func(t *testing.T, ix *index, b *batch, all []*segment.Commit) {
			for i, c := range all {
				if i != 3 {
					take(t, ix, b, c)
				}
			}
			if !ix.missed.Load() {
				t.Error("the gap was not noticed")
			}
		}},
		{"the last commit missed", func(t *testing.T, ix *index, b *batch, all []*segment.Commit) {
			for _, c := range all[:len(all)-1] {
				take(t, ix, b, c)
			}
			ix.queued.Store(queueBytes)
			ix.offer(all[len(all)-1])
		}},
		{"commits offered twice", func(t *testing.T, ix *index, b *batch, all []*segment.Commit) {
			for i, c := range all {
				take(t, ix, b, c)
				take(t, ix, b, all[i/2])
			}
		}},
		{"a write failed", func(t *testing.T, ix *index, b *batch, all []*segment.Commit) {
			for i, c := range all {
				if i == 5 {
					b.broken = true
				}
				take(t, ix, b, c)
			}
		}},
		{"the disk full for a while", func(t *testing.T, ix *index, b *batch, all []*segment.Commit) {
			for _, c := range all[:6] {
				take(t, ix, b, c)
			}
			ix.room = func(string) error { return badgerdir.ErrDiskFull }
			if err := ix.settle(ctx, b); !errors.Is(err, badgerdir.ErrDiskFull) {
				t.Errorf("settling on a full disk: %v, want ErrDiskFull", err)
			}
			b.broken = true // as run has it
			for _, c := range all[6:] {
				take(t, ix, b, c)
			}
			ix.room = room
		}},
		{"a write failed but persisted", func(t *testing.T, ix *index, b *batch, all []*segment.Commit) {
			for i, c := range all {
				take(t, ix, b, c)
				if i == 5 {
					before := *b
					if err := ix.flush(b); err != nil {
						t.Fatal(err)
					}
					*b = before
					b.broken = true
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.random(300)
			f.close()
			f.check(os.RemoveAll(f.indexDir()))
			ix, b := f.unstarted()
			tt.drive(t, ix, b, commits(t, ix.log, 25))
			if err := ix.settle(ctx, b); err != nil {
				t.Fatal(err)
			}
			if b.next != int64(len(f.wrote)) {
				t.Errorf("index covers %d records, want %d", b.next, len(f.wrote))
			}
			f.check(ix.log.Close())
			f.check(ix.closeBadger())
			f.open()
			f.intact("opened")
		})
	}
}

func take(t *testing.T, ix *index, b *batch, c *segment.Commit) {
	t.Helper()
	if err := ix.take(b, c); err != nil {
		t.Fatal(err)
	}
}

// TestBigBatches crosses the bounds of batches and chunks.
func TestBigBatches(t *testing.T) {
	f := newFixture(t)
	f.random(3 * batchRecords)
	if diff := cmp.Diff(f.model(Filter{Region: "410000"}), f.pages(Filter{Region: "410000"}, 1000)); diff != "" {
		t.Errorf("running (-model +listed):\n%.1000s", diff)
	}
	f.close()
	f.check(os.RemoveAll(f.indexDir()))
	f.open()
	for name, q := range f.queries() {
		if diff := cmp.Diff(f.model(q), f.pages(q, 1000)); diff != "" {
			t.Errorf("rebuilt: %s %+v (-model +listed):\n%.1000s", name, q, diff)
		}
	}
	f.comparePending("rebuilt")
	f.compareUsed("rebuilt")
}

// TestFullDiskHidesNothing fills the disk under a running index: what cannot be indexed is scanned.
func TestFullDiskHidesNothing(t *testing.T) {
	f := newFixture(t)
	f.random(200)
	f.close()
	f.check(os.RemoveAll(f.indexDir()))
	ix, b := f.unstarted()
	ix.room = func(string) error { return badgerdir.ErrDiskFull }
	for _, c := range commits(t, ix.log, 50) {
		take(t, ix, b, c)
	}
	if err := ix.settle(context.Background(), b); !errors.Is(err, badgerdir.ErrDiskFull) {
		t.Errorf("settling on a full disk: %v, want ErrDiskFull", err)
	}
	f.log = &Log{cfg: f.cfg, segment: ix.log, index: ix}
	defer func() { f.log = nil }()
	f.compare("disk full")
	f.comparePending("disk full")
	if err := ix.close(); !errors.Is(err, badgerdir.ErrDiskFull) || ix.db.IsClosed() {
		t.Errorf("closing on a full disk: %v, closed: %v, want ErrDiskFull and no", err, ix.db.IsClosed())
	}
	ix.room = room
}

// TestRenewOnFullDisk holds that an index is not thrown away where there is no room for another.
func TestRenewOnFullDisk(t *testing.T) {
	f := newFixture(t)
	f.random(200)
	f.close()
	ix, _ := f.unstarted()
	ix.room = func(string) error { return badgerdir.ErrDiskFull }
	if _, err := ix.renew(); !errors.Is(err, badgerdir.ErrDiskFull) {
		t.Errorf("renewing on a full disk: %v, want ErrDiskFull", err)
	}
	ix.room = room
	f.check(ix.log.Close())
	f.check(ix.closeBadger())
	ix, b := f.unstarted()
	if b.next != int64(len(f.wrote)) {
		t.Errorf("the index covers %d records, want %d: it was thrown away", b.next, len(f.wrote))
	}
	f.check(ix.log.Close())
}

// TestOpenAfterKillOfOpening lays down the empty log file that a kill leaves: no reason to build the index anew.
func TestOpenAfterKillOfOpening(t *testing.T) {
	f := newFixture(t)
	f.random(200)
	f.close()
	f.check(os.WriteFile(filepath.Join(f.indexDir(), "00009.mem"), nil, 0o600))
	ix, b := f.unstarted()
	if b.next != int64(len(f.wrote)) {
		t.Errorf("the index covers %d records, want %d", b.next, len(f.wrote))
	}
	f.check(ix.log.Close())
}
