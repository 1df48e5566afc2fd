package state

import (
	"log/slog"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/kuasheng/kuasheng/internal/badgerdir"
)

// ErrDiskFull means that a change was refused, and nothing written, because the disk has less than 32 MiB left.
var ErrDiskFull = badgerdir.ErrDiskFull

const (
	// memTable is the size of Badger's write buffer, allocated at once. A transaction may fill 15 % of it: above maxBlock with the
	// overhead of its keys. Two of them are the greater part of what Badger needs at rest.
	memTable = 8 << 20
	// freeFloor is what must be free before a block is written: both write buffers as log files and as tables.
	freeFloor = 4 * memTable
)

// room keeps away from the end of the disk.
func room(dir string) error { return badgerdir.Room(dir, freeFloor) }

// openBadger opens the directory for one writer. Values stay below Badger's threshold for its value log, whose sync errors it does not
// return; those of the write-ahead log it does. The logger may meet keys, which name no person.
func openBadger(dir string, log *slog.Logger) (*badger.DB, error) {
	if err := room(dir); err != nil {
		return nil, err
	}
	if err := badgerdir.RemoveEmpty(dir); err != nil {
		return nil, err
	}
	return badger.Open(badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithDetectConflicts(false). // one committer, which compares revisions itself
		WithMemTableSize(memTable).
		WithNumMemtables(2).
		WithValueLogFileSize(1 << 20). // stays empty
		WithCompression(options.None). // tables are then read in place, without a cache
		WithBlockCacheSize(0).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithLogger(badgerdir.Logger(log, "state store")))
}
