package segment

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// edit changes a file of the log.
func edit(t *testing.T, cfg Config, name string, change func(b []byte) []byte) {
	t.Helper()
	path := filepath.Join(cfg.Dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), fileMode); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 4; return b }
}

// blank zeroes page i of a segment.
func blank(i int) func([]byte) []byte {
	return func(b []byte) []byte { clear(b[i*page : (i+1)*page]); return b }
}

// forge alters the byte at a place in the one-page block of page i and makes the checksums right again.
func forge(i, at int) func([]byte) []byte {
	return func(b []byte) []byte {
		bl := b[i*page : (i+1)*page]
		bl[at] ^= 4
		binary.BigEndian.PutUint32(bl[36:], crc32.Checksum(bl[blockHeaderSize:], castagnoli))
		binary.BigEndian.PutUint32(bl[60:], crc32.Checksum(bl[:60], castagnoli))
		return b
	}
}

// readdress gives every block from page i of segment seq on another log's id, checksums and all. Each is one page.
func readdress(seq int64, i int) func(t *testing.T, cfg *Config) {
	return func(t *testing.T, cfg *Config) {
		for ; seq < 4; seq, i = seq+1, 1 {
			edit(t, *cfg, segmentName(seq), func(b []byte) []byte {
				for i := i; i*page < len(b); i++ {
					if !zero(b[i*page : (i+1)*page]) {
						b = forge(i, 40)(b)
					}
				}
				return b
			})
		}
	}
}

func remove(t *testing.T, cfg Config, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(cfg.Dir, name)); err != nil {
		t.Fatal(err)
	}
}

// tampered describes what was done to a log of 14 records in segments 0 to 3: blocks 0–3, 4–7, 8–11, 12–13, of which
// each is one page and holds one record. Segment 4 may
// have been prepared.
type tampered struct {
	name   string
	do     func(t *testing.T, cfg *Config)
	open   error // from Open
	verify error // from Verify
	// index is the first wrong record: Open and Verify must both name it where they fail with a Fault.
	index int64
}

