package statement

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func plain(_, placeholder string, _ bool) string { return placeholder }

func TestBind(t *testing.T) {
	for _, c := range []struct {
		name    string
		dialect Dialect
		in, out string
		order   []string
	}{
		{"one", SQLite, "SELECT a FROM t WHERE b = :b", "SELECT a FROM t WHERE b = ?", []string{"b"}},
		{"numbered", Postgres, "select :a, :b, :a", "select $1, $2, $3", []string{"a", "b", "a"}},
		{"trailing semicolon", MySQL, "SELECT :a ; -- done", "SELECT ? ", []string{"a"}},
		{"quotes", SQLite, `SELECT ':a', 'it''s :b', ":c", [:d], ` + "`:e`, :f", `SELECT ':a', 'it''s :b', ":c", [:d], ` + "`:e`, ?", []string{"f"}},
		{"comments", Postgres, "SELECT /* :a /* :b */ :c */ :d -- :e\n, :f", "SELECT /* :a /* :b */ :c */ $1 -- :e\n, $2", []string{"d", "f"}},
		{"mysql block does not nest", MySQL, "SELECT /* /* */ :a", "SELECT /* /* */ ?", []string{"a"}},
		{"hash comment", MySQL, "SELECT 1 # :a\n, :b", "SELECT 1 # :a\n, ?", []string{"b"}},
		{"mysql minus minus", MySQL, "SELECT 5--:a", "SELECT 5--?", []string{"a"}},
		{"backslash in mysql", MySQL, `SELECT 'a\':b', :c`, `SELECT 'a\':b', ?`, []string{"c"}},
		{"backslash is plain in postgres", Postgres, `SELECT 'a\', :c`, `SELECT 'a\', $1`, []string{"c"}},
		{"postgres escape string", Postgres, `SELECT E'a\':b', :c`, `SELECT E'a\':b', $1`, []string{"c"}},
		{"casts", Postgres, "SELECT a::text, :b::date", "SELECT a::text, $1::date", []string{"b"}},
		{"dollar quotes", Postgres, "SELECT $$:a$$, $x1$ $$ :b $x1$, :c", "SELECT $$:a$$, $x1$ $$ :b $x1$, $1", []string{"c"}},
		{"dollar inside a name", Postgres, "SELECT a$b$c, :d", "SELECT a$b$c, $1", []string{"d"}},
		{"slice", Postgres, "SELECT a[1: 2]", "SELECT a[1: 2]", nil},
		{"json operator", Postgres, "SELECT a ? 'b' FROM t", "SELECT a ? 'b' FROM t", nil},
		{"chinese columns", SQLite, "SELECT 姓名 FROM 人口 WHERE 身份证号=:id_number", "SELECT 姓名 FROM 人口 WHERE 身份证号=?", []string{"id_number"}},
		{"with", SQLite, "WITH x AS (SELECT :a) SELECT * FROM x", "WITH x AS (SELECT ?) SELECT * FROM x", []string{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse(c.dialect, c.in)
			if err != nil {
				t.Fatal(err)
			}
			got := s.Bind(plain)
			if diff := cmp.Diff(Bound{Text: c.out, Order: c.order}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBindTellsTestedOperands(t *testing.T) {
	s, err := Parse(Postgres, "SELECT 1 WHERE :a /* x */ is NULL OR day >= :a")
	if err != nil {
		t.Fatal(err)
	}
	got := s.Bind(func(name, placeholder string, tested bool) string {
		if tested {
			return "CAST(" + placeholder + " AS date)"
		}
		return placeholder
	})
	if want := "SELECT 1 WHERE CAST($1 AS date) /* x */ is NULL OR day >= $2"; got.Text != want {
		t.Errorf("got %q, want %q", got.Text, want)
	}
	if diff := cmp.Diff([]string{"a"}, s.Names()); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		dialect Dialect
		in      string
		offset  int
	}{
		{"empty", SQLite, "  -- nothing", 0},
		{"write", SQLite, "DELETE FROM t", 0},
		{"parenthesis first", SQLite, "(SELECT 1)", 0},
		{"two statements", SQLite, "SELECT 1; DROP TABLE t", 10},
		{"two semicolons", SQLite, "SELECT 1;;", 9},
		{"open quote", SQLite, "SELECT 'a", 7},
		{"backslash does not escape in sqlite", SQLite, `SELECT 'a\'b'`, 12},
		{"open comment", SQLite, "SELECT 1 /* a", 9},
		{"open dollar quote", Postgres, "SELECT $a$ b", 7},
		{"open parenthesis", SQLite, "SELECT (1", 9},
		{"stray parenthesis", SQLite, "SELECT 1)", 8},
		{"question mark", MySQL, "SELECT ?", 7},
		{"dollar number", Postgres, "SELECT $1", 7},
		{"at sign", SQLite, "SELECT @a", 7},
		{"executable comment", MySQL, "SELECT 1 /*!50000 INTO OUTFILE 'x' */", 9},
		{"mariadb executable comment", MySQL, "SELECT 1 /*M! 1 */", 9},
		{"outfile", MySQL, "SELECT 1 INTO OUTFILE 'x'", 9},
		{"select into", Postgres, "SELECT 1 into t", 9},
		{"row locks", Postgres, "SELECT 1 FROM t FOR\nUPDATE", 20},
		{"NUL", SQLite, "SELECT 'a\x00b'", 9},
		{"too long", SQLite, "SELECT " + strings.Repeat(" ", MaxLength), MaxLength},
		{"too many", SQLite, "SELECT " + strings.Repeat(":a,", 1001), 7 + 3000},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.dialect, c.in)
			if !errors.Is(err, ErrStatement) {
				t.Fatalf("got %v, want ErrStatement", err)
			}
			var e *Error
			if !errors.As(err, &e) || e.Offset != c.offset {
				t.Errorf("got %v, want offset %d", err, c.offset)
			}
		})
	}
}

func TestOrdered(t *testing.T) {
	for in, want := range map[string]bool{
		"SELECT a FROM t ORDER BY a":                            true,
		"SELECT a FROM (SELECT a FROM t ORDER BY a)":            false,
		"SELECT a FROM t -- ORDER BY a":                         false,
		"SELECT row_number() OVER (ORDER BY a) FROM t":          false,
		"SELECT a FROM t order /* then */ by a":                 true,
		"SELECT 'ORDER BY' FROM t":                              false,
		"WITH x AS (SELECT 1 AS a) SELECT a FROM x ORDER BY a;": true,
	} {
		s, err := Parse(SQLite, in)
		if err != nil {
			t.Fatal(err)
		}
		if s.Ordered() != want {
			t.Errorf("%q: got %v", in, s.Ordered())
		}
	}
}

// FuzzParse holds that nothing is lost or added: an accepted statement gives its own text back when each placeholder
// is written as it was, and no bound form can be read as more placeholders than it had.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"SELECT :a", "SELECT ':a' -- x", "WITH x AS (SELECT $t$ :b $t$) SELECT 1;", "SELECT E'\\'' , :c::int", "SELECT /*", "SELECT [a:b], `:c`"} {
		f.Add(0, s)
		f.Add(1, s)
		f.Add(2, s)
	}
	f.Fuzz(func(t *testing.T, dialect int, in string) {
		d := Dialect(uint(dialect) % 3)
		s, err := Parse(d, in)
		if err != nil {
			if !errors.Is(err, ErrStatement) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		back := s.Bind(func(name, _ string, _ bool) string { return ":" + name })
		if !strings.HasPrefix(in, back.Text) {
			t.Fatalf("%q came back as %q", in, back.Text)
		}
		again, err := Parse(d, back.Text)
		if err != nil {
			t.Fatalf("%q does not parse again: %v", back.Text, err)
		}
		if diff := cmp.Diff(back, again.Bind(func(name, _ string, _ bool) string { return ":" + name })); diff != "" {
			t.Fatal(diff)
		}
	})
}
