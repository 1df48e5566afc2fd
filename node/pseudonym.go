package node

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/policy"
)

// ErrPseudonymKeyChanged means that the journal's records were made with another pseudonym key: one person would have two pseudonyms in it, and
// nobody could tell any more who has looked at them.
var ErrPseudonymKeyChanged = errors.New("pseudonym key is not the one of the journal's records")

// pseudonymCheckFile lies beside the journal's log and index. It holds a keyed digest of a constant: it tells the key's owner whether a key is the
// same, and whoever steals it still has 32 random bytes to guess.
const pseudonymCheckFile = "pseudonym.check"

// checkPseudonymKey compares the key with the one that the journal was written with, and notes it where there are no records yet or no note.
// Without the note, as in a journal restored from log/ alone, the present key is believed. The caller holds the journal's lock.
func checkPseudonymKey(file *config.Node, p *policy.Policy, records int64) error {
	path := filepath.Join(file.DataDir, "journal", pseudonymCheckFile)
	check := p.Check()
	want := []byte(hex.EncodeToString(check[:]) + "\n")
	got, err := os.ReadFile(path)
	_, cut := hex.DecodeString(strings.TrimSpace(string(got)))
	switch {
	case err == nil && bytes.Equal(got, want):
		return nil
	case err == nil && len(got) == len(want) && cut == nil && records > 0:
		return fmt.Errorf("%w: put the key that it was begun with back into %s; a journal with another key is begun by \"node init\" under another replica name",
			ErrPseudonymKeyChanged, file.Policy.PseudonymKey)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("checking the pseudonym key: %w", err)
	}
	return noteCheck(path, want)
}

// noteCheck returns when the note is on the disk, before the first record under the key can be. A crash in the middle leaves none, or one that is no
// digest, which is written again.
func noteCheck(path string, note []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("noting the pseudonym key: %w", err)
	}
	_, err = f.Write(note)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("noting the pseudonym key: %w", err)
	}
	return nil
}
