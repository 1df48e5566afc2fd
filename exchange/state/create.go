package state

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/kuasheng/kuasheng/internal/badgerdir"
)

var (
	// ErrExists means that there is something already where a store was to be created.
	ErrExists = errors.New("state store exists already")
	// ErrNotExist means that there is no store. It is never made by opening: an exchange that starts on an empty disk must not take
	// itself for one without members and grants.
	ErrNotExist = errors.New("state store does not exist")
)

// Create makes the store of a new exchange and opens it. It is whole or not there: a crash leaves a directory named dir.new at most, which
// the next Create removes.
func Create(dir, trustDomain string, log *slog.Logger) (*Store, error) {
	if _, err := os.Lstat(dir); err == nil {
		return nil, fmt.Errorf("creating %s: %w", dir, ErrExists)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	if _, err := parseIdentity(encodeIdentity(trustDomain)); err != nil {
		return nil, fmt.Errorf("creating %s: trust domain: %w", dir, err)
	}
	unfinished := filepath.Clean(dir) + ".new"
	if err := fill(unfinished, trustDomain, log); err != nil {
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	if err := syncDir(filepath.Dir(filepath.Clean(dir))); err != nil {
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	return Open(dir, log)
}

// fill writes an empty store with its identity to dir.
func fill(dir, trustDomain string, log *slog.Logger) (err error) {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	db, err := openBadger(dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, badgerdir.Close(db, room)) }()
	return db.Update(func(txn *badger.Txn) error {
		return txn.Set([]byte(identityKey), encodeIdentity(trustDomain))
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