func tamperings(t *testing.T) []tampered {
	file := func(name string, change func([]byte) []byte) func(*testing.T, *Config) {
		return func(t *testing.T, cfg *Config) { edit(t, *cfg, name, change) }
	}
	// body is the first byte of a block's only record.
	const body = blockHeaderSize + recordOverhead
	both := func(steps ...func(*testing.T, *Config)) func(*testing.T, *Config) {
		return func(t *testing.T, cfg *Config) {
			for _, step := range steps {
				step(t, cfg)
			}
		}
	}
	noDerived := func(t *testing.T, cfg *Config) { remove(t, *cfg, derivedDir) }
	return []tampered{
		{"nothing", func(*testing.T, *Config) {}, nil, nil, 0},
		{"derived removed", noDerived, nil, nil, 0},
		{"block index emptied", file("derived/blocks", func([]byte) []byte { return nil }), nil, nil, 0},
		{"block index damaged", file("derived/blocks", flip(7*placeSize+9)), nil, nil, 0},
		{"block index short", file("derived/blocks", func(b []byte) []byte { return b[:70] }), nil, nil, 0},
		{"tiles damaged", file("derived/tiles-00", flip(5)), nil, nil, 0},
		{"tiles short", file("derived/tiles-00", func(b []byte) []byte { return b[:70] }), nil, nil, 0},
		{"tile file removed", func(t *testing.T, cfg *Config) { remove(t, *cfg, "derived/tiles-00") }, nil, nil, 0},

		{"record in the middle", file("segment-00000002", flip(2*page+body)), ErrCorrupt, ErrCorrupt, 9},
		{"padding in the middle", file("segment-00000002", flip(3*page-1)), ErrCorrupt, ErrCorrupt, 9},
		{"block header in the middle", file("segment-00000002", flip(2*page+30)), ErrCorrupt, ErrCorrupt, 9},
		{"block blanked in the middle", file("segment-00000002", blank(2)), ErrCorrupt, ErrCorrupt, 9},
		{"last block of a segment blanked", file("segment-00000002", blank(4)), ErrCorrupt, ErrCorrupt, 11},
		{"all blocks of a segment blanked", both(
			file("segment-00000002", blank(1)), file("segment-00000002", blank(2)),
			file("segment-00000002", blank(3)), file("segment-00000002", blank(4))), ErrCorrupt, ErrCorrupt, 8},
		{"record forged in the middle", file("segment-00000002", forge(2, body)), ErrCorrupt, ErrCorrupt, 9},
		{"time forged is not covered", file("segment-00000003", forge(2, 20)), nil, nil, 0},
		{"old record forged, derived removed", both(noDerived, file("segment-00000000", forge(2, body))), ErrCorrupt, ErrCorrupt, 1},
		{"root forged", file("segment-00000003", func(b []byte) []byte {
			at := bytes.Index(b[page:2*page], []byte(testOrigin+"\n13\n")) + len(testOrigin) + 6
			return forge(1, at)(b)
		}), ErrCorrupt, ErrCorrupt, 12},
		{"signature of the last forged", file("segment-00000003", func(b []byte) []byte {
			at := bytes.Index(b[2*page:], []byte("\n\n")) + len(testOrigin) + 40
			return forge(2, at)(b)
		}), ErrCorrupt, ErrCorrupt, 13},
		{"id altered from the middle on", readdress(2, 2), ErrCorrupt, ErrCorrupt, 9},
		{"id altered from the middle on, derived removed", both(noDerived, readdress(2, 2)), ErrCorrupt, ErrCorrupt, 9},
		{"id altered everywhere, derived removed", both(noDerived, readdress(0, 1)), ErrCorrupt, ErrCorrupt, 0},
		{"id of the last altered, derived removed", both(noDerived, readdress(3, 2)), ErrCorrupt, ErrCorrupt, 13},
		{"first record of the last altered, derived removed", both(noDerived, file("segment-00000003", forge(2, 15))), ErrCorrupt, ErrCorrupt, 13},
		{"format of the last altered, derived removed", both(noDerived, file("segment-00000003", forge(2, 7))), ErrCorrupt, ErrCorrupt, 13},
		{"record kind of the last altered, derived removed", both(noDerived, file("segment-00000003", forge(2, blockHeaderSize+4))), ErrCorrupt, ErrCorrupt, 13},
		{"headers of the last two destroyed, derived removed", both(noDerived,
			file("segment-00000003", flip(page)), file("segment-00000003", flip(2*page))), ErrCorrupt, ErrCorrupt, 12},
		{"last but one blanked, id of the last altered, derived removed", both(noDerived,
			file("segment-00000003", blank(1)), readdress(3, 2)), ErrCorrupt, ErrCorrupt, 12},
		{"last record and bytes behind it, derived removed", both(noDerived,
			file("segment-00000003", flip(2*page+body)), file("segment-00000003", flip(4*page+9))), ErrCorrupt, ErrCorrupt, 13},
		{"last header and bytes behind its note, derived removed", both(noDerived,
			file("segment-00000003", flip(2*page)), file("segment-00000003", flip(4*page+9))), ErrCorrupt, ErrCorrupt, 13},
		{"unsigned bytes behind the last", file("segment-00000003", flip(4*page+9)), nil, nil, 0},
		// Both see the last block as the torn tail of a crash; Open's block index knows better.
		{"last record", file("segment-00000003", flip(2*page+body)), ErrLost, nil, 0},
		{"last block blanked", file("segment-00000003", blank(2)), ErrLost, nil, 0},
		{"last record forged", file("segment-00000003", forge(2, body)), ErrCorrupt, ErrCorrupt, 13},

		{"segment removed", func(t *testing.T, cfg *Config) { remove(t, *cfg, "segment-00000001") }, ErrCorrupt, ErrCorrupt, -1},
		{"first segment removed", func(t *testing.T, cfg *Config) { remove(t, *cfg, "segment-00000000") }, ErrCorrupt, ErrCorrupt, -1},
		{"last segments removed", func(t *testing.T, cfg *Config) {
			remove(t, *cfg, "segment-00000003")
			remove(t, *cfg, "segment-00000004")
		}, ErrLost, nil, 0},
		{"all segments removed", func(t *testing.T, cfg *Config) {
			for i := range int64(5) {
				remove(t, *cfg, segmentName(i))
			}
		}, ErrNotExist, ErrNotExist, 0},
		{"segment header", file("segment-00000001", flip(40)), ErrCorrupt, ErrCorrupt, -1},
		{"segment cut", file("segment-00000001", func(b []byte) []byte { return b[:len(b)-page] }), ErrCorrupt, ErrCorrupt, -1},
		{"segment emptied", file("segment-00000001", func(b []byte) []byte { return nil }), ErrCorrupt, ErrCorrupt, -1},
		{"segments exchanged", func(t *testing.T, cfg *Config) {
			a, b := filepath.Join(cfg.Dir, "segment-00000001"), filepath.Join(cfg.Dir, "segment-00000002")
			if err := errors.Join(os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b)); err != nil {
				t.Fatal(err)
			}
		}, ErrForeign, ErrForeign, -1},
		{"segment of another log", func(t *testing.T, cfg *Config) {
			other := *cfg
			other.Dir += "2"
			mustCreate(t, other)
			l := mustOpen(t, other)
			fillLog(t, l, 6, 100)
			mustClose(t, l)
			b, err := os.ReadFile(filepath.Join(other.Dir, "segment-00000001"))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, *cfg, "segment-00000001", func([]byte) []byte { return b })
		}, ErrForeign, ErrForeign, -1},
		{"wrong key", func(t *testing.T, cfg *Config) {
			other := newConfig(t)
			cfg.Signer, cfg.Verifier = other.Signer, other.Verifier
		}, ErrForeign, ErrForeign, -1},
	}
}

