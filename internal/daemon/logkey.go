package daemon

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// LogKey is the key of a log: the signer, and its public half as others are given it.
type LogKey struct {
	Signer   note.Signer
	Verifier note.Verifier
	Public   string
}

// ReadLogKey reads the signer key of a log that WriteLogKey wrote.
func ReadLogKey(path string) (LogKey, error) {
	text, err := ReadSecret(path)
	if err != nil {
		return LogKey{}, err
	}
	signer, err := translog.NewSigner(text)
	if err != nil {
		return LogKey{}, fmt.Errorf("reading log key %s: %w", path, err)
	}
	public, err := publicKey(text)
	if err != nil {
		return LogKey{}, fmt.Errorf("reading log key %s: %w", path, err)
	}
	verifier, err := translog.NewVerifier(public)
	if err != nil {
		return LogKey{}, fmt.Errorf("reading log key %s: %w", path, err)
	}
	return LogKey{signer, verifier, public}, nil
}

// WriteLogKey makes the key of a new log and writes it to a file that must not exist yet.
func WriteLogKey(path, origin string) (LogKey, error) {
	signer, _, err := translog.GenerateKey(origin)
	if err != nil {
		return LogKey{}, err
	}
	if err := WriteNew(path, []byte(signer+"\n"), 0o600); err != nil {
		return LogKey{}, err
	}
	return ReadLogKey(path)
}

// publicKey derives the verifier key from a signer key, so that one file is the whole truth and the two cannot come apart. The form is
// that of signed notes: PRIVATE+KEY+<name>+<hash>+<base64 of algorithm 1 and seed>; NewSigner has checked it.
func publicKey(signer string) (string, error) {
	parts := strings.Split(signer, "+")
	if len(parts) < 5 {
		return "", translog.ErrKey
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(parts[4:], "+"))
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", translog.ErrKey // the cause could quote the key
	}
	public, ok := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", translog.ErrKey
	}
	return note.NewEd25519VerifierKey(parts[2], public)
}
