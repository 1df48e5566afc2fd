package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

var (
	// ErrExists means that a file or store which was to be made is there already. It is never overwritten.
	ErrExists = errors.New("exists already")
	// ErrOpenSecret means that a secret can be read by others than the server's own user.
	ErrOpenSecret = errors.New("secret can be read by others")
)

// maxSecret is far above the 200 bytes of a key, so that a wrong path does not fill the memory.
const maxSecret = 4 << 10

// WriteNew writes a file that must not exist yet, and returns when it is on the disk. Directories are made with the mode of a secret's.
func WriteNew(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("writing %s: %w", path, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		// A half-written file must not stand in the way of the next attempt.
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(path))
	}
	return syncDirectory(filepath.Dir(path))
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing a directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing directory %s: %w", dir, err)
	}
	return nil
}

// ReadSecret reads a short secret. One that others can read is refused: somebody else may have it by now. Errors never quote it.
func ReadSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("opening a secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", fmt.Errorf("reading secret %s: %w", path, err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("reading secret %s: it is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("reading secret %s: %w (mode %04o): replace it if anybody may have read it, then \"chmod 600\" it", path, ErrOpenSecret, info.Mode().Perm())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading secret %s: %w", path, err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("reading secret %s: it is larger than %d bytes", path, maxSecret)
	}
	return strings.TrimSpace(string(data)), nil
}
