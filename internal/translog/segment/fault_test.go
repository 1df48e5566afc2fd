package segment

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// verdict is what a fault does to one call.
type verdict struct {
	err error // returned instead of, or after, doing it
	// done is how many bytes of a write reach the disk before err; -1 is all of them, or that the call takes effect.
	done int
	// late persists the bytes from done on instead of those before it: a device may write its sectors in any order.
	late bool
}

// faultDisk is the machine's disk with calls that hook makes fail. Calls are named like "write segment-00000001.tmp".
type faultDisk struct {
	osDisk
	mu   sync.Mutex
	hook func(call string) *verdict
}

func (d *faultDisk) set(hook func(call string) *verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

func (d *faultDisk) ask(op, name string) *verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hook == nil {
		return nil
	}
	return d.hook(op + " " + filepath.Base(name))
}

// do runs a call that takes effect wholly or not at all.
func (d *faultDisk) do(op, name string, call func() error) error {
	v := d.ask(op, name)
	if v == nil {
		return call()
	}
	if v.done < 0 {
		if err := call(); err != nil {
			return err
		}
	}
	return v.err
}

func (d *faultDisk) open(op, name string, call func(string) (file, error)) (file, error) {
	if v := d.ask(op, name); v != nil {
		return nil, v.err
	}
	f, err := call(name)
	if err != nil {
		return nil, err
	}
	return &faultFile{file: f, disk: d, name: name}, nil
}

func (d *faultDisk) read(name string) (file, error)  { return d.open("open", name, d.osDisk.read) }
func (d *faultDisk) write(name string) (file, error) { return d.open("open", name, d.osDisk.write) }
func (d *faultDisk) commit(name string) (file, error) {
	return d.open("opencommit", name, d.osDisk.commit)
}
func (d *faultDisk) rename(from, to string) error {
	return d.do("rename", to, func() error { return d.osDisk.rename(from, to) })
}
func (d *faultDisk) sync(dir string) error {
	return d.do("syncdir", dir, func() error { return d.osDisk.sync(dir) })
}
func (d *faultDisk) lock(name string) (io.Closer, error) { return d.osDisk.lock(name) }

type faultFile struct {
	file
	disk *faultDisk
	name string
}

func (f *faultFile) WriteAt(b []byte, off int64) (int, error) {
	v := f.disk.ask("write", f.name)
	if v == nil {
		return f.file.WriteAt(b, off)
	}
	if v.done == 0 && !v.late {
		return 0, v.err
	}
	// Through another descriptor, which does not insist on whole pages.
	raw, err := osDisk{}.write(f.name)
	if err != nil {
		return 0, err
	}
	defer raw.Close()
	cut := v.done
	if cut < 0 || cut > len(b) {
		cut = len(b)
	}
	part := b[:cut]
	if v.late {
		part, off = b[cut:], off+int64(cut)
	}
	if _, err := raw.WriteAt(part, off); err != nil {
		return 0, err
	}
	return 0, v.err
}

func (f *faultFile) Sync() error { return f.disk.do("fsync", f.name, f.file.Sync) }

func (f *faultFile) Truncate(n int64) error {
	return f.disk.do("truncate", f.name, func() error { return f.file.Truncate(n) })
}

func (f *faultFile) allocate(n int64) error {
	return f.disk.do("allocate", f.name, func() error { return f.file.allocate(n) })
}

// on makes every call with the given prefix, and not ending in .tmp unless the prefix says so, end in v.
func on(prefix string, v verdict) func(string) *verdict {
	return func(call string) *verdict {
		if strings.HasPrefix(call, prefix) && strings.HasSuffix(call, unfinished) == strings.Contains(prefix, unfinished) {
			return &v
		}
		return nil
	}
}

