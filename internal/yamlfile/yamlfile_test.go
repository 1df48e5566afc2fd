package yamlfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func kind() Kind { return Kind{Server: "test", Init: `"test init"`, Max: 1 << 20} }

// readAll reads one key of each kind; every test goes through it.
func readAll(r *Reader) []any {
	root := r.Root("text", "short path absolute address addresses size plain yes count time word texts map one list")
	free := root.Free("map")
	one := root.ChildAs("one", "the one", "a", "b")
	got := []any{
		root.Text("text"), root.TextWithin("short", 3), root.Path("path"), root.Path("absolute"), root.Address("address", "a:1"),
		strings.Join(root.Addresses("addresses", 2, "a:1"), " "), root.Size("size", 7, 0, 8<<20, 4096), root.Size("plain", 7, 0, 8<<20, 4096),
		root.Bool("yes", false), root.Integer("count", 7, 1, 10), root.Duration("time", time.Minute, time.Second, time.Hour),
		string(Word[string](root, "word", "daily", "weekly")), strings.Join(root.Texts("texts", 2, 5), " "),
		strings.Join(free.Names(), " "), free.Path("a"), one.Text("a"),
	}
	for _, item := range root.Items("list") {
		got = append(got, item.Table("an entry", "n", "").Text("n"))
	}
	return got
}

const sound = `text: abc # comment
short: äöü
path: x/y
absolute: /x
address: '[::1]:80'
addresses: [ "a:1", "b:0" ]
size: 2MiB
plain: 4096
yes: true
count: 10
time: 90s
word: weekly
texts: [ a, b ]
map: { b: 1.pem, a: 2.pem }
one:
  a: |
    two
    lines
list:
  - n: x
  - { n: y }
`

func soundWants() []any {
	return []any{
		"abc", "äöü", filepath.Join("etc", "x/y"), "/x", "[::1]:80", "a:1 b:0", int64(2 << 20), int64(4096), true, int64(10), 90 * time.Second,
		"weekly", "a b", "b a", filepath.Join("etc", "2.pem"), "two\nlines", "x", "y",
	}
}

