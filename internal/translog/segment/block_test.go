package segment

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vectorBlock is the block of the package comment.
func vectorBlock() ([]byte, logID) {
	var id logID
	for i := range id {
		id[i] = byte(i)
	}
	b := make([]byte, page)
	encodeBlock(b, id, 7, 1700000000000000000, []Entry{{Record: []byte("a")}, {Record: []byte("bc")}}, []byte("note\n"))
	return b, id
}

func TestBlockVector(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(src), "then zeros:\n")
	text, _, _ := strings.Cut(after, "// # Block index entry")
	want := strings.Join(regexp.MustCompile(`[0-9a-f]{2,}`).FindAllString(text, -1), "")
	b, _ := vectorBlock()
	if got := hex.EncodeToString(bytes.TrimRight(b, "\x00")); got != want {
		t.Errorf("block is\n%s\nthe package comment says\n%s", got, want)
	}
}

func TestBlockRoundTrip(t *testing.T) {
	b, id := vectorBlock()
	var got block
	if err := got.parse(b, id); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]byte{[]byte("a"), []byte("bc")}, got.records); diff != "" {
		t.Error(diff)
	}
	if got.first != 7 || got.next() != 9 || got.time != 1700000000000000000 || string(got.note) != "note\n" || got.size() != page {
		t.Errorf("parsed %+v", got.blockHeader)
	}
}

// TestBlockAlterations flips every bit of a block, padding included.
func TestBlockAlterations(t *testing.T) {
	b, id := vectorBlock()
	var got block
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		if err := got.parse(b, id); err == nil {
			t.Fatalf("bit %d of byte %d altered, and the block parses", i%8, i/8)
		}
		b[i/8] ^= 1 << (i % 8)
	}
}

// TestBlockForged gives altered blocks right checksums, as someone who knows the format would.
func TestBlockForged(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alter func(b []byte)
		want  error
	}{
		{"kind", func(b []byte) { b[blockHeaderSize+4] = 1 }, errKind},
		{"record overruns", func(b []byte) { b[blockHeaderSize+3] = 200 }, errFormat},
		{"empty record", func(b []byte) { b[blockHeaderSize+3] = 0 }, errFormat},
		{"no records", func(b []byte) { binary.BigEndian.PutUint32(b[24:], 0) }, errFormat},
		{"one record more", func(b []byte) { binary.BigEndian.PutUint32(b[24:], 3) }, errFormat},
		{"one record fewer", func(b []byte) { binary.BigEndian.PutUint32(b[24:], 1) }, errFormat},
		{"huge body", func(b []byte) { binary.BigEndian.PutUint32(b[28:], 1<<31) }, errFormat},
		{"body beyond the block", func(b []byte) { binary.BigEndian.PutUint32(b[28:], 2*page) }, errFormat},
		{"huge note", func(b []byte) { binary.BigEndian.PutUint32(b[32:], 1<<31) }, errFormat},
		{"negative index", func(b []byte) { b[8] = 0xff }, errFormat},
		{"index too large", func(b []byte) { b[8] = 0x7f }, errFormat},
		{"other format", func(b []byte) { b[7] = 2 }, errFormat},
		{"reserved", func(b []byte) { b[59] = 1 }, errFormat},
		{"other log", func(b []byte) { b[40]++ }, ErrForeign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, id := vectorBlock()
			tt.alter(b)
			binary.BigEndian.PutUint32(b[36:], crc32.Checksum(b[blockHeaderSize:], castagnoli))
			binary.BigEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
			var got block
			if err := got.parse(b, id); !errors.Is(err, tt.want) {
				t.Errorf("parse = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestHeaderAlterations(t *testing.T) {
	b := make([]byte, page)
	want := header{key: 0x01020304, sequence: 3, size: 5 * page, id: logID{1}, origin: "log.example/a"}
	want.encode(b)
	got, err := parseHeader(b)
	if err != nil || got != want {
		t.Fatalf("parseHeader = %+v, %v, want %+v", got, err, want)
	}
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		if _, err := parseHeader(b); err == nil {
			t.Fatalf("bit %d of byte %d altered, and the header parses", i%8, i/8)
		}
		b[i/8] ^= 1 << (i % 8)
	}
}

// FuzzBlock gives the parser blocks with right checksums, which a hostile copy has too.
func FuzzBlock(f *testing.F) {
	b, id := vectorBlock()
	f.Add(bytes.TrimRight(b, "\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := make([]byte, padded(int64(max(len(data), blockHeaderSize))))
		copy(b, data)
		copy(b, blockMagic)
		binary.BigEndian.PutUint32(b[4:], formatNumber)
		copy(b[40:], id[:])
		binary.BigEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
		if h, err := parseBlockHeader(b, id); err == nil && h.size() <= int64(len(b)) {
			binary.BigEndian.PutUint32(b[36:], crc32.Checksum(b[blockHeaderSize:h.size()], castagnoli))
			binary.BigEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
		}
		var got block
		if err := got.parse(b, id); err != nil {
			return
		}
		// A block has one encoding, apart from padding after the note.
		entries := make([]Entry, len(got.records))
		for i, r := range got.records {
			entries[i].Record = r
		}
		again := make([]byte, got.size())
		encodeBlock(again, id, got.first, got.time, entries, got.note)
		end := blockHeaderSize + got.body + got.blockHeader.note
		if !bytes.Equal(again[blockHeaderSize:end], b[blockHeaderSize:end]) {
			t.Error("parsed block encodes to other bytes")
		}
	})
}
