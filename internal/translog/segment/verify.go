package segment

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

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
	// FirstRecord and LastRecord are the bytes of the first and the last record, for who wants to know what time the log
	// spans: the tree covers what records say of it. The time in block headers is covered by nothing, so it is not reported.
	// They are nil if the log is empty or broken.
	FirstRecord, LastRecord []byte
	// Checkpoint is the last one, Signed its note; that of an empty log is the empty tree's, which nobody signed. Files cut
	// off at a commit verify as a shorter log: who wants to know that nothing is missing gives a checkpoint seen elsewhere.
	Checkpoint translog.Checkpoint
	Signed     []byte
	// Torn says why bytes after the last block are no block. They are what one unfinished write can leave, as in a copy taken
	// while the log was written or after a crash: nothing that was signed stands behind them.
	Torn error
}

// Verify checks a whole log from scratch: every checksum, every record's place in the tree, every checkpoint's root and
// signature. It reads segment files only, changes nothing and takes no lock: it is for copies, and for anybody who has
// one and the verifier. It streams, in memory that does not grow with the log. progress, which may be nil, is called
// now and then with the bytes done.
//
// The log's owner can sign any history anew: files alone never show that this is the history that others have seen. For
// that, kept takes checkpoints from elsewhere, whose signatures the caller has verified under v. The tree of each one's
// size is compared with it, wherever that size lies. One that differs fails with a [*Contradiction], one that the log
// does not reach with [ErrShort].
//
// A broken log fails with a [*Fault] that names the first wrong record: exactly, if the derived files are there and
// still hold the leaves that the checkpoint signed; otherwise as one of the block. The report then covers what came
// before.
func Verify(ctx context.Context, dir string, v note.Verifier, progress func(done, total int64), kept ...translog.Checkpoint) (Report, error) {
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
		kept:   newComparison(kept),
	}
	w.report.Checkpoint = translog.Checkpoint{Origin: v.Name(), Root: w.edge.Root()}
	w.kept.compare(w.edge, nil, nil)
	for _, h := range c.heads {
		w.before = append(w.before, w.report.Bytes)
		w.report.Bytes += h.size
	}
	end, err := c.walk(ctx, 0, 0, w.visit)
	// A signature found wrong stands before whatever ended the walk, and may have ended it.
	if wrong := w.signatures.wait(); wrong != nil {
		w.report, err = wrong.before, &wrong.fault
	}
	var fault *Fault
	if errors.As(err, &fault) {
		w.locate(fault)
	}
	if err = errors.Join(err, w.kept.verdict(w.report.Records, err == nil)); err != nil {
		return w.report, fmt.Errorf("verifying: %w", err)
	}
	w.report.Torn, w.report.FirstRecord, w.report.LastRecord = end.torn, w.firstRecord, w.lastRecord
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

	kept                    *comparison
	firstRecord, lastRecord []byte

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
	signed := append([]byte(nil), b.note...)
	w.signatures.check(signature{
		note:   signed,
		fault:  Fault{File: w.chain.path(seq), Offset: offset, Index: b.first, Count: int64(b.count)},
		before: w.report,
	})
	w.kept.compare(w.edge, w.leaves, signed)
	w.edge = span.After()
	r := &w.report
	if r.Blocks == 0 {
		w.firstRecord = append([]byte(nil), b.records[0]...)
	}
	w.lastRecord = append(w.lastRecord[:0], b.records[len(b.records)-1]...)
	r.Blocks++
	r.Records = span.Size()
	r.Checkpoint = translog.Checkpoint{Origin: r.Origin, Size: span.Size(), Root: span.Root()}
	r.Signed = signed
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
			f.Index, f.Count = b.first+int64(i), 1
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
