package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxDocument bounds the whole response to a query, in which rows may be a small part.
	maxDocument = 16 << 20
	// maxElement bounds what is decoded in one piece: a row, or a member beside the rows.
	maxElement = 4 << 20
	// maxNesting bounds how far the rest of the document may nest; see drain.
	maxNesting = 1000
)

// document is the cursor over a JSON response. It decodes row by row, so an export needs no more memory than a row.
type document struct {
	body    io.ReadCloser
	budget  *budget
	decoder *json.Decoder
	columns []*column
	lenient bool // a missing member is NULL
	values  []any
	depth   int // objects and arrays entered and not left
	state   documentState
}

type documentState int

const (
	inRows documentState = iota
	oneRow
	finished
)

func newDocument(body io.ReadCloser, columns []*column, lenient, export bool) *document {
	d := &document{body: body, columns: columns, lenient: lenient, values: make([]any, len(columns))}
	d.budget = &budget{from: body, total: maxDocument, bounded: !export}
	d.decoder = json.NewDecoder(d.budget)
	d.decoder.UseNumber()
	return d
}

// open walks down the dotted path to the rows.
func (d *document) open(ctx context.Context, path string) error {
	d.budget.refill()
	if path != "" {
		for _, name := range strings.Split(path, ".") {
			if err := d.descend(ctx, name); err != nil {
				return err
			}
		}
	}
	// The value itself: [ begins rows, { is the one row, null is none. A value is decoded after a look at its first
	// token only when it is an array; an object is read member by member.
	t, err := d.token(ctx)
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('['):
		d.state = inRows
	case json.Delim('{'):
		d.state = oneRow
	case nil:
		d.state = finished
		return d.drain(ctx)
	default:
		return d.wrong("the rows are neither an array nor an object; correct `rows`")
	}
	return nil
}

// descend finds a member of the object that comes next.
func (d *document) descend(ctx context.Context, name string) error {
	t, err := d.token(ctx)
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return d.wrong("`rows` leads through something that is no object")
	}
	for d.decoder.More() {
		key, err := d.token(ctx)
		if err != nil {
			return err
		}
		if key == name {
			return nil
		}
		var skipped json.RawMessage
		if err := d.decode(ctx, &skipped); err != nil {
			return err
		}
	}
	return d.wrong("the answer has no member where `rows` points")
}

func (d *document) next(ctx context.Context) ([]any, error) {
	switch d.state {
	case finished:
		return nil, io.EOF
	case oneRow:
		d.state = finished
		row, err := d.members(ctx)
		if err != nil {
			return nil, err
		}
		if err := d.drain(ctx); err != nil {
			return nil, err
		}
		return d.pick(row)
	}
	if !d.decoder.More() {
		d.state = finished
		if err := d.drain(ctx); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	var row map[string]any
	if err := d.decode(ctx, &row); err != nil {
		return nil, err
	}
	return d.pick(row)
}

// members reads the rest of an object whose brace was read.
func (d *document) members(ctx context.Context) (map[string]any, error) {
	row := map[string]any{}
	for d.decoder.More() {
		key, err := d.token(ctx)
		if err != nil {
			return nil, err
		}
		var value any
		if err := d.decode(ctx, &value); err != nil {
			return nil, err
		}
		name, _ := key.(string)
		row[name] = value
	}
	_, err := d.token(ctx)
	return row, err
}

// pick chooses the columns asked for.
func (d *document) pick(row map[string]any) ([]any, error) {
	if row == nil {
		return nil, d.wrong("a row is null")
	}
	for i, c := range d.columns {
		v, ok := member(row, c.path)
		if !ok && !d.lenient {
			return nil, misfit(c.Name, "a row has no member "+quote(c.Column)+"; correct the field's column, or set missing_is_null")
		}
		switch v.(type) {
		case map[string]any, []any:
			return nil, misfit(c.Name, "member "+quote(c.Column)+" is an object or array; point the field's column at a value inside")
		}
		d.values[i] = v
	}
	return d.values, nil
}

func member(row map[string]any, path []string) (any, bool) {
	var v any = row
	for _, name := range path {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = object[name]; !ok {
			return nil, false
		}
	}
	return v, true
}

// drain reads what follows the rows: an answer that breaks off behind them was not complete, and its rows may not be.
func (d *document) drain(ctx context.Context) error {
	for d.depth > 0 {
		if _, err := d.token(ctx); err != nil {
			return err
		}
		if d.depth > maxNesting {
			return d.wrong("the answer nests too deep")
		}
	}
	return nil
}

func (d *document) token(ctx context.Context) (json.Token, error) {
	d.budget.refill()
	t, err := d.decoder.Token()
	if err != nil {
		return nil, d.failed(ctx, err)
	}
	switch t {
	case json.Delim('['), json.Delim('{'):
		d.depth++
	case json.Delim(']'), json.Delim('}'):
		d.depth--
	}
	return t, nil
}

func (d *document) decode(ctx context.Context, into any) error {
	d.budget.refill()
	if err := d.decoder.Decode(into); err != nil {
		return d.failed(ctx, err)
	}
	return nil
}

// failed classifies an error of reading. The decoder's messages quote what they read and stay behind.
func (d *document) failed(ctx context.Context, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, errBudget):
		return fmt.Errorf("reading the answer: %w: the service sent more than is accepted", ErrAnswerTooLarge)
	case errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF):
		return d.wrong("the answer is not JSON")
	case errors.As(err, &kind):
		return d.wrong("a row is no object")
	}
	return interrupted(ctx, "reading the answer", err, fmt.Errorf("%w: the answer breaks off", ErrUnavailable))
}

func (d *document) wrong(reason string) error {
	return fmt.Errorf("reading the answer: %w: %s", ErrMapping, reason)
}

func (d *document) close() { d.body.Close() }
