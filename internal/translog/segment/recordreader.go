package segment

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// Read verifies a whole log as [Verify] does and then calls fn for every record from index from to the last, in order.
// Like Verify it reads segment files only, changes nothing and takes no lock: it is for copies. The report is that of the
// verification, and covers every record that fn gets: a log in use that has grown since shows no more than that.
//
// The files are read twice, because nothing may be shown before all of it was found right. So that nobody gains by
// exchanging them in between, the second reading believes nothing of the first but its size and root: every block is
// checked again against its checkpoint, and the signature of those that are shown, before fn gets the first of their
// records.
//
// The slice is only valid during the call. An error of fn ends the reading and is returned as it is. From beyond the
// last record fails with [translog.ErrRange].
func Read(ctx context.Context, dir string, v note.Verifier, from int64, fn func(index int64, record []byte) error) (Report, error) {
	report, err := Verify(ctx, dir, v, nil)
	if err != nil {
		return report, err
	}
	if from < 0 || from > report.Records {
		return report, fmt.Errorf("reading from record %d of %d: %w", from, report.Records, translog.ErrRange)
	}
	if from == report.Records {
		return report, nil
	}
	c, err := loadChain(osDisk{}, dir, v.Name(), v)
	if err != nil {
		return report, fmt.Errorf("reading: %w", err)
	}
	r := &recordReader{chain: c, from: from, report: report, fn: fn}
	switch _, err = c.walk(ctx, 0, 0, r.visit); {
	case r.done:
		return report, r.stopped
	case err != nil:
		return report, fmt.Errorf("reading: %w", err)
	}
	return report, fmt.Errorf("reading: the files end before record %d, which was there: %w", report.Records-1, ErrLost)
}

// recordReader is the state of one Read.
type recordReader struct {
	chain  *chain
	from   int64
	report Report
	fn     func(index int64, record []byte) error

	edge    translog.Edge
	leaves  []translog.Hash
	text    []byte
	done    bool  // fn wants no more, or has got everything
	stopped error // of fn
}

func (r *recordReader) visit(seq, offset int64, b *block) error {
	r.leaves = b.leaves(r.leaves)
	span := translog.NewSpan(r.edge, r.leaves)
	end := r.report.Records
	switch {
	case !speaks(b.note, r.report.Origin, span, &r.text),
		span.Size() == end && span.Root() != r.report.Checkpoint.Root,
		span.Size() > end: // it steps over the end of a commit that was there
		return errRoot
	}
	r.edge = span.After()
	if b.next() <= r.from {
		return nil
	}
	if _, err := translog.OpenCheckpoint(b.note, r.chain.verifier); err != nil {
		return &Fault{File: r.chain.path(seq), Offset: offset, Index: b.first, Count: int64(b.count), Err: err}
	}
	for i, record := range b.records {
		if index := b.first + int64(i); index >= r.from {
			if err := r.fn(index, record); err != nil {
				r.done, r.stopped = true, err
				return err
			}
		}
	}
	if b.next() == end {
		r.done = true
		return errEnough
	}
	return nil
}
