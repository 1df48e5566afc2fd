package segment

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// batchedLog makes a log of n records in commits of many records each and returns it closed, with its records.
func batchedLog(t *testing.T, cfg Config, n int64) [][]byte {
	t.Helper()
	cfg.MaxBlockRecords = 7
	gate := make(chan struct{})
	cfg.OnCommit = func(*Commit) { <-gate }
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	var want [][]byte
	var last *Batch
	for i := range n {
		var err error
		if last, _, err = l.Add(testRecord(i, 100), nil); err != nil {
			t.Fatal(err)
		}
		want = append(want, testRecord(i, 100))
	}
	close(gate)
	<-last.Done()
	mustClose(t, l)
	return want
}

// rewrite does what only the log's owner can: it alters records and signs every commit anew.
func rewrite(t *testing.T, cfg Config, change func(index int64, record []byte)) {
	t.Helper()
	c, err := loadChain(osDisk{}, cfg.Dir, cfg.Origin, cfg.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	type write struct {
		seq, offset int64
		block       []byte
	}
	var writes []write
	var edge translog.Edge
	if _, err := c.walk(t.Context(), 0, 0, func(seq, offset int64, b *block) error {
		var entries []Entry
		for i, r := range b.records {
			r = bytes.Clone(r)
			change(b.first+int64(i), r)
			entries = append(entries, Entry{Record: r})
			edge.Append(translog.LeafHash(r))
		}
		signed, err := translog.SignCheckpoint(translog.Checkpoint{Origin: cfg.Origin, Size: edge.Size, Root: edge.Root()}, cfg.Signer)
		if err != nil {
			return err
		}
		w := write{seq, offset, make([]byte, b.size())}
		encodeBlock(w.block, c.heads[0].id, b.first, b.time, entries, signed)
		writes = append(writes, w)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, w := range writes {
		edit(t, cfg, segmentName(w.seq), func(b []byte) []byte { copy(b[w.offset:], w.block); return b })
	}
	remove(t, cfg, derivedDir)
}

// treeOf returns the checkpoint of the first size records.
func treeOf(origin string, records [][]byte, size int) translog.Checkpoint {
	var edge translog.Edge
	for _, r := range records[:size] {
		edge.Append(translog.LeafHash(r))
	}
	return translog.Checkpoint{Origin: origin, Size: edge.Size, Root: edge.Root()}
}

// TestKeptCheckpoint gives Verify checkpoints of every size, at the ends of commits and inside them, and then rewrites
// history under them with the log's own key.
func TestKeptCheckpoint(t *testing.T) {
	const n, altered = 40, 23
	cfg := newConfig(t)
	want := batchedLog(t, cfg, n)
	for size := range n + 1 {
		if _, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil, treeOf(cfg.Origin, want, size)); err != nil {
			t.Errorf("size %d of the true log: %v", size, err)
		}
	}
	longer := treeOf(cfg.Origin, append(want, []byte("one more")), n+1)
	if _, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil, longer); !errors.Is(err, ErrShort) || errors.Is(err, ErrCorrupt) {
		t.Errorf("a checkpoint beyond the log: %v", err)
	}

	rewrite(t, cfg, func(index int64, r []byte) {
		if index == altered {
			r[20]++
		}
	})
	if report, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil); err != nil || report.Records != n {
		t.Fatalf("the rewritten log holds together, and Verify without a checkpoint = %v", err)
	}
	forks := 0
	for size := range n + 1 {
		_, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil, treeOf(cfg.Origin, want, size))
		var c *Contradiction
		if got := errors.As(err, &c); got != (size > altered) || got != errors.Is(err, ErrContradicted) {
			t.Errorf("size %d of the rewritten log: %v", size, err)
		}
		if c == nil {
			continue
		}
		cp, err := translog.OpenCheckpoint(c.Signed, cfg.Verifier)
		if err != nil || cp.Size < int64(size) || errors.Is(c, translog.ErrFork) != (cp.Size == int64(size)) {
			t.Errorf("size %d: the log's own note is of size %d: %v, %v", size, cp.Size, c, err)
		}
		if cp.Size == int64(size) {
			forks++
		}
	}
	if forks == 0 || forks == n-altered {
		t.Errorf("%d of the sizes are those of commits: this tested one case only", forks)
	}
	// Several: each is compared.
	_, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil, longer, treeOf(cfg.Origin, want, 30), treeOf(cfg.Origin, want, 3))
	if !errors.Is(err, ErrContradicted) || !errors.Is(err, ErrShort) {
		t.Errorf("Verify with several = %v", err)
	}
}

