package badgerdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// RemoveEmpty removes the log files that a killed process left without a byte. Nothing is lost with them: they were not used yet, or what they
// held is in the tables. Where another process has the database open it does nothing, for the empty file may be that one's next log; Badger
// will refuse to open it.
func RemoveEmpty(dir string) (err error) {
	lock, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("looking for empty log files: %w", err)
	}
	defer lock.Close()
	// Badger's own lock, taken in Badger's own way.
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	} else if err != nil {
		return fmt.Errorf("locking %s: %w", dir, err)
	}
	// Closing is not enough: a program being started at this moment holds a copy of the descriptor, and Badger would find the lock taken.
	defer func() { err = errors.Join(err, unix.Flock(int(lock.Fd()), unix.LOCK_UN)) }()
	files, err := lock.ReadDir(-1)
	if err != nil {
		return fmt.Errorf("looking for empty log files: %w", err)
	}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); ext != ".mem" && ext != ".vlog" {
			continue
		}
		info, err := f.Info()
		if err == nil && info.Mode().IsRegular() && info.Size() == 0 {
			err = os.Remove(filepath.Join(dir, f.Name()))
		}
		if err != nil {
			return fmt.Errorf("removing an empty log file: %w", err)
		}
	}
	return nil
}
