package state

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
)

// childDir, where set, makes this test binary the process that TestKill kills.
const childDir = "STATE_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child commits changes of two keys without end and prints the revision of each that was acknowledged.
func child(dir string) {
	s, err := Open(dir, quiet())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out sync.Mutex
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				id := fmt.Sprint(os.Getpid(), "-", n.Add(1))
				revision, err := s.Commit(context.Background(), Change{
					{Key: GrantKey(id), Value: []byte("x")}, {Key: ResourceKey("provinces/410000/resources/" + id), Value: []byte("x")},
				})
				if err != nil {
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(revision)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill kills a writing process and demands what it acknowledged, whole changes, and revisions without a gap.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := Create(dir, "exchange.example", quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var acknowledged uint64
	for round := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 50+37*round && lines.Scan(); n++ {
			var revision uint64
			if _, err := fmt.Sscan(lines.Text(), &revision); err != nil {
				t.Fatal(err)
			}
			acknowledged = max(acknowledged, revision)
		}
		cmd.Process.Kill()
		cmd.Wait()
		checkWhole(t, dir, acknowledged)
	}
	if acknowledged < 200 {
		t.Errorf("only %d changes were acknowledged: the test showed nothing", acknowledged)
	}
}

func checkWhole(t *testing.T, dir string, acknowledged uint64) {
	t.Helper()
	s, err := Open(dir, quiet())
	if err != nil {
		t.Fatalf("reopening after the kill: %v", err)
	}
	defer s.Close()
	if s.Revision() < acknowledged {
		t.Fatalf("revision %d is on disk, %d was acknowledged", s.Revision(), acknowledged)
	}
	byRevision := make(map[uint64]int)
	for _, prefix := range []Key{Grants, Resources} {
		if err := s.Subscribe(prefix, func(e Entry) error { byRevision[e.Revision]++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for revision := uint64(1); revision <= s.Revision(); revision++ {
		if byRevision[revision] != 2 {
			t.Fatalf("change %d of %d has %d of its 2 keys", revision, s.Revision(), byRevision[revision])
		}
	}
}

// TestFaults lets the disk fail in every way that the committer can meet, and holds what callers were told against what is read back.
func TestFaults(t *testing.T) {
	failed := errors.New("input/output error")
	for _, c := range []struct {
		name   string
		faults faults
		want   error // of the change that meets the fault
		ends   bool  // the store takes no more
		kept   bool  // the change is there after reopening
	}{
		{
			name:   "before: disk full",
			faults: faults{free: func(string) error { return ErrDiskFull }, commit: (*badger.Txn).Commit},
			want:   ErrDiskFull,
		},
		{
			name:   "failed",
			faults: faults{free: room, commit: func(*badger.Txn) error { return failed }},
			want:   ErrFailed, ends: true,
		},
		{
			name: "failed but persisted",
			faults: faults{free: room, commit: func(txn *badger.Txn) error {
				return errors.Join(failed, txn.Commit())
			}},
			want: ErrFailed, ends: true, kept: true,
		},
		{
			name:   "crash after writing",
			faults: faults{free: room, commit: (*badger.Txn).Commit},
			kept:   true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s, err := Create(dir, "exchange.example", quiet())
			if err != nil {
				t.Fatal(err)
			}
			first := commit(t, s, Write{Key: GrantKey("a"), Value: []byte("1")})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err = open(dir, quiet(), c.faults); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			delivered := 0
			if err := s.Subscribe(Grants, func(Entry) error { delivered++; return nil }); err != nil {
				t.Fatal(err)
			}
			_, err = s.Commit(t.Context(), Change{{Key: GrantKey("a"), Expected: first, Value: []byte("2")}})
			if !errors.Is(err, c.want) {
				t.Errorf("Commit: %v, want %v", err, c.want)
			}
			if told := delivered == 2; told != (c.want == nil) {
				t.Errorf("the subscriber was told: %v", told)
			}
			select {
			case <-s.Ended():
				if !c.ends || !errors.Is(s.Err(), ErrFailed) {
					t.Errorf("the store ended: %v", s.Err())
				}
			default:
				if c.ends || s.Err() != nil {
					t.Errorf("the store goes on: %v", s.Err())
				}
			}
			// The copy is what another process would find if this one were killed now.
			crashed := filepath.Join(t.TempDir(), "state")
			if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			again, err := Open(crashed, quiet())
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			want, revision := map[Key]string{"grant/a": "1@1"}, first
			if c.kept {
				want, revision = map[Key]string{"grant/a": "2@2"}, first+1
			}
			if diff := cmp.Diff(want, content(t, again)); diff != "" {
				t.Errorf("after reopening (-want +got):\n%s", diff)
			}
			if next := commit(t, again, Write{Key: GrantKey("b"), Value: []byte("1")}); next != revision+1 {
				t.Errorf("the next change is number %d, want %d", next, revision+1)
			}
		})
	}
}

// TestOpenAfterKillOfOpening lays down the empty log file that a kill during an opening leaves: the next start has to go well.
func TestOpenAfterKillOfOpening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := Create(dir, "exchange.example", quiet())
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, Write{Key: GrantKey("a"), Value: []byte("1")})
	want := content(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "00009.mem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, quiet()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if diff := cmp.Diff(want, content(t, s)); diff != "" {
		t.Errorf("after reopening (-want +got):\n%s", diff)
	}
}

// TestCloseOnFullDisk holds that a store which cannot be closed says so, writes nothing, and has lost nothing for the next process.
func TestCloseOnFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := Create(dir, "exchange.example", quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var full atomic.Bool
	free := func(dir string) error {
		if full.Load() {
			return ErrDiskFull
		}
		return room(dir)
	}
	if s, err = open(dir, quiet(), faults{free: free, commit: (*badger.Txn).Commit}); err != nil {
		t.Fatal(err)
	}
	defer s.db.Close() // what the end of the process does
	commit(t, s, Write{Key: GrantKey("a"), Value: []byte("1")})
	want := content(t, s)
	full.Store(true)
	if err := s.Close(); !errors.Is(err, ErrDiskFull) || s.db.IsClosed() {
		t.Errorf("closing on a full disk: %v, closed: %v, want ErrDiskFull and no", err, s.db.IsClosed())
	}
	if !errors.Is(s.Err(), ErrClosed) {
		t.Errorf("the store still takes changes: %v", s.Err())
	}
	ended := filepath.Join(t.TempDir(), "state")
	if err := os.CopyFS(ended, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	again, err := Open(ended, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if diff := cmp.Diff(want, content(t, again)); diff != "" {
		t.Errorf("after reopening (-want +got):\n%s", diff)
	}
}

// BenchmarkPublish is what a province's first publication costs: entries of a common size from 16 callers.
func BenchmarkPublish(b *testing.B) {
	s := newStore(b)
	value := make([]byte, 2000)
	var mu sync.Mutex
	n := 0
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			n++
			key := GrantKey(fmt.Sprint(n))
			mu.Unlock()
			if _, err := s.Commit(b.Context(), Change{{Key: key, Value: value}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
