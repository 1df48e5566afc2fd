package badgerdir

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"
)

// ErrDiskFull means that too little of the disk is free for Badger to write.
var ErrDiskFull = errors.New("disk is full")

// Room returns an error that wraps ErrDiskFull when fewer than least bytes are free for this process on the disk of a directory. Between
// asking and writing somebody else may fill the disk, so least has to be generous.
func Room(dir string, least uint64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("looking up free space: %w", err)
	}
	// Bavail: what is kept back for the superuser is not ours.
	if free := uint64(fs.Bavail) * uint64(fs.Bsize); free < least {
		return fmt.Errorf("%d MiB are free and %d are needed: %w", free>>20, least>>20, ErrDiskFull)
	}
	return nil
}

// Close closes a database if room, asked about its directory, finds any. If not, it touches nothing and returns room's error: the database is
// open, and its directory locked, until the process ends. Nothing that was acknowledged with SyncWrites is lost by that.
func Close(db *badger.DB, room func(dir string) error) error {
	if err := room(db.Opts().Dir); err != nil {
		return fmt.Errorf("leaving the database open until the process ends: %w", err)
	}
	return db.Close()
}
