package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"
)

// disk is what the log asks of the file system. Tests wrap it to make any single step fail, tear or lie.
type disk interface {
	// mkdir makes dir durably, if it is not there.
	mkdir(dir string) error
	list(dir string) ([]string, error)
	// read opens a file for reading.
	read(name string) (file, error)
	// write opens a file for buffered reading and writing, making it if it is not there.
	write(name string) (file, error)
	// commit opens an existing file whose writes are durable when they return, past the page cache where possible:
	// offsets, lengths and memory must be multiples of page.
	commit(name string) (file, error)
	rename(from, to string) error
	remove(name string) error
	// sync makes the names in dir durable.
	sync(dir string) error
	// lock takes the only lock on name, or fails with ErrLocked. It ends with the process.
	lock(name string) (io.Closer, error)
}

// file is an open file of a disk.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	size() (int64, error)
	// allocate reserves room for size bytes, so that a full disk shows before anything depends on it.
	allocate(size int64) error
}

// osDisk is the machine's file system.
type osDisk struct{}

type osFile struct{ *os.File }

// Records describe who saw what: only the log's own user reads them.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

func (d osDisk) mkdir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if parent != dir {
		if err := d.mkdir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.sync(parent)
}

func (osDisk) list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osDisk) read(name string) (file, error) { return open(name, os.O_RDONLY) }

func (osDisk) write(name string) (file, error) { return open(name, os.O_RDWR|os.O_CREATE) }

func open(name string, flag int) (file, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(name string) error { return os.Remove(name) }

func (osDisk) sync(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing directory: %w", err)
	}
	return nil
}

func (f osFile) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// aligned returns n bytes that start at a multiple of page in memory, as O_DIRECT demands. The Go heap does not move.
func aligned(n int64) []byte {
	b := make([]byte, n+page)
	skip := page - int64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))%page)
	return b[skip : skip+n : skip+n]
}
