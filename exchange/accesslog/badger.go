package accesslog

import (
	"fmt"
	"log/slog"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/kuasheng/kuasheng/internal/badgerdir"
)

const (
	// memTable is the size of Badger's write buffer. A transaction may fill 15 % of it: see batchKeys.
	memTable = 8 << 20
	// freeFloor is what must be free before anything is written: both write buffers as log files and as tables, and a merge of tables.
	freeFloor = 8 * memTable
)

// room keeps away from the end of the disk: the index rests there, and the exchange goes on without it.
func room(dir string) error { return badgerdir.Room(dir, freeFloor) }

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
		WithLogger(badgerdir.Logger(logger, "index database"))
	defer func() {
		if r := recover(); r != nil { // Badger trusts its files in places
			db, err = nil, fmt.Errorf("opening the index: %w: %v", errDamaged, r)
		}
	}()
	if err := badgerdir.RemoveEmpty(dir); err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	if db, err = badger.Open(opt); err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	return db, nil
}
