package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// clock is a fixed time.
func clock() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

func TestParseExpiry(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Time
	}{
		{"90d", clock().AddDate(0, 0, 90)},
		{"1d", clock().AddDate(0, 0, 1)},
		{"2027-01-01", time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)},
		{"2027-01-01T12:00:00+08:00", time.Date(2027, 1, 1, 4, 0, 0, 0, time.UTC)},
	} {
		got, err := parseExpiry(tt.text, clock())
		if err != nil || !got.Equal(tt.want) {
			t.Errorf("parseExpiry(%q) = %v, %v, want %v", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "1099d", "99999999999999999999d", "tomorrow", "2026-11-22", "2027-02-30", "2020-01-01T00:00:00Z"} {
		if _, err := parseExpiry(text, clock()); !errors.Is(err, errUsage) {
			t.Errorf("parseExpiry(%q): %v, want a usage error", text, err)
		}
	}
}

func TestParseParameters(t *testing.T) {
	want := map[string]string{"id_number": "x=y", "since": "1890-01-01"}
	for _, text := range []string{
		"id_number=x=y\nsince=1890-01-01\n",
		"\ufeff# comment\r\n\r\n id_number =x=y\r\nsince=1890-01-01",
		` {"id_number":"x=y","since":"1890-01-01"} `,
	} {
		got := map[string]string{}
		if err := parseParameters(got, []byte(text)); err != nil || !cmp.Equal(got, want) {
			t.Errorf("parseParameters(%q) = %v, %v", text, got, err)
		}
	}
	const secret = "51010018800101001X"
	for _, text := range []string{
		secret, "=" + secret, "a=1\na=" + secret, `{"a":` + secret + `}`, `{"a":1}`, `{"a":{"b":"` + secret + `"}}`, `{"a":"1","a":"` + secret + `"}`,
		`{"a":"1"} {}`, `{"a":"1"`, `{`, "a=\xff" + secret,
	} {
		err := parseParameters(map[string]string{}, []byte(text))
		if !errors.Is(err, errParameter) {
			t.Errorf("parseParameters(%q) = %v, want errParameter", text, err)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("parseParameters(%q): the error quotes the value: %v", text, err)
		}
	}
}

func FuzzParseParameters(f *testing.F) {
	for _, seed := range []string{"a=b\n", `{"a":"b"}`, "{", "\ufeff#\n", "a=\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := map[string]string{}
		if err := parseParameters(got, data); err == nil {
			if _, ok := got[""]; ok {
				t.Error("a parameter without a name")
			}
		}
	})
}

func FuzzParseReceiptFile(f *testing.F) {
	for _, seed := range []string{
		`{"intentReceipt":{"record":"AA==","index":"1"},"answer":{"rows":[]},"verified":1}`, `{"receipt":null}`, `{"checkpoint":"","record":""}`, `[]`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parseReceiptFile(data)
		if err != nil {
			if !errors.Is(err, errReceiptFile) {
				t.Errorf("error = %v", err)
			}
			return
		}
		// Without any key nothing may hold.
		if err := (&receiptCheck{}).file(file); err == nil {
			t.Error("a receipt holds without a key")
		}
	})
}

func FuzzParseProfile(f *testing.F) {
	f.Add([]byte("address: a:1\njournal_keys: [b]\n"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parseProfile(data); (p == nil) == (err == nil) {
			t.Errorf("profile %v, error %v", p, err)
		}
	})
}

func TestWholeRows(t *testing.T) {
	for _, tt := range []struct {
		data       string
		rows, size int64
	}{
		{"", 0, 0}, {"half", 0, 0}, {"a\n", 1, 2}, {"a\nhal", 1, 2}, {"a\nbc\n", 2, 5}, {strings.Repeat("x\n", 1<<18) + "y", 1 << 18, 1 << 19},
	} {
		rows, size, err := wholeRows(strings.NewReader(tt.data))
		if err != nil || rows != tt.rows || size != tt.size {
			t.Errorf("wholeRows(%.20q) = %d, %d, %v, want %d, %d", tt.data, rows, size, err, tt.rows, tt.size)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	tab := table{head: []string{"省", "NAME"}}
	tab.add("河南省", "a\x1b[31m")
	tab.add("x", "b\nc")
	if err := tab.write(&b); err != nil {
		t.Fatal(err)
	}
	const want = "省      NAME\n河南省  a\ufffd[31m\nx       b c\n"
	if b.String() != want {
		t.Errorf("table = %q, want %q", b.String(), want)
	}
}

func TestAnswerTable(t *testing.T) {
	tab, ok := answerTable([]string{"b", "a", "c"}, "application/json", []byte(`{"rows":[{"a":"x\"y","b":12345678901234567890.10,"c":null}]}`))
	if !ok || !cmp.Equal(tab.rows, [][]string{{"12345678901234567890.10", `x"y`, "-"}}) {
		t.Errorf("table = %v, %v", tab, ok)
	}
	for _, body := range []string{`[]`, `{`, `{"rows":1}`, `{"other":[]}`} {
		if _, ok := answerTable(nil, "application/json", []byte(body)); ok {
			t.Errorf("%s counts as rows", body)
		}
	}
}

func TestEnum(t *testing.T) {
	for _, basis := range legalBases() {
		b, err := parseBasis(basis)
		if err != nil || enum(b, "LEGAL_BASIS_") != basis {
			t.Errorf("%q becomes %v, %v", basis, b, err)
		}
	}
	for _, text := range []string{"", "unspecified", "nothing"} {
		if _, err := parseBasis(text); !errors.Is(err, errUsage) {
			t.Errorf("parseBasis(%q) = %v, want a usage error", text, err)
		}
	}
}

func TestPages(t *testing.T) {
	cmd := &cobra.Command{}
	cmd.SetErr(&bytes.Buffer{})
	things := func(int32, string) ([]int, string, error) { return []int{1, 2}, "again", nil }
	if got, err := pages(cmd, 2, things); err != nil || len(got) != 2 {
		t.Errorf("pages = %v, %v", got, err)
	}
	if _, err := pages(cmd, 10, things); err == nil {
		t.Error("a server that repeats a page is asked for ever")
	}
	for _, limit := range []int{0, -1, maxLimit + 1} {
		if _, err := pages(cmd, limit, things); !errors.Is(err, errUsage) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// TestBar draws on something that looks like a terminal; on anything else there must be nothing.
func TestBar(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var none bytes.Buffer
	for _, total := range []int64{-1, 1, 100} {
		for _, w := range []io.Writer{null, &none} {
			b := newBar(w, total, "testing", total > 0)
			b.at(1)
			if total > 0 {
				b.total(1000)
			}
			b.at(1000)
			b.at(5)
			b.finish()
		}
	}
	if none.Len() > 0 {
		t.Errorf("drawn where nobody watches: %q", none.String())
	}
}
