package source

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/kuasheng/kuasheng/node/config"
)

// liteEngine reads a SQLite file, the embedded default.
type liteEngine struct {
	path  string
	clock clock
}

func newSQLite(src config.Source, c clock) (engine, error) { return &liteEngine{src.Path, c}, nil }

// errLocked comes inside ErrUnavailable: another process has the file locked, and may let go of it at any moment.
var errLocked = errors.New("the file is locked")

// lockWait is how long SQLite waits for a lock by itself. It cannot be interrupted in it, so it is kept short and the pool tries again: that
// way a caller's deadline is overrun by at most this.
const lockWait = 50 * time.Millisecond

// open reads only: the file is opened so, is never created, and the session refuses to write besides.
func (e *liteEngine) open(limit time.Duration) (*sql.DB, error) {
	q := url.Values{}
	q.Set("mode", "ro")
	q.Add("_pragma", "query_only(1)")
	q.Add("_pragma", "busy_timeout("+strconv.FormatInt(min(limit, lockWait).Milliseconds(), 10)+")")
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: e.path}).EscapedPath(), RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("opening SQLite: %w: %w", ErrMapping, err)
	}
	return db, nil
}

// cast is not needed: SQLite's values carry their types.
func (e *liteEngine) cast(_ config.Type, placeholder string, _ bool) string { return placeholder }

// bind sends decimals as text: a column's affinity makes a number of it where one is wanted, and a REAL would lose
// digits. Times are sent as SQLite's own functions write them, in the source's time zone.
func (e *liteEngine) bind(a argument) any {
	switch a.kind {
	case config.TypeInteger:
		return a.integer
	case config.TypeDouble, config.TypeFloat:
		return a.float
	case config.TypeLogical:
		if a.logical {
			return int64(1)
		}
		return int64(0)
	case config.TypeTime:
		return a.instant.In(e.clock.zone).Format("2006-01-02 15:04:05.999999999")
	}
	return a.text
}

func (e *liteEngine) shape(string) shape { return shapeBinary } // bytes come of BLOBs only

func (e *liteEngine) fault(err error) error {
	var le *sqlite.Error
	if !errors.As(err, &le) {
		return fmt.Errorf("%w: SQLite's driver refused", ErrMapping)
	}
	sentinel := ErrMapping
	switch le.Code() & 0xff { // the upper bits are details
	case lib.SQLITE_INTERRUPT:
		sentinel = ErrTimeout
	case lib.SQLITE_BUSY:
		return fmt.Errorf("%w: %w: SQLite code %d", ErrUnavailable, errLocked, le.Code())
	case lib.SQLITE_LOCKED, lib.SQLITE_NOMEM, lib.SQLITE_IOERR, lib.SQLITE_CORRUPT, lib.SQLITE_CANTOPEN,
		lib.SQLITE_PERM, lib.SQLITE_AUTH, lib.SQLITE_NOTADB, lib.SQLITE_FULL, lib.SQLITE_PROTOCOL, lib.SQLITE_READONLY:
		sentinel = ErrUnavailable
	}
	return fmt.Errorf("%w: SQLite code %d", sentinel, le.Code())
}