func TestTampered(t *testing.T) {
	for _, tt := range tamperings(t) {
		t.Run(tt.name, func(t *testing.T) {
			cfg := newConfig(t)
			mustCreate(t, cfg)
			l := mustOpen(t, cfg)
			want := fillLog(t, l, 14, 100)
			mustClose(t, l)
			tt.do(t, &cfg)
			before := snapshot(t, cfg.Dir)

			_, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil)
			check := func(who string, err, want error) {
				t.Helper()
				var f *Fault
				switch {
				case !errors.Is(err, want):
					t.Errorf("%s = %v, want %v", who, err, want)
				case errors.As(err, &f) && f.Index != tt.index:
					t.Errorf("%s names record %d, want %d: %v", who, f.Index, tt.index, err)
				}
			}
			check("Verify", err, tt.verify)
			l, err = Open(cfg)
			check("Open", err, tt.open)
			if err == nil {
				checkWhole(t, l, want)
				checkWhole(t, l, fillLog(t, l, 3, 100))
				mustClose(t, l)
				return
			}
			for name, b := range snapshot(t, cfg.Dir) {
				if strings.HasPrefix(name, segmentPrefix) && !bytes.Equal(b, before[name]) {
					t.Errorf("Open refused the log and changed %s", name)
				}
			}
		})
	}
}

