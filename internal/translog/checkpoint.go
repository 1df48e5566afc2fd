package translog

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/note"
)

// maxCheckpoint bounds a signed checkpoint from outside: three lines and room for more than 50 witness signatures of
// about 200 bytes, while a hostile peer cannot make us parse megabytes.
const maxCheckpoint = 16 << 10

// Checkpoint is what a log commits to at one moment: the root of its tree at a size.
type Checkpoint struct {
	Origin string // the log's name, unique in the world
	Size   int64
	Root   Hash
}

// AppendText appends the note text that is signed: origin, size and root, a line each.
func (cp Checkpoint) AppendText(b []byte) ([]byte, error) {
	b = append(b, cp.Origin...)
	b = append(b, '\n')
	b = strconv.AppendInt(b, cp.Size, 10)
	b = append(b, '\n')
	b = base64.StdEncoding.AppendEncode(b, cp.Root[:])
	return append(b, '\n'), nil
}

// SignCheckpoint returns cp as a signed note. Signing is the log's promise that this is its only tree of this size: a log
// signs a size once, after its records are about to become durable, and never again with another root.
func SignCheckpoint(cp Checkpoint, s note.Signer) ([]byte, error) {
	if s.Name() != cp.Origin {
		return nil, fmt.Errorf("signing checkpoint of %q with the key of %q: %w", cp.Origin, s.Name(), ErrKey)
	}
	if err := checkOrigin(cp.Origin); err != nil {
		return nil, fmt.Errorf("signing checkpoint: %w", err)
	}
	if cp.Size < 0 || cp.Size > MaxSize {
		return nil, fmt.Errorf("signing checkpoint of size %d: %w", cp.Size, ErrRange)
	}
	text, _ := cp.AppendText(make([]byte, 0, 512)) // never fails
	signed, err := note.Sign(&note.Note{Text: string(text)}, s)
	if err != nil {
		return nil, fmt.Errorf("signing checkpoint of size %d: %w", cp.Size, err)
	}
	return signed, nil
}

// OpenCheckpoint verifies v's signature on a checkpoint and parses it. The format is strict, so that one checkpoint has
// one text: no extension lines, no leading zeros, canonical base64. The origin must be v's name, or a key shared by two
// logs would let one speak for the other.
func OpenCheckpoint(signed []byte, v note.Verifier) (Checkpoint, error) {
	if len(signed) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes long", ErrCheckpoint, len(signed))
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: opening note of %q: %w", ErrCheckpoint, v.Name(), err)
	}
	for _, sig := range n.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return Checkpoint{}, fmt.Errorf("%w: signature is not canonical base64", ErrCheckpoint)
		}
	}
	cp, err := parseCheckpoint([]byte(n.Text))
	if err != nil {
		return Checkpoint{}, err
	}
	if cp.Origin != v.Name() {
		return Checkpoint{}, fmt.Errorf("%w: origin is not %q", ErrCheckpoint, v.Name())
	}
	return cp, nil
}

func parseCheckpoint(text []byte) (Checkpoint, error) {
	origin, rest, ok1 := bytes.Cut(text, []byte("\n"))
	size, rest, ok2 := bytes.Cut(rest, []byte("\n"))
	root, rest, ok3 := bytes.Cut(rest, []byte("\n"))
	if !ok1 || !ok2 || !ok3 || len(rest) != 0 {
		return Checkpoint{}, fmt.Errorf("%w: not three lines", ErrCheckpoint)
	}
	cp := Checkpoint{Origin: string(origin)}
	var err error
	if cp.Size, err = strconv.ParseInt(string(size), 10, 64); err != nil || cp.Size < 0 || cp.Size > MaxSize {
		return Checkpoint{}, fmt.Errorf("%w: no such size", ErrCheckpoint)
	}
	raw, err := base64.StdEncoding.AppendDecode(nil, root)
	if err != nil || len(raw) != len(cp.Root) {
		return Checkpoint{}, fmt.Errorf("%w: root is not 32 bytes of base64", ErrCheckpoint)
	}
	copy(cp.Root[:], raw)
	// Writing it again is the shortest complete test for a canonical text.
	if again, _ := cp.AppendText(nil); !bytes.Equal(again, text) {
		return Checkpoint{}, fmt.Errorf("%w: text is not canonical", ErrCheckpoint)
	}
	return cp, nil
}
