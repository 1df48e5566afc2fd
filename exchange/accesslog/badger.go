package accesslog

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"golang.org/x/sys/unix"
)

// errDiskFull means that the index rests because the disk is nearly full.
var errDiskFull = errors.New("disk is full")

const (
	// memTable is the size of Badger's write buffer. A transaction may fill 15 % of it: see batchKeys.
	memTable = 8 << 20
	// freeFloor is what must be free before anything is written: both write buffers as log files and as tables, and a merge of tables.
	freeFloor = 8 * memTable
)

// checkRoom keeps away from the end of the disk. Badger writes through mapped files: where the disk is full that is no error but SIGBUS, and
// the exchange would go down with its index.
func checkRoom(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("looking up free space: %w", err)
	}
	if free := uint64(fs.Bavail) * uint64(fs.Bsize); free < freeFloor {
		return fmt.Errorf("%w: the index needs %d MiB free and has %d", errDiskFull, freeFloor>>20, free>>20)
	}
	return nil
}

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
		WithMemTableSize(memTable).WithNumMemtables(2).
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
