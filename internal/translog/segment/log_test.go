package segment

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/kuasheng/kuasheng/internal/translog"
)

const testOrigin = "log.example/test"

// newConfig returns the configuration of a log of small segments, three to four one-record blocks each, that does not
// exist yet.
func newConfig(t testing.TB) Config {
	t.Helper()
	skey, vkey, err := translog.GenerateKey(testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := translog.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Dir: filepath.Join(t.TempDir(), "log"), Origin: testOrigin, Signer: signer, Verifier: verifier,
		SegmentSize: 5 * page, MaxBlockBytes: 2 * page,
	}
}

func mustCreate(t testing.TB, cfg Config) {
	t.Helper()
	if err := Create(cfg); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustAppend(t testing.TB, l *Log, record []byte) int64 {
	t.Helper()
	_, index, err := l.Append(t.Context(), record)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// testRecord returns record i, n bytes long.
func testRecord(i int64, n int) []byte {
	b := bytes.Repeat([]byte{byte(i)}, max(n, 8))
	binary.BigEndian.PutUint64(b, uint64(i))
	return b
}

// fillLog appends n records of the given size, one block each, and returns all records of the log.
func fillLog(t testing.TB, l *Log, n, size int) [][]byte {
	t.Helper()
	for range n {
		mustAppend(t, l, testRecord(l.Size(), size))
	}
	var all [][]byte
	if err := l.Scan(t.Context(), 0, func(_ int64, r []byte) error {
		all = append(all, bytes.Clone(r))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// checkWhole reads the whole log in every way there is: records one by one and scanned, root, proofs, Verify. The log
// must begin with want.
func checkWhole(t testing.TB, l *Log, want [][]byte) {
	t.Helper()
	size := l.Size()
	if size < int64(len(want)) {
		t.Fatalf("log holds %d records, %d were acknowledged", size, len(want))
	}
	var edge translog.Edge
	next := int64(0)
	if err := l.Scan(context.Background(), 0, func(i int64, r []byte) error {
		if i != next {
			return fmt.Errorf("record %d where %d is due", i, next)
		}
		if i < int64(len(want)) && !bytes.Equal(r, want[i]) {
			return fmt.Errorf("record %d differs from what was acknowledged", i)
		}
		edge.Append(translog.LeafHash(r))
		next++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if next != size {
		t.Fatalf("scanned %d of %d records", next, size)
	}
	cp, err := translog.OpenCheckpoint(l.Checkpoint(), l.cfg.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	if cp.Size != size || cp.Root != edge.Root() || l.Edge().Root() != edge.Root() {
		t.Fatalf("checkpoint of size %d is not that of the %d records", cp.Size, size)
	}
	for i := int64(0); i < size; i += 1 + size/50 {
		r, err := l.Record(i)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := l.Inclusion(i, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := translog.VerifyInclusion(i, size, translog.LeafHash(r), proof, cp.Root); err != nil {
			t.Fatal(err)
		}
	}
	report, err := Verify(context.Background(), l.cfg.Dir, l.cfg.Verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Records != size || (size > 0 && report.Checkpoint != cp) || report.Torn != nil {
		t.Fatalf("Verify reports %+v, want %d records", report, size)
	}
}

func TestLogLifecycle(t *testing.T) {
	cfg := newConfig(t)
	if _, err := Open(cfg); !errors.Is(err, ErrNotExist) {
		t.Errorf("Open without a directory = %v", err)
	}
	mustCreate(t, cfg)
	if err := Create(cfg); !errors.Is(err, ErrExists) {
		t.Errorf("second Create = %v", err)
	}
	l := mustOpen(t, cfg)
	if _, err := Open(cfg); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open = %v", err)
	}
	if err := Create(cfg); !errors.Is(err, ErrLocked) {
		t.Errorf("Create of an open log = %v", err)
	}
	checkWhole(t, l, nil)
	var want [][]byte
	for i := range 20 { // over several segments
		want = fillLog(t, l, 1+i%3, 100+300*i)
		checkWhole(t, l, want)
		mustClose(t, l)
		if _, _, err := l.Add([]byte("late"), nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Add to a closed log = %v", err)
		}
		if _, err := l.Record(0); !errors.Is(err, ErrClosed) {
			t.Errorf("Record of a closed log = %v", err)
		}
		l = mustOpen(t, cfg)
		checkWhole(t, l, want)
	}
}

func TestAddBounds(t *testing.T) {
	cfg := newConfig(t)
	cfg.MaxPending, cfg.MaxPendingBytes = 3, 2*page
	gate := make(chan struct{})
	cfg.OnCommit = func(*Commit) { <-gate }
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	for _, r := range [][]byte{nil, {}, make([]byte, 2*page-recordOverhead+1)} {
		if _, _, err := l.Add(r, nil); !errors.Is(err, ErrTooLarge) {
			t.Errorf("Add of %d bytes = %v, want ErrTooLarge", len(r), err)
		}
	}
	var batches []*Batch
	add := func(n int) error {
		b, _, err := l.Add(make([]byte, n), nil)
		if err == nil {
			batches = append(batches, b)
		}
		return err
	}
	for range 3 {
		if err := add(100); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(100); !errors.Is(err, ErrFull) {
		t.Errorf("Add beyond MaxPending = %v", err)
	}
	close(gate)
	for _, b := range batches {
		<-b.Done()
	}
	if err := add(2*page - recordOverhead); err != nil {
		t.Errorf("Add of the largest record = %v", err)
	}
	mustClose(t, l)
	<-batches[3].Done()
	if _, err := batches[3].Commit(); err != nil {
		t.Errorf("what was added before Close: %v", err)
	}
}

func TestAppendGivenUp(t *testing.T) {
	cfg := newConfig(t)
	gate := make(chan struct{})
	cfg.OnCommit = func(*Commit) { <-gate }
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := l.Append(ctx, testRecord(0, 30))
	close(gate)
	if !errors.Is(err, ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("Append = %v", err)
	}
	mustClose(t, l)
	checkWhole(t, mustOpen(t, cfg), [][]byte{testRecord(0, 30)})
}

// TestManyAdders has many goroutines add at once, and checks every commit as its receivers do.
func TestManyAdders(t *testing.T) {
	const adders, each = 64, 40
	cfg := newConfig(t)
	cfg.SegmentSize, cfg.MaxBlockBytes, cfg.MaxBlockRecords = 64*page, 8*page, 50
	follower := translog.Follow(cfg.Verifier)
	var tags []any
	cfg.OnCommit = func(c *Commit) {
		var leaves []translog.Leaf
		for i, e := range c.Entries {
			if e.Index != c.First+int64(i) {
				t.Errorf("entry %d has index %d, want %d", i, e.Index, c.First+int64(i))
			}
			leaves = append(leaves, translog.Leaf{Index: e.Index, Hash: translog.LeafHash(e.Record)})
			tags = append(tags, e.Tag)
		}
		if _, err := follower.Accept(c.Checkpoint, leaves, nil); err != nil {
			t.Errorf("following the commit at %d: %v", c.First, err)
		}
	}
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	records := make([][]byte, adders*each)
	var wg sync.WaitGroup
	for a := range adders {
		wg.Go(func() {
			for i := range each {
				r := testRecord(int64(a*each+i), 20+i*7)
				b, slot, err := l.Add(r, a*each+i)
				if err != nil {
					t.Error(err)
					return
				}
				<-b.Done()
				c, err := b.Commit()
				if err != nil {
					t.Error(err)
					return
				}
				index := c.First + int64(slot)
				proof, err := c.Span.Inclusion(index)
				if err != nil {
					t.Error(err)
				}
				if err := translog.VerifyInclusion(index, c.Span.Size(), translog.LeafHash(r), proof, c.Span.Root()); err != nil {
					t.Error(err)
				}
				if got, err := l.Record(index); err != nil || !bytes.Equal(got, r) {
					t.Errorf("Record(%d): %v", index, err)
				}
				records[index] = r
			}
		})
	}
	wg.Wait()
	if len(tags) != adders*each || follower.Checkpoint().Size != adders*each {
		t.Errorf("OnCommit saw %d entries, the follower %d", len(tags), follower.Checkpoint().Size)
	}
	checkWhole(t, l, records)
	mustClose(t, l)
	checkWhole(t, mustOpen(t, cfg), records)
}

// TestProofs compares the log's proofs with tlog's own over the same leaves, with tiles of three levels.
func TestProofs(t *testing.T) {
	const size = 1<<16 + 1<<9 + 300
	cfg := newConfig(t)
	cfg.SegmentSize, cfg.MaxBlockBytes = 1<<20, 1<<17
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	var last *Batch
	for i := range int64(size) {
		r := testRecord(i, 8)
		b, _, err := l.Add(r, nil)
		for errors.Is(err, ErrFull) {
			<-last.Done()
			b, _, err = l.Add(r, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		last = b
		hashes, err := tlog.StoredHashesForRecordHash(i, translog.LeafHash(r), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	<-last.Done()
	check := func(l *Log) {
		t.Helper()
		var b [16]byte
		for range 300 {
			rand.Read(b[:])
			n := 1 + int64(binary.BigEndian.Uint64(b[:])%size)
			m := 1 + int64(binary.BigEndian.Uint64(b[8:])%uint64(n))
			want, err1 := tlog.ProveRecord(n, m-1, reader)
			got, err2 := l.Inclusion(m-1, n)
			if err1 != nil || err2 != nil || fmt.Sprint(got) != fmt.Sprint([]tlog.Hash(want)) {
				t.Fatalf("Inclusion(%d, %d) = %v, %v; want %v, %v", m-1, n, got, err2, want, err1)
			}
			wantTree, err1 := tlog.ProveTree(n, m, reader)
			got, err2 = l.Consistency(m, n)
			if err1 != nil || err2 != nil || fmt.Sprint(got) != fmt.Sprint([]tlog.Hash(wantTree)) {
				t.Fatalf("Consistency(%d, %d) = %v, %v; want %v, %v", m, n, got, err2, wantTree, err1)
			}
			root, err := tlog.TreeHash(n, reader)
			if err != nil {
				t.Fatal(err)
			}
			edge, err := l.EdgeAt(m)
			if err != nil {
				t.Fatal(err)
			}
			proof, err := l.Range(m, n, nil)
			if err != nil {
				t.Fatal(err)
			}
			if after, err := edge.Extend(n, nil, proof); err != nil || after.Root() != root {
				t.Fatalf("extending %d to %d: %v", m, n, err)
			}
		}
	}
	check(l)
	for _, call := range []func() error{
		func() error { _, err := l.Inclusion(size, size); return err },
		func() error { _, err := l.Inclusion(0, size+1); return err },
		func() error { _, err := l.Consistency(1, size+1); return err },
		func() error { _, err := l.Consistency(2, 1); return err },
		func() error { _, err := l.Node(0, size); return err },
		func() error { _, err := l.Node(17, 0); return err },
		func() error { _, err := l.Record(size); return err },
		func() error { _, err := l.Record(-1); return err },
		func() error { _, err := l.EdgeAt(size + 1); return err },
		func() error { _, err := l.CheckpointAt(size + 1); return err },
		func() error { return l.Scan(t.Context(), size+1, nil) },
	} {
		if err := call(); !errors.Is(err, translog.ErrRange) {
			t.Errorf("out of range: %v", err)
		}
	}
	mustClose(t, l)
	check(mustOpen(t, cfg))
}

func TestCheckpointAt(t *testing.T) {
	cfg := newConfig(t)
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	want := map[int64][]byte{}
	for range 6 {
		c, _, err := l.Append(t.Context(), testRecord(0, 50))
		if err != nil {
			t.Fatal(err)
		}
		want[c.Span.Size()] = c.Checkpoint
	}
	for size, signed := range want {
		got, err := l.CheckpointAt(size)
		if err != nil || !bytes.Equal(got, signed) {
			t.Errorf("CheckpointAt(%d) = %q, %v", size, got, err)
		}
	}
}

// TestConfigGrows opens a log whose segments are too small for the blocks of a new configuration.
func TestConfigGrows(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3} {
		cfg := newConfig(t)
		mustCreate(t, cfg)
		l := mustOpen(t, cfg)
		want := fillLog(t, l, n, 100)
		mustClose(t, l)
		cfg.SegmentSize, cfg.MaxBlockBytes = 32*page, 16*page
		l = mustOpen(t, cfg)
		mustAppend(t, l, testRecord(int64(n), 15*page))
		mustClose(t, l)
		l = mustOpen(t, cfg)
		checkWhole(t, l, append(want, testRecord(int64(n), 15*page)))
	}
}

func TestConfigRefused(t *testing.T) {
	other := newConfig(t)
	for name, alter := range map[string]func(*Config){
		"no dir":           func(c *Config) { c.Dir = "" },
		"no signer":        func(c *Config) { c.Signer = nil },
		"no verifier":      func(c *Config) { c.Verifier = nil },
		"other's signer":   func(c *Config) { c.Signer = other.Signer },
		"other's verifier": func(c *Config) { c.Verifier = other.Verifier },
		"other origin":     func(c *Config) { c.Origin = "log.example/other" },
		"odd segment":      func(c *Config) { c.SegmentSize++ },
		"small segment":    func(c *Config) { c.SegmentSize = 2 * page },
		"huge segment":     func(c *Config) { c.SegmentSize = maxSegment + page },
		"negative records": func(c *Config) { c.MaxBlockRecords = -1 },
		"huge block":       func(c *Config) { c.MaxBlockBytes = maxBody + 1 },
		"small queue":      func(c *Config) { c.MaxPendingBytes = 1 },
	} {
		cfg := newConfig(t)
		alter(&cfg)
		if err := Create(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: Create = %v", name, err)
		}
		if _, err := Open(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: Open = %v", name, err)
		}
	}
}