// TestSignatureReport breaks signatures and asks how far the report counts: no further than what is signed.
func TestSignatureReport(t *testing.T) {
	unsign := func(t *testing.T, cfg Config, from, to int64) {
		c, err := loadChain(osDisk{}, cfg.Dir, cfg.Origin, cfg.Verifier)
		if err != nil {
			t.Fatal(err)
		}
		number := int64(0)
		if _, err := c.walk(t.Context(), 0, 0, func(seq, offset int64, b *block) error {
			if number++; number <= from || number > to {
				return nil
			}
			edit(t, cfg, segmentName(seq), func(data []byte) []byte {
				at := bytes.Index(b.note, []byte("\n\n")) + len(cfg.Origin) + 40
				return forge(int(offset/page), blockHeaderSize+int(b.body)+at)(data)
			})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name     string
		from, to int64 // commits whose signature is broken
	}{
		{"all", 0, 1000}, {"one in the middle", 3, 4}, {"from the middle on", 5, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := newConfig(t)
			mustCreate(t, cfg)
			l := mustOpen(t, cfg)
			fillLog(t, l, 30, 100) // a commit each
			mustClose(t, l)
			unsign(t, cfg, tt.from, tt.to)
			report, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil)
			var f *Fault
			if !errors.As(err, &f) || f.Index != tt.from || f.Count != 1 || !errors.Is(err, translog.ErrCheckpoint) {
				t.Errorf("Verify = %v, want a fault at record %d", err, tt.from)
			}
			if report.Records != tt.from || report.Blocks != tt.from || report.Checkpoint.Size != tt.from {
				t.Errorf("report counts %d records in %d blocks, want %d: %+v", report.Records, report.Blocks, tt.from, report.Checkpoint)
			}
		})
	}
}

// TestVerifyEmpty checks the root of a log without records: that of RFC 6962's empty tree.
func TestVerifyEmpty(t *testing.T) {
	cfg := newConfig(t)
	mustCreate(t, cfg)
	report, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(nil); report.Checkpoint.Root != want || report.Records != 0 || report.FirstRecord != nil {
		t.Errorf("report = %+v, want root %x", report, want)
	}
	if _, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil, translog.Checkpoint{Origin: cfg.Origin}); !errors.Is(err, ErrContradicted) {
		t.Errorf("Verify with another root of size 0 = %v", err)
	}
}

