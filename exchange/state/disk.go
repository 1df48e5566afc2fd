package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"golang.org/x/sys/unix"
)

// ErrDiskFull means that a change was refused, and nothing written, because the disk has less than 32 MiB left.
var ErrDiskFull = errors.New("disk is full")

const (
	// memTable is the size of Badger's write buffer, allocated at once. A transaction may fill 15 % of it: above maxBlock with the
	// overhead of its keys. Two of them are the greater part of what Badger needs at rest.
	memTable = 8 << 20
	// freeFloor is what must be free before a block is written: both write buffers as log files and as tables.
	freeFloor = 4 * memTable
)

// openBadger opens the directory for one writer. Values stay below Badger's threshold for its value log, whose sync errors it does not
// return; those of the write-ahead log it does.
func openBadger(dir string, log *slog.Logger) (*badger.DB, error) {
	if err := checkFree(dir); err != nil {
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
		WithLogger(badgerLog{log}))
}

// checkFree keeps away from the end of the disk: see the package comment.
func checkFree(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("looking up free space: %w", err)
	}
	if free := uint64(fs.Bavail) * uint64(fs.Bsize); free < freeFloor {
		return fmt.Errorf("%d MiB are free and %d are needed: %w", free>>20, freeFloor>>20, ErrDiskFull)
	}
	return nil
}

// badgerLog passes on what Badger warns about; the rest is noise of its housekeeping. It logs keys at most, which name no person.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) Errorf(format string, args ...any)   { l.write(slog.LevelError, format, args) }
func (l badgerLog) Warningf(format string, args ...any) { l.write(slog.LevelWarn, format, args) }
func (l badgerLog) Infof(string, ...any)                {}
func (l badgerLog) Debugf(string, ...any)               {}

func (l badgerLog) write(level slog.Level, format string, args []any) {
	l.log.Log(context.Background(), level, "state store", "badger", strings.TrimSpace(fmt.Sprintf(format, args...)))
}
