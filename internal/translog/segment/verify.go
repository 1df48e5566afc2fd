package segment

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// Report is what a whole verification found.
type Report struct {
	Origin   string
	Segments int
	Blocks   int64
	Records  int64
	Bytes    int64 // of segment files
	// First and Last are the times of the first and the last commit, as the log states them.
	First, Last time.Time
	// Checkpoint is the last one, Signed its note. Files cut off at a commit verify as a shorter log: who wants to know that
	// nothing is missing compares this with a checkpoint seen elsewhere.
	Checkpoint translog.Checkpoint
	Signed     []byte
	// Torn says why bytes after the last block are no block: a copy taken while the log was written, or after a crash.
	Torn error
}

// Verify checks a whole log from scratch: every checksum, every record's place in the tree, every checkpoint's root and
// signature. It reads segment files only, changes nothing and takes no lock: it is for copies, and for anybody who has
// one and the verifier. It streams, in memory that does not grow with the log. progress, which may be nil, is called
// now and then with the bytes done.
//
// A broken log fails with a [*Fault] that names the first wrong record: exactly, if the derived files are there and
// still hold the leaves that the checkpoint signed; otherwise the first of the block. The report then covers what came
// before.
func Verify(ctx context.Context, dir string, v note.Verifier, progress func(done, total int64)) (Report, error) {
	c, err := loadChain(osDisk{}, dir, v.Name(), v)
	if err != nil {
		return Report{}, fmt.Errorf("verifying: %w", err)
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &verification{
		chain: c, signatures: newSignatures(v, cancel), progress: progress,
		report: Report{Origin: v.Name(), Segments: len(c.heads)},
	}
	for _, h := range c.heads {
		w.before = append(w.before, w.report.Bytes)
		w.report.Bytes += h.size
	}
	end, err := c.walk(ctx, 0, 0, w.visit)
	// A signature found wrong stands before whatever ended the walk, and may have ended it.
	if fault := w.signatures.wait(); fault != nil {
		err = fault
	}
	var fault *Fault
	if errors.As(err, &fault) {
		w.locate(fault)
	}
	if err != nil {
		return w.report, fmt.Errorf("verifying: %w", err)
	}
	w.report.Torn = end.torn
	progress(w.report.Bytes, w.report.Bytes)
	return w.report, nil
}

// verification is the state of one Verify.
type verification struct {
	chain      *chain
	signatures *signatures
	report     Report
	before     []int64 // bytes in segments before each
	progress   func(done, total int64)
	told       int64

	edge   translog.Edge
	leaves []translog.Hash
	text   []byte
}

func (w *verification) visit(seq, offset int64, b *block) error {
	w.leaves = b.leaves(w.leaves)
	span := translog.NewSpan(w.edge, w.leaves)
	if !speaks(b.note, w.report.Origin, span, &w.text) {
		return errRoot
	}
	w.edge = span.After()
	w.signatures.check(signature{
		note:  append([]byte(nil), b.note...),
		fault: Fault{File: w.chain.path(seq), Offset: offset, Index: b.first},
	})
	r := &w.report
	if r.Blocks == 0 {
		r.First = time.Unix(0, b.time)
	}
	r.Last = time.Unix(0, b.time)
	r.Blocks++
	r.Records = span.Size()
	r.Checkpoint = translog.Checkpoint{Origin: r.Origin, Size: span.Size(), Root: span.Root()}
	r.Signed = append(r.Signed[:0], b.note...)
	if done := w.before[seq] + offset; done-w.told >= 4*window {
		w.told = done
		w.progress(done, r.Bytes)
	}
	return nil
}

// locate replaces a fault's first record of the block by the first wrong one, if the tile file can tell: its leaves are
// believed only if they give the root that the block's checkpoint signed.
func (w *verification) locate(f *Fault) {
	b, leaves, err := w.evidence(f)
	if err != nil || f.Index != w.edge.Size {
		return // the fault stands as it is: less exact, not less true
	}
	span := translog.NewSpan(w.edge, leaves)
	if !speaks(b.note, w.report.Origin, span, &w.text) {
		return
	}
	if _, err := translog.OpenCheckpoint(b.note, w.chain.verifier); err != nil {
		return
	}
	for i, r := range b.records {
		if translog.LeafHash(r) != leaves[i] {
			f.Index = b.first + int64(i)
			return
		}
	}
}

// evidence reads the block of a fault, whose checksum may be wrong, and what the tile file says of its leaves.
func (w *verification) evidence(f *Fault) (*block, []translog.Hash, error) {
	s, err := osDisk{}.read(f.File)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	raw := make([]byte, page)
	if _, err := s.ReadAt(raw, f.Offset); err != nil {
		return nil, nil, err
	}
	b := new(block)
	if b.blockHeader, err = parseBlockHeader(raw, w.chain.heads[0].id); err != nil {
		return nil, nil, err
	}
	raw = make([]byte, b.size())
	if _, err := s.ReadAt(raw, f.Offset); err != nil {
		return nil, nil, err
	}
	if err := b.split(raw); err != nil {
		return nil, nil, err
	}
	t, err := osDisk{}.read(filepath.Join(w.chain.dir, derivedDir, tileName(0)))
	if err != nil {
		return nil, nil, err
	}
	defer t.Close()
	leaves, err := (&derived{tiles: [tileLevels]file{t}}).hashes(0, b.first, int(b.count), nil)
	return b, leaves, err
}

// signature is one checkpoint to verify, and the fault if it is wrong.
type signature struct {
	note  []byte
	fault Fault
}

// signatures verifies checkpoints on all processors: with small blocks that is most of the work.
type signatures struct {
	jobs    chan signature
	workers sync.WaitGroup

	mu    sync.Mutex // guards first
	first *Fault
}

// newSignatures starts the workers. stop is called when a signature is wrong.
func newSignatures(v note.Verifier, stop func()) *signatures {
	n := runtime.GOMAXPROCS(0)
	s := &signatures{jobs: make(chan signature, 64*n)}
	for range n {
		s.workers.Go(func() {
			for job := range s.jobs {
				if _, err := translog.OpenCheckpoint(job.note, v); err != nil {
					job.fault.Err = err
					s.found(&job.fault)
					stop()
				}
			}
		})
	}
	return s
}

func (s *signatures) found(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil || f.Index < s.first.Index {
		s.first = f
	}
}

func (s *signatures) check(job signature) { s.jobs <- job }

// wait ends the workers and returns the first wrong checkpoint, or nil.
func (s *signatures) wait() *Fault {
	close(s.jobs)
	s.workers.Wait()
	return s.first
}
