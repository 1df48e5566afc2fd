package source

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kuasheng/kuasheng/node/config"
)

// Request asks one resource for some of its fields.
type Request struct {
	Resource   string            // resource code, as in 307410000001/000001
	Fields     []string          // in the order wanted, without repetition
	Parameters map[string]string // by name, as text
}

// Answer is the outcome of a query.
type Answer struct {
	JSON   []byte   // see the package comment; the caller owns it
	Rows   int      // how many
	Masked []string // the fields asked for that a mask applies to, in the order asked, whether or not rows came
}

// NotFound reports whether the source knows nothing that was asked for.
func (a Answer) NotFound() bool { return a.Rows == 0 }

// CheckParameters validates a query's parameters without touching the source. Errors match ErrUnknownResource or are a
// *ParameterError.
func (s *Set) CheckParameters(resource string, parameters map[string]string) error {
	r, err := s.find(resource)
	if err != nil {
		return err
	}
	_, err = r.arguments(parameters)
	return err
}

func (r *resource) arguments(parameters map[string]string) (map[string]argument, error) {
	args, err := arguments(r.Parameters, parameters)
	if err == nil {
		err = r.backend.validate(args)
	}
	if err != nil {
		return nil, fmt.Errorf("checking parameters: %w", err)
	}
	return args, nil
}

// columns finds the fields asked for.
func (r *resource) columns(names []string) ([]*column, error) {
	if len(names) == 0 {
		return nil, &FieldError{Reason: ErrUnknownField}
	}
	list := make([]*column, 0, min(len(names), len(r.fields)))
	for i, name := range names {
		c, ok := r.fields[name]
		if !ok || i >= len(r.fields) { // more names than fields: one stands twice
			return nil, &FieldError{clip(name), ErrUnknownField}
		}
		for _, other := range list {
			if other == c {
				return nil, &FieldError{name, fmt.Errorf("%w: it is asked for twice", ErrUnknownField)}
			}
		}
		if c.Share == config.NotShared {
			return nil, &FieldError{name, ErrFieldNotShared}
		}
		list = append(list, c)
	}
	return list, nil
}

// Query runs one resource's query. Its time covers everything, waiting for a connection included.
func (s *Set) Query(ctx context.Context, req Request) (Answer, error) {
	if err := s.enter(); err != nil {
		return Answer{}, err
	}
	defer s.running.Done()
	r, err := s.find(req.Resource)
	if err != nil {
		return Answer{}, err
	}
	a, err := r.query(ctx, req)
	if err != nil {
		return Answer{}, fmt.Errorf("querying resource %s: %w", r.Code, err)
	}
	return a, nil
}

func (r *resource) query(ctx context.Context, req Request) (Answer, error) {
	if r.Share.Mode == config.ModeBatch {
		return Answer{}, ErrExportOnly
	}
	columns, err := r.columns(req.Fields)
	if err != nil {
		return Answer{}, err
	}
	args, err := r.arguments(req.Parameters)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.Limits.Timeout)
	defer cancel()
	if err := r.gate.enter(ctx); err != nil {
		return Answer{}, err
	}
	defer r.gate.leave()
	a, err := r.collect(ctx, cancel, columns, args)
	r.health.note(err)
	if err != nil {
		return Answer{}, err
	}
	a.Masked = masked(columns)
	return a, nil
}

// collect reads the rows into one answer.
func (r *resource) collect(ctx context.Context, cancel context.CancelFunc, columns []*column, args map[string]argument) (Answer, error) {
	rows, err := r.backend.query(ctx, columns, args, false)
	if err != nil {
		return Answer{}, err
	}
	defer rows.close()
	const begin, end = `{"rows":[`, `]}`
	a := Answer{JSON: append(make([]byte, 0, 1024), begin...)}
	for {
		values, err := rows.next(ctx)
		if errors.Is(err, io.EOF) {
			a.JSON = append(a.JSON, end...)
			return a, nil
		}
		if err == nil && a.Rows == r.Limits.Rows {
			err = fmt.Errorf("%w: the limit is %d", ErrTooManyRows, r.Limits.Rows)
		}
		if err == nil && a.Rows > 0 {
			a.JSON = append(a.JSON, ',')
		}
		if err == nil {
			a.JSON, err = appendRow(a.JSON, columns, values)
		}
		if err == nil && len(a.JSON)+len(end) > r.Limits.AnswerBytes {
			err = fmt.Errorf("%w: the limit is %d bytes", ErrAnswerTooLarge, r.Limits.AnswerBytes)
		}
		if err != nil {
			cancel() // so that closing does not read the rest of a result nobody wants
			return Answer{}, err
		}
		a.Rows++
	}
}

func masked(columns []*column) []string {
	var names []string
	for _, c := range columns {
		if len(c.masks) > 0 {
			names = append(names, c.Name)
		}
	}
	return names
}
