package translog_test

import (
	"encoding/hex"
	"os"
	"regexp"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// TestVector compares the vector of the package comment with the code.
func TestVector(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var record []byte
	for i := range byte(16) {
		record = append(record, i)
	}
	record = append(record, "kuasheng!"...)
	commitment, leaf := translog.Commitment(record), translog.LeafHash(record)
	for name, got := range map[string]string{
		"commitment": hex.EncodeToString(commitment[:]),
		"leaf":       hex.EncodeToString(leaf[:]),
	} {
		want := regexp.MustCompile(`//\t` + name + ` +([0-9a-f]{64})\n`).FindSubmatch(src)
		if want == nil || string(want[1]) != got {
			t.Errorf("%s is %s, the package comment says otherwise", name, got)
		}
	}
}

// TestLeafHash compares with tlog, on both sides of the size up to which nothing is allocated.
func TestLeafHash(t *testing.T) {
	for _, n := range []int{0, 1, 500, 1023, 1024, 1025, 5000} {
		record := make([]byte, n)
		for i := range record {
			record[i] = byte(i * 7)
		}
		c := translog.Commitment(record)
		if got, want := translog.LeafHash(record), tlog.RecordHash(c[:]); got != want {
			t.Errorf("LeafHash of %d bytes = %v, want %v", n, got, want)
		}
	}
	record := make([]byte, 500)
	if n := testing.AllocsPerRun(100, func() { translog.LeafHash(record) }); n != 0 {
		t.Errorf("LeafHash of a usual record allocates %v times", n)
	}
}
