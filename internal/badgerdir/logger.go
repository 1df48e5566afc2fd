package badgerdir

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// logger passes on warnings and errors.
type logger struct {
	log   *slog.Logger
	store string
}

// Logger is a logger for a database: what Badger warns about goes to log under the store's name, the rest, which is noise of its
// housekeeping, nowhere. Badger's messages hold file names, sizes and at most keys, so a key must name no person.
func Logger(log *slog.Logger, store string) badger.Logger { return logger{log, store} }

// Errorf implements badger.Logger.
func (l logger) Errorf(format string, args ...any) { l.write(slog.LevelError, format, args) }

// Warningf implements badger.Logger.
func (l logger) Warningf(format string, args ...any) { l.write(slog.LevelWarn, format, args) }

// Infof implements badger.Logger.
func (logger) Infof(string, ...any) {}

// Debugf implements badger.Logger.
func (logger) Debugf(string, ...any) {}

func (l logger) write(level slog.Level, format string, args []any) {
	l.log.Log(context.Background(), level, l.store, "badger", strings.TrimSpace(fmt.Sprintf(format, args...)))
}
