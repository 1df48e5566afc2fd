package translog_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/translog"
)

const origin = "log.example/exchange"

func newKey(t testing.TB, origin string) (note.Signer, note.Verifier) {
	t.Helper()
	skey, vkey, err := translog.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := translog.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := translog.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func mustSign(t testing.TB, cp translog.Checkpoint, s note.Signer) []byte {
	t.Helper()
	signed, err := translog.SignCheckpoint(cp, s)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// signText signs any text, as a hostile holder of the key can.
func signText(t testing.TB, text string, signers ...note.Signer) []byte {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestCheckpointRoundTrip(t *testing.T) {
	s, v := newKey(t, origin)
	witness, _ := newKey(t, "witness.example")
	for _, size := range []int64{0, 1, 1000, translog.MaxSize} {
		cp := translog.Checkpoint{Origin: origin, Size: size, Root: sha256.Sum256([]byte{byte(size)})}
		signed := mustSign(t, cp, s)
		if got, err := translog.OpenCheckpoint(signed, v); err != nil || got != cp {
			t.Errorf("OpenCheckpoint = %v, %v, want %v", got, err, cp)
		}
		text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, cp.Root)
		if !bytes.HasPrefix(signed, []byte(text+"\n")) {
			t.Errorf("signed note is\n%s", signed)
		}
		if got, err := translog.OpenCheckpoint(signText(t, text, s, witness), v); err != nil || got != cp {
			t.Errorf("with a witness: %v, %v", got, err)
		}
	}
	signed := mustSign(t, translog.Checkpoint{Origin: origin, Size: 77}, s)
	for i := range len(signed) * 8 {
		signed[i/8] ^= 1 << (i % 8)
		if _, err := translog.OpenCheckpoint(signed, v); !errors.Is(err, translog.ErrCheckpoint) {
			t.Fatalf("bit %d of byte %d altered: %v", i%8, i/8, err)
		}
		signed[i/8] ^= 1 << (i % 8)
	}
}

func TestCheckpointRefused(t *testing.T) {
	s, v := newKey(t, origin)
	other, _ := newKey(t, "log.example/other")
	impostor, _ := newKey(t, origin)
	root := translog.Hash{1}.String()
	for name, signed := range map[string][]byte{
		"nothing":          nil,
		"too long":         signText(t, origin+"\n1\n"+root+"\n"+strings.Repeat("x", 20000)+"\n", s),
		"other signer":     signText(t, origin+"\n1\n"+root+"\n", other),
		"impostor":         signText(t, origin+"\n1\n"+root+"\n", impostor),
		"other origin":     signText(t, "log.example/other\n1\n"+root+"\n", s),
		"extension":        signText(t, origin+"\n1\n"+root+"\nmore\n", s),
		"no root":          signText(t, origin+"\n1\n", s),
		"leading zero":     signText(t, origin+"\n01\n"+root+"\n", s),
		"plus sign":        signText(t, origin+"\n+1\n"+root+"\n", s),
		"negative":         signText(t, origin+"\n-1\n"+root+"\n", s),
		"negative zero":    signText(t, origin+"\n-0\n"+root+"\n", s),
		"underscore":       signText(t, origin+"\n1_0\n"+root+"\n", s),
		"too large":        signText(t, origin+"\n4611686018427387904\n"+root+"\n", s),
		"overflow":         signText(t, origin+"\n99999999999999999999\n"+root+"\n", s),
		"short root":       signText(t, origin+"\n1\nAAAA\n", s),
		"long root":        signText(t, origin+"\n1\n"+strings.Repeat("AAAA", 11)+"\n", s),
		"root not base64":  signText(t, origin+"\n1\n"+strings.Repeat("!", 44)+"\n", s),
		"root with spare":  signText(t, origin+"\n1\n"+root[:42]+"B=\n", s),
		"root unpadded":    signText(t, origin+"\n1\n"+root[:43]+"\n", s),
		"space after size": signText(t, origin+"\n1 \n"+root+"\n", s),
	} {
		if _, err := translog.OpenCheckpoint(signed, v); !errors.Is(err, translog.ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := translog.SignCheckpoint(translog.Checkpoint{Origin: "log.example/other"}, s); !errors.Is(err, translog.ErrKey) {
		t.Errorf("signing for another origin: %v", err)
	}
	if _, err := translog.SignCheckpoint(translog.Checkpoint{Origin: origin, Size: -1}, s); !errors.Is(err, translog.ErrRange) {
		t.Errorf("signing a negative size: %v", err)
	}
}

func TestKeyRefused(t *testing.T) {
	for _, origin := range []string{"", "a b", "a+b", "a\nb", "a\tb", "a\x00b", "a\u2028b", "\xff", strings.Repeat("x", 256)} {
		if _, _, err := translog.GenerateKey(origin); !errors.Is(err, translog.ErrKey) {
			t.Errorf("GenerateKey(%q) = %v", origin, err)
		}
	}
	for _, origin := range []string{"a", "log.example/交换", strings.Repeat("x", 255)} {
		newKey(t, origin)
	}
	secret := "PRIVATE+KEY+log.example+00000000+c2VjcmV0"
	if _, err := translog.NewSigner(secret); !errors.Is(err, translog.ErrKey) || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("NewSigner = %v", err)
	}
	if _, err := translog.NewVerifier("log.example"); !errors.Is(err, translog.ErrKey) {
		t.Errorf("NewVerifier = %v", err)
	}
}

// FuzzOpenCheckpoint parses arbitrary texts, signed and raw. What is accepted is canonical.
func FuzzOpenCheckpoint(f *testing.F) {
	s, v := newKey(f, origin)
	f.Add(origin + "\n1\n" + translog.Hash{}.String() + "\n")
	f.Add(origin + "\n1\n" + translog.Hash{}.String() + "\n\n— " + origin + " AAAAAAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := translog.OpenCheckpoint([]byte(text), v); !errors.Is(err, translog.ErrCheckpoint) {
			t.Fatalf("unsigned text: %v", err)
		}
		signed, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			return
		}
		cp, err := translog.OpenCheckpoint(signed, v)
		if err != nil {
			return
		}
		if again, _ := cp.AppendText(nil); string(again) != text {
			t.Errorf("accepted %q, which is not canonical", text)
		}
	})
}
