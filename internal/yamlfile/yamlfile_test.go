package yamlfile

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func kind() Kind { return Kind{Name: "test's file", Init: "test init", Max: 1 << 20} }

func TestReads(t *testing.T) {
	r := Parse("etc/f.yaml", []byte("\ufefftext: abc # comment\r\npath: x/y\nabsolute: /x\naddress: '[::1]:80'\nsize: 2MiB\nplain: 4096\nmap: { b: 1.pem, a: 2.pem }\n"), kind())
	root := r.Root("text path absolute address size plain map", "other")
	m := root.Free("map")
	got := []any{
		root.Text("text"), root.Path("path"), root.Path("absolute"), root.Address("address", "a:1"), root.Size("size", 0, 0, 8<<20, 1), root.Size("plain", 0, 0, 8<<20, 4096),
		strings.Join(m.Names(), " "), m.Path("a"), root.Has("other"), root.Text("other"), root.Child("other", "", ""), root.Size("other", 7, 0, 1, 1), m.Key("a"), root.Where("path"),
	}
	want := []any{
		"abc", filepath.Join("etc", "x/y"), "/x", "[::1]:80", int64(2 << 20), int64(4096),
		"b a", filepath.Join("etc", "2.pem"), false, "", (*Table)(nil), int64(7), Position{7, 18}, Position{2, 7},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

// TestNil: what is absent reads as nothing, and is reported once.
func TestNil(t *testing.T) {
	var none *Table
	if none.Has("x") || none.Text("x") != "" || none.Path("x") != "" || none.Address("x", "") != "" || none.Free("x") != nil || none.Names() != nil ||
		none.Where("x") != (Position{1, 1}) || none.Key("x") != (Position{1, 1}) || none.Size("x", 3, 0, 0, 1) != 3 {
		t.Error("a nil table reads something")
	}
	r := Parse("f", []byte("a: 1"), kind())
	r.Root("b", "").Child("b", "c", "").Text("c")
	var m *Mistakes
	if !errors.As(r.Err(), &m) || !errors.Is(r.Err(), ErrMistakes) || len(m.List) != 2 {
		t.Errorf("got %v", r.Err())
	}
}

func TestBounded(t *testing.T) {
	var b strings.Builder
	for range 2 * maxMistakes {
		b.WriteString("x: 1\n")
	}
	r := Parse("f", []byte(b.String()), kind())
	r.Root("", "")
	var m *Mistakes
	if !errors.As(r.Err(), &m) || len(m.List) > maxMistakes {
		t.Error("the report is not bounded")
	}
	for _, size := range []string{"-1", "99999999999GiB", "1 MB", "x", "[1]"} {
		r := Parse("f", []byte("s: "+size), kind())
		if got := r.Root("s", "").Size("s", 0, 0, 1<<40, 1); got != 0 || r.Err() == nil {
			t.Errorf("size %s: got %d, %v", size, got, r.Err())
		}
	}
}
