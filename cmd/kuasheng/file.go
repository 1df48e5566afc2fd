package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// readBounded reads a file of at most limit bytes, or stdin for "-" where the command takes it. Errors never quote content.
func readBounded(path string, stdin io.Reader, limit int64) (data []byte, err error) {
	in := stdin
	if path != "-" || stdin == nil {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("opening a file: %w", err)
		}
		defer f.Close()
		in = f
	}
	if data, err = io.ReadAll(io.LimitReader(in, limit+1)); err != nil {
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading %q: it is larger than %d bytes", path, limit)
	}
	return data, nil
}

// newPrivateFile creates a file that must not exist yet: neither evidence nor data is ever overwritten.
func newPrivateFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("creating %q: it exists already; move it away or name another file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("creating a file: %w", err)
	}
	return f, nil
}

// writeDurable writes all and closes, and returns only when it is on the disk.
func writeDurable(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %q: %w", f.Name(), err)
	}
	return nil
}

// replaceDurable puts new content in place of a file at once: after a crash it is the old or the new, whole.
func replaceDurable(path string, data []byte) error {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("creating a file: %w", err)
	}
	if err := writeDurable(f, data); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("putting a file in place: %w", err)
	}
	return syncDirectory(path)
}

// syncDirectory makes the name of a file durable: a file that was synced may still be gone after a crash if its directory was not.
func syncDirectory(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("opening a directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("making the name of %q durable: %w", path, err)
	}
	return nil
}
