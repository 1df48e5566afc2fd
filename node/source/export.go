package source

import (
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	defaultChunk = 256 << 10 // a few hundred rows, one gRPC message
	maxChunk     = 3 << 20   // gRPC refuses messages above 4 MiB
)

// Export streams rows as JSON Lines. fn gets whole rows in chunks of at most chunkBytes (a larger row goes alone); a
// chunk is valid during the call only. Memory stays at one chunk however many rows there are, and a slow fn slows the
// source down, not the node.
//
// from rows are skipped: an export that broke off continues where it was, provided that the query orders its rows by
// something unique and the data is still the same, which the digest over the whole tells. total counts the skipped rows
// too. Whoever gets an error has an incomplete export, whatever fn was given before.
func (s *Set) Export(ctx context.Context, req Request, from int64, chunkBytes int, fn func(chunk []byte, rows int) error) (total int64, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.running.Done()
	r, err := s.find(req.Resource)
	if err != nil {
		return 0, err
	}
	total, err = s.export(ctx, r, req, from, chunkBytes, fn)
	if err != nil {
		return total, fmt.Errorf("exporting resource %s: %w", r.Code, err)
	}
	return total, nil
}

func (s *Set) export(ctx context.Context, r *resource, req Request, from int64, chunkBytes int, fn func([]byte, int) error) (int64, error) {
	switch {
	case r.Limits.ExportRows == 0:
		return 0, ErrNotExported
	case from < 0 || from > r.Limits.ExportRows:
		return 0, fmt.Errorf("%w: it cannot begin at row %d", ErrNotResumable, from)
	case from > 0 && !r.ordered:
		return 0, fmt.Errorf("%w: the query has no ORDER BY", ErrNotResumable)
	}
	columns, err := r.columns(req.Fields)
	if err != nil {
		return 0, err
	}
	args, err := r.arguments(req.Parameters)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.Limits.ExportTimeout)
	defer cancel()
	if err := r.exports.enter(ctx); err != nil {
		return 0, err
	}
	defer r.exports.leave()
	rows, err := r.backend.query(ctx, columns, args, true)
	if err != nil {
		r.health.note(err)
		return 0, err
	}
	defer rows.close()
	defer cancel() // runs first: an export given up must not read the rest
	e := exporting{s: s, r: r, columns: columns, rows: rows, from: from, size: chunkSize(chunkBytes), fn: fn}
	err = e.run(ctx)
	if !errors.Is(err, errReceiver) {
		r.health.note(err)
	}
	return e.total, err
}

// errReceiver marks errors of the caller's fn, which say nothing about the source.
var errReceiver = errors.New("handing over a chunk")

func chunkSize(wanted int) int {
	if wanted <= 0 {
		return defaultChunk
	}
	return min(wanted, maxChunk)
}

// exporting is one export under way, owned by the goroutine that runs it.
type exporting struct {
	s       *Set
	r       *resource
	columns []*column
	rows    cursor
	from    int64
	size    int
	fn      func([]byte, int) error

	total int64  // rows read, skipped ones included
	chunk []byte // whole lines not yet handed over
	count int    // lines in chunk
}

func (e *exporting) run(ctx context.Context) error {
	for {
		select {
		case <-e.s.closing:
			return fmt.Errorf("%w: the node is closing its sources", ErrUnavailable)
		default:
		}
		values, err := e.rows.next(ctx)
		switch {
		case errors.Is(err, io.EOF) && e.total < e.from:
			return fmt.Errorf("%w: only %d rows are left", ErrNotResumable, e.total)
		case errors.Is(err, io.EOF):
			return e.hand(len(e.chunk))
		case err != nil:
			return err
		case e.total == e.r.Limits.ExportRows:
			return fmt.Errorf("%w: the limit is %d", ErrTooManyRows, e.r.Limits.ExportRows)
		}
		if e.total++; e.total <= e.from {
			continue
		}
		if err := e.add(values); err != nil {
			return err
		}
	}
}

// add puts a row into the chunk and hands the chunk over before it grows beyond its size.
func (e *exporting) add(values []any) error {
	start := len(e.chunk)
	chunk, err := appendRow(e.chunk, e.columns, values)
	if err != nil {
		return fmt.Errorf("row %d: %w", e.total, err)
	}
	e.chunk = append(chunk, '\n')
	switch row := len(e.chunk) - start; {
	case row > maxChunk:
		return fmt.Errorf("row %d: %w: a row has at most %d bytes", e.total, ErrAnswerTooLarge, maxChunk)
	case len(e.chunk) > e.size && start > 0:
		if err := e.hand(start); err != nil {
			return err
		}
	}
	e.count++
	return nil
}

// hand gives the chunk's first bytes, which are e.count lines, to the caller and keeps the rest.
func (e *exporting) hand(n int) error {
	if n == 0 {
		return nil
	}
	if err := e.fn(e.chunk[:n:n], e.count); err != nil {
		return fmt.Errorf("%w: %w", errReceiver, err)
	}
	e.chunk = e.chunk[:copy(e.chunk, e.chunk[n:])]
	e.count = 0
	return nil
}