func TestReads(t *testing.T) {
	for name, text := range map[string]string{
		"as written":     sound,
		"by Windows":     "\ufeff" + strings.ReplaceAll(sound, "\n", "\r\n"),
		"between dashes": "---\n" + sound + "---\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := Parse("etc/f.yaml", []byte(text), kind())
			if diff := cmp.Diff(soundWants(), readAll(r)); diff != "" {
				t.Error(diff)
			}
			if err := r.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	r := Parse("f", []byte(sound), kind())
	root := r.Root("text", "short path absolute address addresses size plain yes count time word texts map one list")
	got := []Position{
		root.At(), root.Where("path"), root.Key("path"), root.Where("none"), root.Key("none"), root.Free("map").Key("a"), root.Free("map").At(),
		root.Child("one", "a", "").At(), root.Items("list")[0].At(), root.Items("list")[1].At(),
	}
	want := []Position{{1, 1}, {3, 7}, {3, 1}, {1, 1}, {1, 1}, {14, 18}, {14, 6}, {16, 3}, {20, 5}, {21, 5}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestMistakes spoils one line of the sound file a case and demands exactly the one message.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "short:", "shrot:", "f:2:1: unknown key `shrot` in the file; did you mean `short`?"},
		{"a key like no other", "text: abc", "text: abc\nzzzzzz: 1", "f:2:1: unknown key `zzzzzz` in the file; known are text, "},
		{"missing key", "text: abc # comment\n", "", "f:1:1: the file lacks `text`; add it"},
		{"missing key below", "  a: |\n    two\n    lines", "  b: x", "f:16:3: the one lacks `a`; add it"},
		{"missing key of an entry", "{ n: y }", "{ }", "f:21:5: an entry lacks `n`; add it"},
		{"repeated key", "path: x/y", "text: x", "f:3:1: `text` stands twice in the file, first on line 1; remove one"},
		{"merge key", "path: x/y", "<<: { a: b }", "f:3:1: a key in the file must be plain text; merge keys, anchors and complex keys are not read"},
		{"anchor", "path: x/y", "path: &p x/y", "f:3:7: `path` uses an anchor or alias; write the value out"},
		{"tag", "path: x/y", "path: !!str x/y", "f:3:7: `path` has a YAML tag; remove it"},
		{"no text", "text: abc", "text: 5", `f:1:7: ` + "`text`" + ` must be text; put it in quotes: "5"`},
		{"empty", "text: abc", "text: ''", "f:1:7: `text` is empty; give it text or remove it"},
		{"nothing", "text: abc", "text:", "f:1:6: `text` is empty; give it text or remove it"},
		{"too long", "short: äöü", "short: äöüß", "f:2:8: `short` is longer than 3 characters; shorten it"},
		{"control character", "text: abc", `text: "a\e"`, "f:1:7: `text` contains a control character; remove it"},
		{"no port", "'[::1]:80'", "localhost", "f:5:10: `address` must be host:port, as in a:1"},
		{"port out of range", "'[::1]:80'", "'h:65536'", "f:5:10: `address` must be host:port, as in a:1"},
		{"port in a list", `"b:0"`, `"b:"`, "f:6:21: an address must be host:port, as in a:1"},
		{"too many in a list", `"b:0"`, `"b:0", "c:1"`, "f:6:28: `addresses` has more than 2 entries; remove some"},
		{"twice in a list", "[ a, b ]", "[ a, a ]", "f:13:13: this entry stands twice in `texts`; remove one"},
		{"number in a list", "[ a, b ]", "[ a, 1 ]", `f:13:13: an entry of ` + "`texts`" + ` must be text; put it in quotes: "1"`},
		{"no list", "[ a, b ]", "a", "f:13:8: `texts` must be a list, not text"},
		{"no mapping", "{ b: 1.pem, a: 2.pem }", "[ a ]", "f:14:6: `map` must be keys and values, not a list"},
		{"size below zero", "2MiB", "-1", "f:7:7: `size` is no size; write it as in 64MiB"},
		{"size that overflows", "2MiB", "99999999999GiB", "f:7:7: `size` is no size; write it as in 64MiB"},
		{"size in other units", "2MiB", "1 MB", "f:7:7: `size` is no size; write it as in 64MiB"},
		{"size out of bounds", "2MiB", "16MiB", "f:7:7: `size` must be between 0MiB and 8MiB"},
		{"size that is uneven", "4096", "4097", "f:8:8: `plain` must be a multiple of 4096 bytes"},
		{"no boolean", "yes: true", "yes: on", "f:9:6: `yes` must be true or false, not text"},
		{"fraction", "count: 10", "count: 1.5", "f:10:8: `count` must be a whole number, not a number"},
		{"number out of bounds", "count: 10", "count: 11", "f:10:8: `count` must be between 1 and 10"},
		{"number beyond 64 bits", "count: 10", "count: 18446744073709551615", "f:10:8: `count` must be between 1 and 10"},
		{"time without unit", "90s", "90", "f:11:7: `time` lacks a unit; write it as in 2s, 500ms or 5m"},
		{"time nonsense", "90s", "soon", "f:11:7: `time` is no length of time; write it as in 2s, 500ms or 5m"},
		{"time out of bounds", "90s", "2h", "f:11:7: `time` must be between 1s and 1h0m0s"},
		{"unknown word", "weekly", "weelky", "f:12:7: unknown word `weelky` for `word`; did you mean `weekly`?"},
		{"a word like no other", "weekly", "hourly", "f:12:7: unknown word `hourly` for `word`; known are daily, weekly"},
		{"second document", sound, sound + "---\na: 1\n", "f:23:1: a second document begins here; a test has one file with one document"},
		{"no document", sound, "# nothing", `f:1:1: the file is empty; "test init" writes a commented one to start from`},
		{"other encoding", sound, "a: b\nc: \xba\xd3", "f:2:4: the file is not UTF-8; save it as UTF-8 (GBK is not read)"},
		{"too large", sound, strings.Repeat("#", 1<<20+1), "f:1:1: the file is larger than 1 MiB; this is hardly a test's file"},
		{"deep brackets", sound, "a: " + strings.Repeat("[", 65), "f:1:68: brackets or indentation nest deeper than 64 levels"},
		{"deep dashes", sound, strings.Repeat("- ", 300) + "x", "f:1:1: brackets or indentation nest deeper than 64 levels"},
		{"scalar", sound, "hello", "f:1:1: the file must be keys and values, not text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(sound, c.old) {
				t.Fatalf("%q is not in the sound file", c.old)
			}
			r := Parse("f", []byte(strings.Replace(sound, c.old, c.new, 1)), kind())
			readAll(r)
			var m *Mistakes
			if err := r.Err(); !errors.As(err, &m) || !errors.Is(err, ErrMistakes) {
				t.Fatalf("got %v, want mistakes", err)
			}
			if len(m.List) != 1 || !strings.HasPrefix(m.Error(), c.want) {
				t.Errorf("got\n%v\nwant\n%s", m, c.want)
			}
		})
	}
}

func TestNotYAML(t *testing.T) {
	r := Parse("f", []byte("a: [\n b: }"), kind())
	r.Root("a", "")
	if err := r.Err(); !errors.Is(err, ErrMistakes) || !strings.Contains(err.Error(), "this is not YAML") {
		t.Errorf("got %v", err)
	}
}

