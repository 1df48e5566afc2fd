package badgerdir

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
)

func open(dir string) (*badger.DB, error) {
	return badger.Open(badger.DefaultOptions(dir).WithSyncWrites(true).WithMemTableSize(8 << 20).WithValueLogFileSize(1 << 20).WithLogger(nil))
}

func mustOpen(t *testing.T, dir string) *badger.DB {
	t.Helper()
	db, err := open(dir)
	check(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, db *badger.DB, key string) {
	t.Helper()
	check(t, db.Update(func(txn *badger.Txn) error { return txn.Set([]byte(key), []byte("value")) }))
}

func holds(t *testing.T, db *badger.DB, key string) {
	t.Helper()
	err := db.View(func(txn *badger.Txn) error {
		_, err := txn.Get([]byte(key))
		return err
	})
	if err != nil {
		t.Errorf("reading %q: %v", key, err)
	}
}

// sizes lists a directory's files.
func sizes(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	files, err := os.ReadDir(dir)
	check(t, err)
	found := map[string]int64{}
	for _, f := range files {
		info, err := f.Info()
		check(t, err)
		found[f.Name()] = info.Size()
	}
	return found
}

func TestRoom(t *testing.T) {
	dir := t.TempDir()
	check(t, Room(dir, 1))
	if err := Room(dir, math.MaxUint64); !errors.Is(err, ErrDiskFull) {
		t.Errorf("with less than is wanted: %v, want ErrDiskFull", err)
	}
	if err := Room(filepath.Join(dir, "none"), 1); err == nil || errors.Is(err, ErrDiskFull) {
		t.Errorf("where there is no directory: %v, want an error other than ErrDiskFull", err)
	}
}

// TestClose holds that closing on a full disk writes nothing, and that what was committed is there for the next process all the same.
func TestClose(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir)
	put(t, db, "a")
	before := sizes(t, dir)
	asked := ""
	err := Close(db, func(dir string) error { asked = dir; return ErrDiskFull })
	if !errors.Is(err, ErrDiskFull) || asked != dir {
		t.Errorf("closing on a full disk: %v after asking about %q, want ErrDiskFull after %q", err, asked, dir)
	}
	if diff := cmp.Diff(before, sizes(t, dir)); diff != "" || db.IsClosed() {
		t.Errorf("the database was touched (-before +after):\n%s", diff)
	}
	// The copy is what the next process would find if this one ended now.
	ended := filepath.Join(t.TempDir(), "copy")
	check(t, os.CopyFS(ended, os.DirFS(dir)))
	holds(t, mustOpen(t, ended), "a")

	check(t, Close(db, func(string) error { return nil }))
	if !db.IsClosed() {
		t.Error("the database is still open although there is room")
	}
}

// TestRemoveEmpty lays each empty file that a kill can leave where Badger's next log goes. That Badger takes none of them for its own is asked
// as well: if a later version does, RemoveEmpty can go.
func TestRemoveEmpty(t *testing.T) {
	for _, name := range []string{"00002.mem", "000002.vlog"} {
		t.Run(name, func(t *testing.T) {
			whole := filepath.Join(t.TempDir(), "[a]*?") // no pattern
			check(t, os.Mkdir(whole, 0o700))
			db := mustOpen(t, whole)
			put(t, db, "a")
			check(t, db.Close())
			check(t, os.WriteFile(filepath.Join(whole, name), nil, 0o600))

			alone := filepath.Join(t.TempDir(), "copy")
			check(t, os.CopyFS(alone, os.DirFS(whole)))
			if db, err := open(alone); err == nil {
				db.Close()
				t.Error("Badger opens with an empty log file: there is nothing to remove any more")
			}

			check(t, RemoveEmpty(whole))
			if _, left := sizes(t, whole)[name]; left {
				t.Error("the empty file is still there")
			}
			holds(t, mustOpen(t, whole), "a")
		})
	}
}

func TestRemoveEmptyLeavesTheRest(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir)
	put(t, db, "a")
	for _, name := range []string{"00009.mem", "000009.vlog"} { // as if Badger were making them
		check(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	before := sizes(t, dir)
	check(t, RemoveEmpty(dir))
	if diff := cmp.Diff(before, sizes(t, dir)); diff != "" {
		t.Errorf("of an open database (-before +after):\n%s", diff)
	}

	check(t, db.Close())
	check(t, os.Mkdir(filepath.Join(dir, "d.mem"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "00008.mem"), []byte{0}, 0o600))
	before = sizes(t, dir)
	delete(before, "00009.mem")
	delete(before, "000009.vlog")
	check(t, RemoveEmpty(dir))
	if diff := cmp.Diff(before, sizes(t, dir)); diff != "" {
		t.Errorf("of a closed database (-want +got):\n%s", diff)
	}
	if err := RemoveEmpty(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no directory: %v, want ErrNotExist", err)
	}
}

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	l := Logger(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})), "some store")
	l.Debugf("a")
	l.Infof("b")
	l.Warningf("w%d\n", 1)
	l.Errorf("e%d", 2)
	got := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(got) != 2 || !strings.Contains(got[0], `level=WARN msg="some store" badger=w1`) || !strings.Contains(got[1], `level=ERROR msg="some store" badger=e2`) {
		t.Errorf("logged %q", got)
	}
}