// TestWriteFaults makes the write of a block fail in every way, then opens the log again on a sound disk.
func TestWriteFaults(t *testing.T) {
	type fault struct {
		name    string
		verdict verdict
		present bool // the record is there after opening again
	}
	faults := []fault{
		{"before anything", verdict{err: syscall.EIO}, false},
		{"disk full", verdict{err: syscall.ENOSPC}, false},
		{"read-only", verdict{err: syscall.EROFS}, false},
		{"failed but persisted", verdict{err: syscall.EIO, done: -1}, true},
	}
	const length = 2 * page // of the block below
	for cut := 512; cut < length; cut += 512 {
		faults = append(faults,
			fault{"torn after", verdict{err: io.ErrShortWrite, done: cut}, false},
			fault{"torn before", verdict{err: io.ErrShortWrite, done: cut, late: true}, false})
	}
	for _, fault := range faults {
		for _, before := range []int{0, 1, 2, 5} { // nothing yet; one block; first block of a segment; in the second
			d := &faultDisk{}
			cfg := newConfig(t)
			cfg.disk = d
			var failed []Entry
			cfg.OnFail = func(entries []Entry, _ error) { failed = append(failed, entries...) }
			mustCreate(t, cfg)
			l := mustOpen(t, cfg)
			want := fillLog(t, l, before, length-1000)
			d.set(on("write segment", fault.verdict))

			// The last sector must hold data, or tearing it off would tear nothing.
			record := testRecord(int64(before), length-blockHeaderSize-recordOverhead-maxNote/2)
			batch, _, err := l.Add(record, "tag")
			if err != nil {
				t.Fatal(err)
			}
			<-batch.Done()
			if _, err := batch.Commit(); !errors.Is(err, ErrUnknown) || !errors.Is(err, ErrFailed) || !errors.Is(err, fault.verdict.err) {
				t.Fatalf("%s %d: outcome is %v, want unknown", fault.name, fault.verdict.done, err)
			}
			if len(failed) != 1 || failed[0].Tag != "tag" {
				t.Errorf("OnFail got %v", failed)
			}
			if _, _, err := l.Add(record, nil); !errors.Is(err, ErrFailed) || errors.Is(err, ErrUnknown) {
				t.Errorf("Add to a failed log = %v", err)
			}
			if err := l.Close(); !errors.Is(err, ErrFailed) || l.Size() != int64(before) {
				t.Errorf("Close = %v, size %d", err, l.Size())
			}

			d.set(nil)
			l = mustOpen(t, cfg)
			if fault.present {
				want = append(want, record)
			}
			if l.Size() != int64(len(want)) {
				t.Fatalf("%s %d, %d before: %d records, want %d", fault.name, fault.verdict.done, before, l.Size(), len(want))
			}
			checkWhole(t, l, want)
			checkWhole(t, l, fillLog(t, l, 4, 700))
			mustClose(t, l)
			mustClose(t, mustOpen(t, cfg))
		}
	}
}