// TestOtherwise: what is absent or wrong reads as what the caller gave for that case.
func TestOtherwise(t *testing.T) {
	r := Parse("f", []byte("text: x\nyes: 1\ncount: x\ntime: x\nsize: x"), kind())
	root := r.Root("text", "yes count time size")
	for range 2 {
		got := []any{root.Bool("yes", true), root.Integer("count", 7, 1, 10), root.Duration("time", time.Minute, 0, time.Hour), root.Size("size", 7, 0, 8, 1)}
		if diff := cmp.Diff([]any{true, int64(7), time.Minute, int64(7)}, got); diff != "" {
			t.Error(diff)
		}
		root = Parse("f", []byte("text: x"), kind()).Root("text", "")
	}
	var m *Mistakes
	if !errors.As(r.Err(), &m) || len(m.List) != 4 {
		t.Errorf("got %v, want four mistakes", r.Err())
	}
}

// TestNil: what is below something absent reads as nothing, and is reported once.
func TestNil(t *testing.T) {
	var none *Table
	none.Add(Position{1, 1}, "nobody hears this")
	if none.Has("x") || none.Text("x") != "" || none.Path("x") != "" || none.Address("x", "") != "" || none.Free("x") != nil || none.Names() != nil ||
		none.Where("x") != (Position{1, 1}) || none.Key("x") != (Position{1, 1}) || none.At() != (Position{1, 1}) || none.Size("x", 3, 0, 0, 1) != 3 ||
		none.Items("x") != nil || none.Texts("x", 1, 1) != nil || none.Addresses("x", 1, "") != nil || !none.Bool("x", true) || none.Integer("x", 3, 0, 0) != 3 ||
		none.Duration("x", 3, 0, 0) != 3 || Word[string](none, "x", "y") != "" {
		t.Error("a nil table reads something")
	}
	r := Parse("f", []byte("a: 1"), kind())
	r.Root("b", "").Child("b", "c", "").Text("c")
	var m *Mistakes
	if !errors.As(r.Err(), &m) || len(m.List) != 2 {
		t.Errorf("got %v, want two mistakes", r.Err())
	}
}

func TestReportIsSortedAndBounded(t *testing.T) {
	r := Parse("f", []byte("a: 1\nb: 2\n"), kind())
	r.Root("c", "")
	r.Add(Position{2, 1}, "later")
	r.Add(Position{1, 5}, "earlier")
	r.Add(Position{1, 5}, "earlier")
	var m *Mistakes
	if !errors.As(r.Err(), &m) {
		t.Fatal(r.Err())
	}
	var places []string
	for _, one := range m.List {
		places = append(places, fmt.Sprintf("%d:%d", one.Line, one.Column))
	}
	if diff := cmp.Diff([]string{"1:1", "1:1", "1:5", "2:1", "2:1"}, places); diff != "" {
		t.Error(diff)
	}

	r = Parse("f", []byte(strings.Repeat("x: 1\n", 2*maxMistakes)), kind())
	r.Root("", "")
	if !errors.As(r.Err(), &m) || len(m.List) != maxMistakes {
		t.Errorf("the report has %d mistakes, want the first %d", len(m.List), maxMistakes)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.yaml")
	if _, err := Load(path, kind()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), `"test init" writes one`) {
		t.Errorf("got %v, want a missing file and what makes one", err)
	}
	if err := os.WriteFile(path, []byte("text: abc\npath: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Load(path, kind())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Root("text", "path").Path("path"), filepath.Join(filepath.Dir(path), "x"); got != want || r.Err() != nil {
		t.Errorf("got %q, %v, want %q", got, r.Err(), want)
	}
	if _, err := Load(t.TempDir(), kind()); err == nil || errors.Is(err, ErrMistakes) {
		t.Errorf("got %v, want an error about the file itself", err)
	}
}

// FuzzParse: whatever the bytes, they are read or reported, within bounds and in order, and the process goes on.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("text: &a [ *a ]\n? {}\n: x\n--- !!x\n"))
	f.Add([]byte("text: \"\\x00\"\nsize: .inf\n<<: *x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := Parse("f", data, kind())
		got := readAll(r)
		err := r.Err()
		if err == nil && got[0] == "" {
			t.Fatal("a required text is missing and nobody says so")
		}
		var m *Mistakes
		if err != nil && (!errors.As(err, &m) || len(m.List) == 0 || len(m.List) > maxMistakes) {
			t.Fatalf("got %v, want mistakes within bounds", err)
		}
		if err == nil {
			return
		}
		for i, one := range m.List {
			if one.Line < 1 || one.Column < 1 || one.Message == "" || i > 0 && one.Line < m.List[i-1].Line {
				t.Fatalf("mistake %d is %+v", i, one)
			}
		}
	})
}