// TestRead reads copies from every index, stops early, and reads nothing of a copy that does not hold.
func TestRead(t *testing.T) {
	const n = 40
	cfg := newConfig(t)
	want := batchedLog(t, cfg, n)
	before := snapshot(t, cfg.Dir)
	for from := range int64(n + 1) {
		var got [][]byte
		report, err := Read(t.Context(), cfg.Dir, cfg.Verifier, from, func(i int64, r []byte) error {
			if i != from+int64(len(got)) {
				t.Errorf("record %d where %d is due", i, from+int64(len(got)))
			}
			got = append(got, bytes.Clone(r))
			return nil
		})
		if err != nil || report.Records != n {
			t.Fatalf("Read from %d = %+v, %v", from, report, err)
		}
		if diff := cmp.Diff(want[from:], got, cmp.Transformer("", func(b [][]byte) int { return len(b) })); diff != "" || !bytes.Equal(bytes.Join(got, nil), bytes.Join(want[from:], nil)) {
			t.Errorf("Read from %d differs: %s", from, diff)
		}
		if !bytes.Equal(report.FirstRecord, want[0]) || !bytes.Equal(report.LastRecord, want[n-1]) {
			t.Error("the report's first or last record is another")
		}
	}
	for _, from := range []int64{-1, n + 1} {
		if _, err := Read(t.Context(), cfg.Dir, cfg.Verifier, from, nil); !errors.Is(err, translog.ErrRange) {
			t.Errorf("Read from %d = %v", from, err)
		}
	}
	stop := errors.New("stop")
	if _, err := Read(t.Context(), cfg.Dir, cfg.Verifier, 3, func(int64, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Read that was stopped = %v", err)
	}
	if diff := cmp.Diff(before, snapshot(t, cfg.Dir)); diff != "" {
		t.Error("Read changed the files")
	}
	edit(t, cfg, segmentName(0), func(b []byte) []byte {
		b[bytes.Index(b, want[20])+30]++
		return b
	})
	if _, err := Read(t.Context(), cfg.Dir, cfg.Verifier, 0, func(int64, []byte) error {
		t.Error("Read shows a record of a broken copy")
		return stop
	}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Read = %v", err)
	}
}

// TestVerifyWhileWritten verifies a log again and again while it grows: what is only being written is no fault.
func TestVerifyWhileWritten(t *testing.T) {
	cfg := newConfig(t)
	cfg.SegmentSize = 600 * page // two windows and more, and no roll
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	written := make(chan error)
	go func() {
		for i := range int64(500) {
			if _, _, err := l.Append(t.Context(), testRecord(i, 100)); err != nil {
				written <- err
				return
			}
		}
		close(written)
	}()
	for last := int64(0); ; {
		report, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil)
		if err != nil || report.Records < last {
			t.Fatalf("Verify after %d records = %d, %v", last, report.Records, err)
		}
		last = report.Records
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}

// FuzzJudge opens logs whose tail is anything: what is signed behind a broken place must never be erased.
func FuzzJudge(f *testing.F) {
	f.Add(uint16(0), []byte{1}, uint8(2))
	f.Add(uint16(40), []byte("0123456789abcdef"), uint8(1))
	f.Add(uint16(page-1), []byte{0, 0, 0, 0, 0, 0, 0, 0}, uint8(0))
	cfg := newConfig(f)
	mustCreate(f, cfg)
	l := mustOpen(f, cfg)
	fillLog(f, l, 4, 100)
	mustClose(f, l)
	name := filepath.Join(cfg.Dir, segmentName(0))
	sound, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, at uint16, change []byte, number uint8) {
		b := append([]byte(nil), sound...)
		offset := (1 + int(number%4)) * page
		n := copy(b[offset+int(at)%page:offset+page], change) // alters one of the four commits
		c := &cursor{f: memory(b), head: header{size: int64(len(b)), origin: cfg.Origin, id: l.chain.heads[0].id}, at: page}
		known := func(note []byte) int64 {
			cp, err := translog.OpenCheckpoint(note, cfg.Verifier)
			if err != nil {
				return -1
			}
			return cp.Size
		}
		index := int64(0)
		for {
			bl, err := c.next()
			if err == nil {
				index = bl.next()
				continue
			}
			if !errors.Is(err, errTorn) {
				return
			}
			break
		}
		cause, err := c.judge(index, known)
		if err != nil {
			t.Fatal(err)
		}
		if behind := 3 - int(number%4); cause == nil && behind > 0 {
			t.Errorf("%d whole commits stand behind the %d bytes altered and pass as an unfinished write", behind, n)
		}
	})
}

// memory is a file that is only read.
type memory []byte

func (m memory) ReadAt(b []byte, off int64) (int, error) { return bytes.NewReader(m).ReadAt(b, off) }
func (memory) WriteAt([]byte, int64) (int, error)        { return 0, os.ErrPermission }
func (memory) Close() error                              { return nil }
func (memory) Sync() error                               { return nil }
func (memory) Truncate(int64) error                      { return os.ErrPermission }
func (m memory) size() (int64, error)                    { return int64(len(m)), nil }
func (memory) allocate(int64) error                      { return os.ErrPermission }