// TestQueuedBehindFault checks that what waited behind a failed write is known not to be written.
func TestQueuedBehindFault(t *testing.T) {
	d := &faultDisk{}
	cfg := newConfig(t)
	cfg.disk, cfg.MaxBlockRecords = d, 1
	durable, gate := make(chan struct{}, 1), make(chan struct{})
	cfg.OnCommit = func(*Commit) { durable <- struct{}{}; <-gate }
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	var batches []*Batch
	for i := range int64(4) {
		b, _, err := l.Add(testRecord(i, 40), nil)
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
		if i == 0 { // the first is durable and held by OnCommit when the disk breaks
			<-durable
			d.set(on("write segment", verdict{err: syscall.EIO}))
		}
	}
	close(gate)
	for i, b := range batches {
		<-b.Done()
		_, err := b.Commit()
		if (i == 0) != (err == nil) || errors.Is(err, ErrUnknown) != (i == 1) || errors.Is(err, ErrFailed) != (i > 0) {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	l.Close()
	d.set(nil)
	l = mustOpen(t, cfg)
	checkWhole(t, l, [][]byte{testRecord(0, 40)})
	if l.Size() != 1 {
		t.Errorf("%d records, want 1", l.Size())
	}
}

// TestRollFaults makes every step of preparing a segment fail. The records that needed it are known not to be written.
func TestRollFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		hook func(string) *verdict
	}{
		{"opening", on("open segment-00000001.tmp", verdict{err: syscall.EROFS})},
		{"truncating", on("truncate segment-00000001.tmp", verdict{err: syscall.EIO})},
		{"allocating", on("allocate segment-00000001.tmp", verdict{err: syscall.ENOSPC})},
		{"writing zeros", on("write segment-00000001.tmp", verdict{err: syscall.ENOSPC})},
		{"tearing zeros", on("write segment-00000001.tmp", verdict{err: syscall.EIO, done: 5000})},
		{"syncing file", on("fsync segment-00000001.tmp", verdict{err: syscall.EIO})},
		{"syncing file, persisted", on("fsync segment-00000001.tmp", verdict{err: syscall.EIO, done: -1})},
		{"renaming", on("rename segment-00000001", verdict{err: syscall.EIO})},
		{"renaming, persisted", on("rename segment-00000001", verdict{err: syscall.EIO, done: -1})},
		{"syncing directory", on("syncdir log", verdict{err: syscall.EIO})},
		{"opening for commits", on("opencommit segment-00000001", verdict{err: syscall.EMFILE})},
		{"syncing tiles", on("fsync tiles-00", verdict{err: syscall.EIO})},
		{"syncing block index", on("fsync blocks", verdict{err: syscall.EIO})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &faultDisk{}
			cfg := newConfig(t)
			cfg.disk = d
			mustCreate(t, cfg)
			l := mustOpen(t, cfg)
			d.set(tt.hook)
			var want [][]byte
			var err error
			for err == nil {
				r := testRecord(int64(len(want)), 3000)
				if _, _, err = l.Append(t.Context(), r); err == nil {
					want = append(want, r)
				}
			}
			if !errors.Is(err, ErrFailed) || errors.Is(err, ErrUnknown) {
				t.Errorf("Append = %v, want failed", err)
			}
			if len(want) != 4 { // one segment full
				t.Errorf("%d records acknowledged, want 4", len(want))
			}
			if err := l.Close(); !errors.Is(err, ErrFailed) {
				t.Errorf("Close = %v", err)
			}
			d.set(nil)
			l = mustOpen(t, cfg)
			if l.Size() != int64(len(want)) {
				t.Errorf("%d records, want %d", l.Size(), len(want))
			}
			checkWhole(t, l, want)
			checkWhole(t, l, fillLog(t, l, 5, 3000))
		})
	}
}

// TestRollRecovers has the disk full when the next segment is prepared early, and not any more when it is needed.
func TestRollRecovers(t *testing.T) {
	d := &faultDisk{}
	cfg := newConfig(t)
	cfg.disk = d
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	full, failed := on("allocate segment-00000001.tmp", verdict{err: syscall.ENOSPC}), false
	d.set(func(call string) *verdict {
		if failed {
			return nil
		}
		v := full(call)
		failed = v != nil
		return v
	})
	checkWhole(t, l, fillLog(t, l, 9, 3000))
	if !failed {
		t.Error("the disk was never full: this tested nothing")
	}
}

// TestDerivedFaults makes writing a derived file fail: the commit itself holds, the log ends.
func TestDerivedFaults(t *testing.T) {
	for _, prefix := range []string{"write blocks", "write tiles-00"} {
		for _, v := range []verdict{{err: syscall.ENOSPC}, {err: syscall.EIO, done: 17}, {err: syscall.EIO, done: -1}} {
			d := &faultDisk{}
			cfg := newConfig(t)
			cfg.disk = d
			mustCreate(t, cfg)
			l := mustOpen(t, cfg)
			want := fillLog(t, l, 2, 100)
			d.set(on(prefix, v))
			r := testRecord(2, 100)
			if index := mustAppend(t, l, r); index != 2 {
				t.Errorf("appended as %d", index)
			}
			if err := l.Close(); !errors.Is(err, ErrFailed) {
				t.Errorf("Close = %v", err)
			}
			d.set(nil)
			l = mustOpen(t, cfg)
			checkWhole(t, l, append(want, r))
		}
	}
}

