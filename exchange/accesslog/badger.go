package accesslog

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// openBadger opens the index's database.
//
// It could do without SyncWrites, for the log can always bring it up to date; but Badger does not sync a full memtable's file when it begins
// the next, so that a power cut could keep a later batch and lose an earlier one, and accesses would be missing from every list without a
// trace. Batches make it five syncs a second at most.
//
// The options keep it small, about 30 MiB: the index grows by some 30 bytes an access, is read in short runs, and shares its memory with
// the exchange's real work.
func openBadger(dir string, logger *slog.Logger) (db *badger.DB, err error) {
	opt := badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithDetectConflicts(false). // one writer
		WithMemTableSize(8 << 20).WithNumMemtables(2).
		WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(8).WithNumCompactors(2).
		WithValueLogFileSize(1 << 20). // unused: all values are small and stay with their keys
		WithCompression(options.None).WithBlockCacheSize(0).
		WithBloomFalsePositive(0). // keys that do not exist are hardly ever looked up
		WithMetricsEnabled(false).
		WithLogger(badgerLogger{logger})
	defer func() {
		if r := recover(); r != nil { // Badger trusts its files in places
			db, err = nil, fmt.Errorf("opening the index: %w: %v", errDamaged, r)
		}
	}()
	if db, err = badger.Open(opt); err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	return db, nil
}

// badgerLogger passes on what an operator should know. Badger's own messages hold file names and sizes, never keys or values.
type badgerLogger struct{ logger *slog.Logger }

// Errorf implements badger.Logger.
func (l badgerLogger) Errorf(format string, args ...any) {
	l.logger.Error("index database", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Warningf implements badger.Logger.
func (l badgerLogger) Warningf(format string, args ...any) {
	l.logger.Warn("index database", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Infof implements badger.Logger.
func (badgerLogger) Infof(string, ...any) {}

// Debugf implements badger.Logger.
func (badgerLogger) Debugf(string, ...any) {}
