package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kuasheng/kuasheng/node/source/statement"
)

// pool is the connections of one resource for one use, with its prepared statement.
type pool struct {
	engine  engine
	dialect statement.Dialect
	bound   statement.Bound
	db      *sql.DB
	limit   time.Duration // for which a locked file is waited for

	// lock holds a token; who has it prepares. Waiting for it ends with the waiter's own time, which a mutex could not.
	lock     chan struct{}
	prepared atomic.Pointer[sql.Stmt]
	layout   atomic.Pointer[layout]
}

func newPool(e engine, bound statement.Bound, d statement.Dialect, limit time.Duration, connections int) (*pool, error) {
	db, err := e.open(limit)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(connectionIdle)
	db.SetConnMaxLifetime(connectionLife)
	return &pool{engine: e, dialect: d, bound: bound, db: db, limit: limit, lock: make(chan struct{}, 1)}, nil
}

// close drops the errors of connections that broke before: nothing was ever written on them.
func (p *pool) close() {
	if st := p.prepared.Swap(nil); st != nil {
		st.Close()
	}
	p.db.Close()
}

// statement returns the prepared statement, preparing it on first use and again after the source's structure changed.
func (p *pool) statement(ctx context.Context) (*sql.Stmt, error) {
	if st := p.prepared.Load(); st != nil {
		return st, nil
	}
	select {
	case p.lock <- struct{}{}:
		defer func() { <-p.lock }()
	case <-ctx.Done():
		return nil, classify(ctx, p.engine, "preparing the query", ctx.Err())
	}
	if st := p.prepared.Load(); st != nil {
		return st, nil
	}
	text, err := p.text(ctx)
	if err != nil {
		return nil, err
	}
	st, err := p.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, p.refused(ctx, err)
	}
	p.prepared.Store(st)
	return st, nil
}

// text is the statement as it is prepared. SQLite's driver parses columns declared as dates by itself and forgets
// whether a value had an offset; a unary plus takes the declaration away and leaves the value as it is.
func (p *pool) text(ctx context.Context) (string, error) {
	if p.dialect != statement.SQLite {
		return p.bound.Text, nil
	}
	rows, err := p.db.QueryContext(ctx, "SELECT * FROM (\n"+p.bound.Text+"\n) LIMIT 0", make([]any, len(p.bound.Order))...)
	if err != nil {
		return "", p.refused(ctx, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return "", p.refused(ctx, err)
	}
	dated := func(t *sql.ColumnType) bool {
		return slices.Contains([]string{"DATE", "DATETIME", "TIMESTAMP"}, t.DatabaseTypeName())
	}
	if !slices.ContainsFunc(types, dated) {
		return p.bound.Text, nil
	}
	list := make([]string, len(types))
	for i, t := range types {
		name := `"` + strings.ReplaceAll(t.Name(), `"`, `""`) + `"`
		list[i] = name
		if dated(t) {
			list[i] = "+" + name + " AS " + name
		}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (\n" + p.bound.Text + "\n)", nil
}

// refused keeps what the server says to a statement: no value was bound yet, so it quotes the node's file at most.
func (p *pool) refused(ctx context.Context, err error) error {
	classified := classify(ctx, p.engine, "preparing the query", err)
	if errors.Is(classified, ErrMapping) {
		return fmt.Errorf("%w: %s", classified, oneLine(err.Error()))
	}
	return classified
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// failed forgets the prepared statement after an error of the mapping: the source's structure may have changed under
// it, and PostgreSQL refuses the old plan until it is prepared anew.
func (p *pool) failed(err error) error {
	if errors.Is(err, ErrMapping) {
		p.layout.Store(nil)
		if st := p.prepared.Swap(nil); st != nil {
			st.Close()
		}
	}
	return err
}

// run starts the query and matches its columns with those asked for.
func (p *pool) run(ctx context.Context, columns []*column, values []any) (cursor, error) {
	rows, err := p.start(ctx, values)
	if err != nil {
		return nil, err
	}
	l, err := p.shape(ctx, rows)
	if err == nil {
		var r *recordset
		if r, err = p.read(rows, l, columns); err == nil {
			return r, nil
		}
	}
	rows.Close()
	return nil, p.failed(err)
}

// start executes the prepared statement, and waits for a file that somebody has locked until the limit or the caller's time ends.
func (p *pool) start(ctx context.Context, values []any) (*sql.Rows, error) {
	given := time.Now().Add(p.limit)
	for {
		rows, err := p.execute(ctx, values)
		if !errors.Is(err, errLocked) || !time.Now().Before(given) {
			return rows, err
		}
		// Some locks are reported at once and not after lockWait: without a pause they would be asked for in a tight loop.
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return nil, classify(ctx, p.engine, "waiting for a lock", ctx.Err())
		}
	}
}

// lockPause is short beside what a query takes on a file that was just unlocked.
const lockPause = 5 * time.Millisecond

// execute executes the prepared statement once. One that another query's failure closed at this moment is prepared anew.
func (p *pool) execute(ctx context.Context, values []any) (*sql.Rows, error) {
	for again := false; ; again = true {
		st, err := p.statement(ctx)
		if err != nil {
			return nil, err
		}
		rows, err := st.QueryContext(ctx, values...)
		if err == nil {
			return rows, nil
		}
		if again || ctx.Err() != nil || p.prepared.Load() == st {
			return nil, p.failed(classify(ctx, p.engine, "running the query", err))
		}
	}
}

// layout is the columns of a result.
type layout struct {
	names  []string
	index  map[string]int // lower-case name → place; twice for a name that stands twice
	shapes []shape
}

// twice marks a column that cannot be chosen by name.
const twice = -1

// shape looks at the result's columns, once as long as they stay the same.
func (p *pool) shape(ctx context.Context, rows *sql.Rows) (*layout, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, classify(ctx, p.engine, "reading columns", err)
	}
	if l := p.layout.Load(); l != nil && slices.Equal(l.names, names) {
		return l, nil
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, classify(ctx, p.engine, "reading columns", err)
	}
	l := &layout{names: names, index: make(map[string]int, len(names)), shapes: make([]shape, len(names))}
	for i, t := range types {
		name := strings.ToLower(names[i])
		if _, ok := l.index[name]; ok {
			l.index[name] = twice
		} else {
			l.index[name] = i
		}
		l.shapes[i] = p.engine.shape(t.DatabaseTypeName())
	}
	p.layout.Store(l)
	return l, nil
}

// ignore takes a column that nobody asked for.
type ignore struct{}

// Scan drops the value.
func (ignore) Scan(any) error { return nil }

// read lays out where the columns asked for are scanned to.
func (p *pool) read(rows *sql.Rows, l *layout, columns []*column) (*recordset, error) {
	r := &recordset{pool: p, rows: rows, shapes: make([]shape, len(columns)), values: make([]any, len(columns)), into: make([]any, len(l.names))}
	for i, c := range columns {
		at, ok := l.index[strings.ToLower(c.Column)]
		switch {
		case !ok:
			return nil, misfit(c.Name, "the query gives no column "+quote(c.Column)+"; select it or set the field's column")
		case at == twice:
			return nil, misfit(c.Name, "the query gives column "+quote(c.Column)+" twice; name one of them with AS")
		}
		r.into[at], r.shapes[i] = &r.values[i], l.shapes[at]
	}
	for i := range r.into {
		if r.into[i] == nil {
			r.into[i] = ignore{}
		}
	}
	return r, nil
}

func quote(name string) string { return "`" + name + "`" }