func snapshot(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files[e.Name()], err = os.ReadFile(path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

// TestVerifyNamesRecord alters one record in a block of many: Verify names it, because the tile file still holds the
// leaves that the checkpoint signed; and the block, when the tile file is gone.
func TestVerifyNamesRecord(t *testing.T) {
	cfg := newConfig(t)
	cfg.SegmentSize, cfg.MaxBlockBytes = 64*page, 32*page
	gate := make(chan struct{})
	cfg.OnCommit = func(*Commit) { <-gate }
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	var last *Batch
	for i := range int64(90) {
		var err error
		if last, _, err = l.Add(bytes.Repeat([]byte{byte('0' + i)}, 100), nil); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	<-last.Done()
	mustAppend(t, l, []byte("the last block")) // which could be a torn tail
	mustClose(t, l)
	for _, c := range []byte{'1', '2', 'C', 'Z'} {
		edit(t, cfg, segmentName(0), func(b []byte) []byte {
			b[bytes.Index(b, bytes.Repeat([]byte{c}, 100))+50]++
			return b
		})
		_, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil)
		var f *Fault
		if !errors.As(err, &f) || f.Index != int64(c-'0') || f.Count != 1 {
			t.Errorf("Verify = %v, want a fault at record %d", err, c-'0')
		}
		// Without the tile file only the commit is known: no record may be accused.
		aside := filepath.Join(t.TempDir(), "derived")
		if err := os.Rename(filepath.Join(cfg.Dir, derivedDir), aside); err != nil {
			t.Fatal(err)
		}
		_, err = Verify(t.Context(), cfg.Dir, cfg.Verifier, nil)
		if !errors.As(err, &f) || f.Count < 2 || int64(c-'0') < f.Index || int64(c-'0') >= f.Index+f.Count {
			t.Errorf("Verify without derived files = %v, want one of several records with %d", err, c-'0')
		}
		if err := os.Rename(aside, filepath.Join(cfg.Dir, derivedDir)); err != nil {
			t.Fatal(err)
		}
		edit(t, cfg, segmentName(0), func(b []byte) []byte {
			at := bytes.Index(b, bytes.Repeat([]byte{c}, 50)) + 50
			b[at]--
			return b
		})
	}
	if _, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil); err != nil {
		t.Errorf("Verify of the restored log = %v", err)
	}
}

// TestRecordCompared alters the files under an open log: readers never get what was not committed to.
func TestRecordCompared(t *testing.T) {
	cfg := newConfig(t)
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	fillLog(t, l, 6, 100)
	edit(t, cfg, segmentName(0), forge(2, blockHeaderSize+recordOverhead+3))
	_, err := l.Record(1)
	var f *Fault
	if !errors.As(err, &f) || f.Index != 1 {
		t.Errorf("Record = %v", err)
	}
	if err := l.Scan(t.Context(), 0, func(int64, []byte) error { return nil }); !errors.As(err, &f) || f.Index != 1 {
		t.Errorf("Scan = %v", err)
	}
	if _, err := l.Record(0); err != nil {
		t.Errorf("Record of a sound block = %v", err)
	}
}

// TestImitatedBlock tears a write whose record imitates a block of this very log, id and all. It must not stop the log
// from opening: the imitation is not signed.
func TestImitatedBlock(t *testing.T) {
	d := &faultDisk{}
	cfg := newConfig(t)
	cfg.disk = d
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	want := fillLog(t, l, 1, 100)
	fake := make([]byte, page)
	encodeBlock(fake, l.chain.heads[0].id, 1, time.Now().UnixNano(), []Entry{{Record: []byte("fake")}}, []byte("no note"))
	record := append(make([]byte, page-blockHeaderSize-recordOverhead), fake[:2000]...)
	d.set(on("write segment", verdict{err: errors.New("torn"), done: 512, late: true}))
	if _, _, err := l.Append(t.Context(), record); !errors.Is(err, ErrUnknown) {
		t.Fatal(err)
	}
	l.Close()
	d.set(nil)
	// The imitation reaches the disk whole, in place and with zeros behind it.
	edit(t, cfg, segmentName(0), func(b []byte) []byte { copy(b[3*page:4*page], fake); return b })
	l = mustOpen(t, cfg)
	checkWhole(t, l, want)
}

// TestVerifyTail verifies a copy with a torn tail, progress, and cancellation.
func TestVerifyTail(t *testing.T) {
	cfg := newConfig(t)
	mustCreate(t, cfg)
	l := mustOpen(t, cfg)
	fillLog(t, l, 6, 100)
	signed := l.Checkpoint()
	mustClose(t, l)
	edit(t, cfg, "segment-00000001", flip(3*page+11))
	var done, total int64
	report, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, func(d, n int64) { done, total = d, n })
	if err != nil || report.Torn == nil || report.Records != 6 || report.Blocks != 6 || !bytes.Equal(report.Signed, signed) {
		t.Errorf("Verify = %+v, %v", report, err)
	}
	if done != total || total != report.Bytes || total < 10*page {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, cfg.Dir, cfg.Verifier, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify = %v", err)
	}
	if _, err := Verify(t.Context(), cfg.Dir, mustVerifier(t, "log.example/other"), nil); !errors.Is(err, ErrForeign) {
		t.Errorf("Verify = %v", err)
	}
}

func mustVerifier(t *testing.T, origin string) interface {
	Name() string
	KeyHash() uint32
	Verify(msg, sig []byte) bool
} {
	t.Helper()
	_, vkey, err := translog.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	v, err := translog.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
