package translog

import (
	"crypto/rand"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// maxOrigin bounds a log's name: a DNS name and a path fit, and the segment header has a fixed place for it.
const maxOrigin = 255

// GenerateKey makes an Ed25519 key pair in the encodings of signed notes. The origin, by custom a host name with a path
// and no scheme, becomes the key's name. The signer key is a secret: keep it in a file that only the log's owner reads.
func GenerateKey(origin string) (signerKey, verifierKey string, err error) {
	if err := checkOrigin(origin); err != nil {
		return "", "", fmt.Errorf("generating log key: %w", err)
	}
	signerKey, verifierKey, err = note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return "", "", fmt.Errorf("generating log key for %q: %w", origin, err)
	}
	return signerKey, verifierKey, nil
}

// NewSigner returns the signer of a key from [GenerateKey]. Its errors never quote the key.
func NewSigner(signerKey string) (note.Signer, error) {
	s, err := note.NewSigner(signerKey)
	if err != nil {
		return nil, fmt.Errorf("reading signer key: %w: %w", ErrKey, err)
	}
	if err := checkOrigin(s.Name()); err != nil {
		return nil, fmt.Errorf("reading signer key: %w", err)
	}
	return s, nil
}

// NewVerifier returns the verifier of a key from [GenerateKey].
func NewVerifier(verifierKey string) (note.Verifier, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return nil, fmt.Errorf("reading verifier key: %w: %w", ErrKey, err)
	}
	if err := checkOrigin(v.Name()); err != nil {
		return nil, fmt.Errorf("reading verifier key: %w", err)
	}
	return v, nil
}

// checkOrigin refuses names that would make a note ambiguous or that signed notes refuse.
func checkOrigin(origin string) error {
	odd := func(r rune) bool { return r == '+' || unicode.IsSpace(r) || !unicode.IsPrint(r) }
	switch {
	case origin == "", len(origin) > maxOrigin:
		return fmt.Errorf("origin of %d bytes, want 1 to %d: %w", len(origin), maxOrigin, ErrKey)
	case !utf8.ValidString(origin), strings.IndexFunc(origin, odd) >= 0:
		return fmt.Errorf("origin %q holds a space, a plus sign or something unprintable: %w", origin, ErrKey)
	}
	return nil
}
