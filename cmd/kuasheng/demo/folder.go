package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// manifestFile is written last when a folder is set up: a folder without it is not a demo's, or not a whole one.
const manifestFile = "demo.json"

// errFolder means that a folder cannot be used.
var errFolder = errors.New("unusable folder")

// folder is where a demo keeps everything:
//
//	demo.json      what there is, for scripts; see Manifest
//	server.log     the servers' operations log
//	ca/            an authority for each trust domain, and the bundles that others get
//	exchange/      exchange.yaml, its SVID, its log key, its stores
//	henan/ …       node.yaml, its SVID, its journal's key, its journal, its departments' databases
//	party/         SVIDs and profiles of applications, operators, auditors, the administrator
//	refused/       SVIDs that must be refused
//	question/      requests to paste
//	export/        what was exported
//	tampered/      a copy of the access log with one forged record
type folder struct {
	dir       string // absolute: what is printed works from anywhere
	temporary bool
	keep      bool      // even if it is temporary
	kept      *Manifest // of the last start; nil at the first
}

// openFolder takes a folder of an earlier start, an empty one, or makes one.
func openFolder(dir string) (*folder, error) {
	if dir == "" {
		dir, err := os.MkdirTemp("", "kuasheng-demo-")
		if err != nil {
			return nil, fmt.Errorf("making a temporary folder: %w", err)
		}
		return &folder{dir: dir, temporary: true}, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding %q: %w", dir, err)
	}
	f := &folder{dir: abs}
	// Private keys lie here: nobody else looks in.
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("making the demo's folder: %w", err)
	}
	if f.kept, err = readManifest(f.path(manifestFile)); err == nil {
		return f, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, err := os.ReadDir(abs)
	if err != nil {
		return nil, fmt.Errorf("looking into the demo's folder: %w", err)
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("using %s: %w: it is not empty and holds no %s; name another one, or empty it if a first start was interrupted there",
			abs, errFolder, manifestFile)
	}
	return f, nil
}

// path is a place in the folder.
func (f *folder) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

// close removes a temporary folder.
func (f *folder) close() error {
	switch {
	case !f.temporary:
		return nil
	case f.keep:
		return fmt.Errorf("everything is kept in %s, with server.log: remove it yourself", f.dir)
	}
	if err := os.RemoveAll(f.dir); err != nil {
		return fmt.Errorf("removing the temporary folder: %w", err)
	}
	return nil
}

// writeFile writes a whole file and the folders on the way to it.
func writeFile(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	// By a rename: running nodes and scripts read these files at any moment.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("creating a file: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
