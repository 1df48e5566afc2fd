package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrDiskFull means that the disk has too little room left for the journal's index.
var ErrDiskFull = errors.New("disk is full")

const (
	// memTable is the size of Badger's write buffer.
	memTable = 8 << 20
	// freeFloor is what must be free before the index is written: both write buffers as log files and as tables.
	freeFloor = 4 * memTable
)

// checkRoom keeps away from the end of the disk. Badger writes through mapped files: where the disk is full that is no error but a signal that
// kills the node, without a word to anybody.
func checkRoom(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("looking up free space: %w", err)
	}
	if free := uint64(fs.Bavail) * uint64(fs.Bsize); free < freeFloor {
		return fmt.Errorf("%d MiB are free and %d are needed: %w", free>>20, freeFloor>>20, ErrDiskFull)
	}
	return nil
}

// removeEmpty removes the write-ahead logs that a crash left empty between their making and their first byte: Badger takes none for its own and
// would not open.
func removeEmpty(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return fmt.Errorf("looking for empty write-ahead logs: %w", err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && info.Size() == 0 {
			err = os.Remove(name)
		}
		if err != nil {
			return fmt.Errorf("removing an empty write-ahead log: %w", err)
		}
	}
	return nil
}
