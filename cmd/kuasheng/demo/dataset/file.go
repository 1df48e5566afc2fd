package dataset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver, pure Go: the demo needs nothing but Go
)

// batch is the number of rows of one INSERT and batches the number of those in a transaction. Thirty rows of the widest table
// stay far below SQLite's 32,766 parameters; a transaction of some thousand rows keeps the pages it changes in the cache.
const (
	batch   = 30
	batches = 200
)

// writeFile writes tables into a database and returns the rows of each. It writes beside the path and renames at the end, so
// that after a crash or a cancelled context the path holds the old database or none.
func writeFile(ctx context.Context, path string, w *world, tables []table, m *meter) (rows map[string]int, err error) {
	partial := path + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing what an earlier run left: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(partial) // the error that is being returned says more than one of this
		}
	}()
	rows, err = fill(ctx, partial, w, tables, m)
	if err != nil {
		return nil, err
	}
	if err := settle(partial, path); err != nil {
		return nil, err
	}
	return rows, nil
}

// settle puts a finished database in place. The sync comes first, once for the whole file: otherwise a power cut could leave
// the new name with half the content.
func settle(partial, path string) error {
	f, err := os.OpenFile(partial, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the finished database: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("syncing the finished database: %w", err)
	}
	if err := os.Rename(partial, path); err != nil {
		return fmt.Errorf("putting the database in place: %w", err)
	}
	return nil
}

// fill makes a database without a journal: nothing of a file that is thrown away on failure needs rolling back. What results is
// one plain file that readers may open read-only.
func fill(ctx context.Context, path string, w *world, tables []table, m *meter) (rows map[string]int, err error) {
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	name.RawQuery = url.Values{"_pragma": {"journal_mode(off)", "synchronous(off)", "locking_mode(exclusive)"}}.Encode()
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	defer func() {
		if closing := db.Close(); err == nil && closing != nil {
			err = fmt.Errorf("closing the database: %w", closing)
		}
	}()
	db.SetMaxOpenConns(1) // the file is locked exclusively: a second connection would wait for the first forever
	rows = map[string]int{}
	for _, t := range tables {
		if rows[t.name], err = fillTable(ctx, db, w, t, m); err != nil {
			return nil, fmt.Errorf("filling table %s: %w", t.name, err)
		}
	}
	return rows, nil
}

func fillTable(ctx context.Context, db *sql.DB, w *world, t table, m *meter) (int, error) {
	if _, err := db.ExecContext(ctx, t.create()); err != nil {
		return 0, err
	}
	d := newDice(w.seed, w.province.region.Code, "table "+t.name)
	in := inserter{db: db, table: t}
	for i := range t.subjects(w) {
		for _, r := range t.rows(w, d, i) {
			if err := in.add(ctx, r); err != nil {
				return 0, errors.Join(err, in.rollback())
			}
		}
		m.add()
	}
	if err := in.finish(ctx); err != nil {
		return 0, errors.Join(err, in.rollback())
	}
	// Indexes last: building one over a finished table is faster than keeping it up to date.
	for _, statement := range t.index() {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	return in.total, nil
}

// inserter gathers rows into statements and statements into transactions.
type inserter struct {
	db     *sql.DB
	table  table
	tx     *sql.Tx
	stmt   *sql.Stmt // inserts a full batch, within tx
	values []any
	rows   int // in values
	done   int // batches in tx
	total  int
}

func (in *inserter) add(ctx context.Context, r row) error {
	if len(r) != len(in.table.columns) {
		return fmt.Errorf("a row has %d values for %d columns", len(r), len(in.table.columns))
	}
	in.values = append(in.values, r...)
	in.rows++
	if in.rows < batch {
		return nil
	}
	if err := in.begin(ctx); err != nil {
		return err
	}
	if _, err := in.stmt.ExecContext(ctx, in.values...); err != nil {
		return err
	}
	in.written()
	if in.done++; in.done == batches {
		return in.commit()
	}
	return nil
}

// finish inserts what does not fill a batch and commits.
func (in *inserter) finish(ctx context.Context) error {
	if in.rows > 0 {
		if err := in.begin(ctx); err != nil {
			return err
		}
		if _, err := in.tx.ExecContext(ctx, in.table.insert(in.rows), in.values...); err != nil {
			return err
		}
		in.written()
	}
	return in.commit()
}

func (in *inserter) written() {
	in.total += in.rows
	in.rows, in.values = 0, in.values[:0]
}

func (in *inserter) begin(ctx context.Context) error {
	if in.tx != nil {
		return nil
	}
	var err error
	if in.tx, err = in.db.BeginTx(ctx, nil); err != nil {
		return err
	}
	in.stmt, err = in.tx.PrepareContext(ctx, in.table.insert(batch))
	return err
}

func (in *inserter) commit() error {
	if in.tx == nil {
		return nil
	}
	tx := in.tx
	in.tx, in.stmt, in.done = nil, nil, 0
	return tx.Commit()
}

// rollback frees the connection after an error; without it closing the database would wait for the transaction.
func (in *inserter) rollback() error {
	if in.tx == nil {
		return nil
	}
	if err := in.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}
