package accesslog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/kuasheng/kuasheng/internal/badgerdir"
)

// errRebuild means that the database cannot be used with this log.
var errRebuild = errors.New("index does not fit the log")

// open opens the database and returns how many records it covers. It trusts nothing: Badger's iterators end silently at a block that they
// cannot read, and an access would be hidden, so all checksums are verified first (a second for 50 million accesses).
//
// Badger goes further with some damage and takes the process down. A marker that outlives such an attempt condemns the database, so that
// one crash, and not a crash at every start, is what a rotten sector costs.
func (ix *index) open() (int64, error) {
	if err := ix.room(ix.dir); err != nil {
		return 0, err
	}
	marker := filepath.Join(ix.dir, "opening")
	if _, err := os.Stat(marker); err == nil {
		return 0, fmt.Errorf("%w: opening it did not end well the last time", errDamaged)
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return 0, err
	}
	size, err := ix.openDatabase()
	if err != nil {
		return 0, err
	}
	return size, os.Remove(marker)
}

func (ix *index) openDatabase() (int64, error) {
	db, err := openBadger(ix.dir, ix.logger)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errRebuild, err)
	}
	ix.db = db
	if err := db.VerifyChecksum(); err != nil {
		return 0, fmt.Errorf("%w: %w", errDamaged, err)
	}
	var m meta
	err = db.View(func(txn *badger.Txn) error {
		return read(txn, []byte{keyMeta}, func(b []byte) (err error) {
			m, err = parseMeta(b)
			return err
		})
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, ix.empty()
	}
	if err != nil {
		return 0, err
	}
	if m.size > ix.log.Size() {
		return 0, fmt.Errorf("%w: it covers %d records and the log has %d", errRebuild, m.size, ix.log.Size())
	}
	leaf, err := ix.log.Node(0, m.size-1)
	if err != nil {
		return 0, err
	}
	if leaf != m.leaf {
		return 0, fmt.Errorf("%w: its record %d is another one in the log", errRebuild, m.size-1)
	}
	return m.size, nil
}

// empty reports an error if the database holds anything although it says nothing about its extent.
func (ix *index) empty() error {
	return ix.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		if it.Rewind(); it.Valid() {
			return fmt.Errorf("the index does not say what it covers: %w", errDamaged)
		}
		return nil
	})
}

// renew throws the database away and opens an empty one. A crash on the way leaves less of the old one, which the next start renews.
func (ix *index) renew() (int64, error) {
	if err := ix.closeBadger(); errors.Is(err, badgerdir.ErrDiskFull) {
		return 0, err // it is open still, and there is no room for another one
	} else if err != nil {
		ix.logger.Warn("closing the old index", "error", err)
	}
	ix.db = nil
	if err := os.RemoveAll(ix.dir); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(ix.dir, 0o700); err != nil {
		return 0, err
	}
	return ix.open()
}

func (ix *index) closeBadger() error {
	if ix.db == nil {
		return nil
	}
	return badgerdir.Close(ix.db, ix.room)
}

// covered is how many records the index covers, as of a transaction.
func covered(txn *badger.Txn) (int64, error) {
	var m meta
	err := read(txn, []byte{keyMeta}, func(b []byte) (err error) {
		m, err = parseMeta(b)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	return m.size, err
}