// TestOpenFaults makes single calls fail while opening: nothing may be lost or cut, and the next opening succeeds.
func TestOpenFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		hook func(string) *verdict
	}{
		{"opening a segment", on("open segment-00000001", verdict{err: syscall.EACCES})},
		{"erasing a torn tail", on("write segment-00000001", verdict{err: syscall.EIO, done: 100})},
		{"erasing a torn tail, persisted", on("write segment-00000001", verdict{err: syscall.EIO, done: -1})},
		{"opening to erase", on("opencommit segment-00000001", verdict{err: syscall.EROFS})},
		{"opening an index", on("open blocks", verdict{err: syscall.EIO})},
		{"writing an index", on("write blocks", verdict{err: syscall.ENOSPC})},
		{"writing tiles", on("write tiles-00", verdict{err: syscall.ENOSPC})},
		{"syncing tiles", on("fsync tiles-00", verdict{err: syscall.EIO})},
		{"cutting tiles", on("truncate tiles-00", verdict{err: syscall.EIO})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &faultDisk{}
			cfg := newConfig(t)
			cfg.disk = d
			mustCreate(t, cfg)
			l := mustOpen(t, cfg)
			want := fillLog(t, l, 6, 3000)
			d.set(on("write segment", verdict{err: syscall.EIO, done: 1024}))
			if _, _, err := l.Append(t.Context(), bytes.Repeat([]byte{7}, 6000)); !errors.Is(err, ErrUnknown) {
				t.Fatal(err)
			}
			l.Close()
			d.set(tt.hook)
			if l, err := Open(cfg); err == nil {
				l.Close()
				t.Fatal("Open succeeds")
			} else if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrLost) {
				t.Errorf("Open takes trouble of the disk for damage: %v", err)
			}
			d.set(nil)
			l = mustOpen(t, cfg)
			if l.Size() != int64(len(want)) {
				t.Errorf("%d records, want %d", l.Size(), len(want))
			}
			checkWhole(t, l, want)
		})
	}
}

// TestCreateFaults makes every step of creating fail. Create can be called again unless the log is there.
func TestCreateFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hook  func(string) *verdict
		there bool
	}{
		{"allocating", on("allocate segment-00000000.tmp", verdict{err: syscall.ENOSPC}), false},
		{"writing", on("write segment-00000000.tmp", verdict{err: syscall.ENOSPC, done: 10}), false},
		{"syncing", on("fsync segment-00000000.tmp", verdict{err: syscall.EIO}), false},
		{"renaming", on("rename segment-00000000", verdict{err: syscall.EIO}), false},
		{"renaming, persisted", on("rename segment-00000000", verdict{err: syscall.EIO, done: -1}), true},
		{"syncing directory", on("syncdir log", verdict{err: syscall.EIO}), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &faultDisk{}
			cfg := newConfig(t)
			cfg.disk = d
			d.set(tt.hook)
			if err := Create(cfg); err == nil {
				t.Fatal("Create succeeds")
			}
			d.set(nil)
			if !tt.there {
				if _, err := Open(cfg); !errors.Is(err, ErrNotExist) {
					t.Errorf("Open = %v, want ErrNotExist", err)
				}
				mustCreate(t, cfg)
			}
			if err := Create(cfg); !errors.Is(err, ErrExists) {
				t.Errorf("Create = %v, want ErrExists", err)
			}
			l := mustOpen(t, cfg)
			checkWhole(t, l, fillLog(t, l, 5, 3000))
		})
	}
}
