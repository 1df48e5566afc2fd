package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/source/statement"
)

// engine is what differs between the SQL engines.
type engine interface {
	// open makes a pool whose sessions are read-only, keep the source's time zone and end statements after the limit.
	open(limit time.Duration) (*sql.DB, error)
	// cast wraps a placeholder where the engine needs to be told the parameter's type.
	cast(t config.Type, placeholder string, tested bool) string
	// bind turns an argument that is not NULL into what the driver sends.
	bind(a argument) any
	// shape says how values of a column are to be understood, by the driver's name of the column's type.
	shape(databaseType string) shape
	// fault classifies an error of the driver. It must not pass on text that may quote a bound value.
	fault(err error) error
}

// database answers one resource from an SQL source. Queries and exports have pools of their own: an export keeps a
// connection for minutes and may run longer on the server.
type database struct {
	engine  engine
	bound   statement.Bound
	declare map[string]config.Parameter
	queries *pool
	exports *pool
}

// Connections are given up after these times, so that a database that failed over or shrank its limits is followed.
const (
	connectionLife = 30 * time.Minute
	connectionIdle = 5 * time.Minute
)

func openDatabase(r config.Resource, src config.Source, c clock, d statement.Dialect, st *statement.Statement) (*database, error) {
	e, err := newEngine(src, c)
	if err != nil {
		return nil, err
	}
	b := &database{engine: e, declare: map[string]config.Parameter{}}
	for _, p := range r.Parameters {
		b.declare[p.Name] = p
	}
	b.bound = st.Bind(func(name, placeholder string, tested bool) string {
		return e.cast(b.declare[name].Type, placeholder, tested)
	})
	// A little before the caller's own time ends, so that the server reports its time-out and the connection survives.
	if b.queries, err = newPool(e, b.bound, d, r.Limits.Timeout*9/10, r.Limits.Connections); err != nil {
		return nil, err
	}
	if b.exports, err = newPool(e, b.bound, d, r.Limits.ExportTimeout, maxExports); err != nil {
		b.queries.close()
		return nil, err
	}
	return b, nil
}

func newEngine(src config.Source, c clock) (engine, error) {
	switch src.Kind {
	case config.Postgres:
		return newPostgres(src, c)
	case config.MySQL:
		return newMySQL(src, c)
	default:
		return newSQLite(src, c)
	}
}

func (b *database) validate(map[string]argument) error { return nil }

func (b *database) close() {
	b.queries.close()
	b.exports.close()
}

func (b *database) query(ctx context.Context, columns []*column, args map[string]argument, export bool) (cursor, error) {
	p := b.queries
	if export {
		p = b.exports
	}
	return p.run(ctx, columns, b.values(args))
}

// values puts the arguments in the order of the placeholders.
func (b *database) values(args map[string]argument) []any {
	list := make([]any, len(b.bound.Order))
	for i, name := range b.bound.Order {
		if a := args[name]; a.given {
			list[i] = b.engine.bind(a)
		}
	}
	return list
}

// classify gives an error of the driver its sentinel. What the context says comes first: a driver that was interrupted
// reports whatever it was doing.
func classify(ctx context.Context, e engine, doing string, err error) error {
	if over := ended(ctx, err); over != nil {
		return fmt.Errorf("%s: %w", doing, over)
	}
	return fmt.Errorf("%s: %w", doing, e.fault(err))
}

// ended says whether the context is why err came. Drivers set the context's deadline on their connections too, and that
// timer may fire a moment before the context's own.
func ended(ctx context.Context, err error) error {
	const moment = 20 * time.Millisecond
	deadline, limited := ctx.Deadline()
	var timer interface{ Timeout() bool }
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case ctx.Err() != nil, limited && time.Until(deadline) < moment && errors.As(err, &timer) && timer.Timeout():
		return ErrTimeout
	}
	return nil
}

// recordset is the cursor over an SQL result.
type recordset struct {
	pool   *pool
	rows   *sql.Rows
	shapes []shape // of the columns asked for
	values []any   // of the columns asked for, in their order
	into   []any   // scan targets, in the order of the result
}

func (r *recordset) next(ctx context.Context) ([]any, error) {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return nil, r.pool.failed(classify(ctx, r.pool.engine, "reading rows", err))
		}
		return nil, io.EOF
	}
	if err := r.rows.Scan(r.into...); err != nil {
		return nil, classify(ctx, r.pool.engine, "reading a row", err)
	}
	for i, s := range r.shapes {
		if s != shapePlain {
			r.values[i] = s.apply(r.values[i])
		}
	}
	return r.values, nil
}

func (r *recordset) close() { r.rows.Close() }
