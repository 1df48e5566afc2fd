package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func nopLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// liteFile is a node's file with one resource of a SQLite source; fields and the rest are the test's.
func liteFile(source, share, fields, parameters, limits, query string) string {
	return fmt.Sprintf(`region: "410000"
replica: node-1
data_dir: data
identity: { workload_api: unix:///run/agent.sock }
exchange: { id: spiffe://exchange.example/exchange, addresses: [ "127.0.0.1:1" ], log_key: %q }
sources: { it: { %s } }
policy: { pseudonym_key: p.key }
resources:
  - code: 307410000001/000001
    title: { zh: 试 }
    abstract: { zh: 试 }
    provider: { name: 厅, uscc: 11410000MB0D00416U }
    format: database
    share: { %s }
    update_cycle: daily
    grade: general_1
    source_department: 11410000MB0D00416U
    fields: [ %s ]
    parameters: [ %s ]
    limits: { %s }
    source: it
    query: %q
`, sampleKey, source, share, fields, parameters, limits, query)
}

const plainShare = "type: unconditional, mode: service"

// newLite makes a SQLite file with the given statements.
func newLite(t *testing.T, statements ...string) (path, source string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	return path, fmt.Sprintf("sqlite: { path: %q }", path)
}

func TestFields(t *testing.T) {
	_, source := newLite(t, "CREATE TABLE t (a, b, c, B2)", "INSERT INTO t VALUES ('1', '2', '3', '4')")
	s := openService1(t, liteFile(source, plainShare,
		"{ name: a, title: { zh: 甲 }, type: C }, { name: b, title: { zh: 乙 }, type: C, share: not_shared }, { name: d, title: { zh: 丁 }, type: C }", "", "", "SELECT a, b, b AS d, c AS D FROM t"))
	for _, c := range []struct {
		fields string
		want   error
	}{
		{"", ErrUnknownField}, {"z", ErrUnknownField}, {"a a", ErrUnknownField}, {"a d a d", ErrUnknownField}, {"b", ErrFieldNotShared}, {"d", ErrMapping}, {"a", nil},
	} {
		if _, err := s.Query(t.Context(), ask(1, c.fields)); !errors.Is(err, c.want) {
			t.Errorf("fields %q: got %v, want %v", c.fields, err, c.want)
		}
	}
	if _, err := s.Query(t.Context(), ask(9, "a")); !errors.Is(err, ErrUnknownResource) {
		t.Errorf("got %v", err)
	}
}

func TestModes(t *testing.T) {
	_, source := newLite(t, "CREATE TABLE t (a)", "INSERT INTO t VALUES ('1'), ('2')")
	const fields = "{ name: a, title: { zh: 甲 }, type: C }"
	batch := openService1(t, liteFile(source, "type: unconditional, mode: batch", fields, "", "export_rows: 5", "SELECT a FROM t"))
	if _, err := batch.Query(t.Context(), ask(1, "a")); !errors.Is(err, ErrExportOnly) {
		t.Errorf("got %v", err)
	}
	var out strings.Builder
	take := func(chunk []byte, _ int) error { out.Write(chunk); return nil }
	if n, err := batch.Export(t.Context(), ask(1, "a"), 0, 0, take); err != nil || n != 2 || out.String() != "{\"a\":\"1\"}\n{\"a\":\"2\"}\n" {
		t.Errorf("got %d, %v, %s", n, err, out.String())
	}
	if _, err := batch.Export(t.Context(), ask(1, "a"), 1, 0, take); !errors.Is(err, ErrNotResumable) {
		t.Errorf("resuming without an order: got %v", err)
	}
	if f := batch.Check(t.Context()); len(f) != 1 || !f[0].Warning {
		t.Errorf("check of an export without an order: %v", f)
	}
}

func TestSourceIsOnlyRead(t *testing.T) {
	path, source := newLite(t, "CREATE TABLE t (a)", "INSERT INTO t VALUES ('1')")
	const fields = "{ name: a, title: { zh: 甲 }, type: C }"
	s := openService1(t, liteFile(source, plainShare, fields, "", "", "WITH x AS (SELECT 1) DELETE FROM t RETURNING a"))
	if _, err := s.Query(t.Context(), ask(1, "a")); err == nil {
		t.Error("a statement that writes was run")
	}
	missing := filepath.Join(filepath.Dir(path), "missing.db")
	s = openService1(t, liteFile(fmt.Sprintf("sqlite: { path: %q }", missing), plainShare, fields, "", "", "SELECT a FROM t"))
	if _, err := s.Query(t.Context(), ask(1, "a")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("missing file: got %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Error("a missing source was created")
	}
	if err := os.Rename(path, missing); err != nil {
		t.Fatal(err)
	}
	if a, err := s.Query(t.Context(), ask(1, "a")); err != nil || a.Rows != 1 {
		t.Errorf("the row survived and the file appeared: got %v, %v", a, err)
	}
}

func TestStructureChangesUnderAStatement(t *testing.T) {
	path, source := newLite(t, "CREATE TABLE t (a DATE, b)", "INSERT INTO t VALUES ('1893-05-01', 'x')")
	s := openService1(t, liteFile(source, plainShare, "{ name: a, title: { zh: 甲 }, type: D }, { name: b, title: { zh: 乙 }, type: C }", "", "", "SELECT * FROM t"))
	const want = `{"rows":[{"b":"x","a":"1893-05-01"}]}`
	change := func(statement string) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	query := func() (Answer, error) { return s.Query(t.Context(), ask(1, "b a")) }
	if a, err := query(); err != nil || string(a.JSON) != want {
		t.Fatalf("got %s, %v", a.JSON, err)
	}
	change("ALTER TABLE t ADD COLUMN c")
	if a, err := query(); err != nil || string(a.JSON) != want {
		t.Errorf("column added: got %s, %v", a.JSON, err)
	}
	change("ALTER TABLE t RENAME COLUMN b TO gone")
	if _, err := query(); !errors.Is(err, ErrMapping) {
		t.Errorf("column renamed: got %v", err)
	}
	change("ALTER TABLE t RENAME COLUMN gone TO b")
	if a, err := query(); err != nil || string(a.JSON) != want {
		t.Errorf("column back: got %s, %v", a.JSON, err)
	}
}

func TestCheckNamesFieldLineAndCure(t *testing.T) {
	_, source := newLite(t, "CREATE TABLE t (a TEXT, n REAL, d DATE, born TEXT, id)", "INSERT INTO t VALUES ('1', 0.5, '1893-05-01', 'long ago', '0')")
	s := openService1(t, liteFile(source, plainShare,
		"{ name: a, title: { zh: 甲 }, type: C },\n      { name: missing, title: { zh: 无 }, type: C },\n      { name: n, title: { zh: 数 }, type: D }", "{ name: id, type: C }", "", "SELECT * FROM t WHERE id = :id"))
	found := s.Check(t.Context())
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("%s %s %d", f.Resource, f.Field, f.Line))
		if f.Cure == "" || f.Problem == "" || strings.Contains(f.String(), "long ago") {
			t.Errorf("finding %v", f)
		}
	}
	if diff := cmp.Diff([]string{"307410000001/000001 missing 19", "307410000001/000001 n 20"}, got); diff != "" {
		t.Errorf("%s\n%v", diff, found)
	}
	s = openService1(t, liteFile(source, plainShare,
		"{ name: born, title: { zh: 生 }, type: D }, { name: a, title: { zh: 甲 }, type: C }", "{ name: id, type: C }", "", "SELECT * FROM t WHERE id = :id"))
	if found := s.Check(t.Context()); len(found) != 1 || found[0].Field != "born" || strings.Contains(found[0].String(), "long ago") {
		t.Errorf("a value that does not fit: %v", found)
	}
	s = openService1(t, liteFile(source, plainShare, "{ name: a, title: { zh: 甲 }, type: C }", "", "", "SELECT a FROM nowhere"))
	if found := s.Check(t.Context()); len(found) != 1 || !strings.Contains(found[0].Problem, "nowhere") {
		t.Errorf("a missing table: %v", found)
	}
}

func TestClose(t *testing.T) {
	_, source := newLite(t, "CREATE TABLE t (a)", "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n")
	s := openService1(t, liteFile(source, plainShare, "{ name: a, title: { zh: 甲 }, type: I }", "", "rows: 10000, export_rows: 1000", "SELECT a FROM t ORDER BY a"))
	inside, closing := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		first := true
		_, err := s.Export(t.Context(), ask(1, "a"), 0, 1, func([]byte, int) error {
			if first {
				first = false
				close(inside)
				<-closing
			}
			return nil
		})
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("an export under way: got %v", err)
		}
	})
	<-inside
	wait.Go(s.Close)
	<-s.closing
	close(closing)
	wait.Wait()
	if _, err := s.Query(t.Context(), ask(1, "a")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("after closing: got %v", err)
	}
	s.Close() // again
}

func TestGateBoundsWhoWaits(t *testing.T) {
	g := newGate(1)
	if err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.waiting.Store(maxWaiting)
	if err := g.enter(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("too many: got %v", err)
	}
	g.waiting.Store(0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := g.enter(ctx); !errors.Is(err, ErrBusy) {
		t.Errorf("no time left: got %v", err)
	}
	g.leave()
	if err := g.enter(t.Context()); err != nil || g.waiting.Load() != 0 {
		t.Errorf("free again: got %v, %d waiting", err, g.waiting.Load())
	}
}

func TestManyAtOnce(t *testing.T) {
	_, source := newLite(t, "CREATE TABLE t (a INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1), (2), (3)")
	s := openService1(t, liteFile(source, plainShare, "{ name: a, title: { zh: 甲 }, type: I }", "{ name: a, type: I, required: true }", "timeout: 20s, connections: 2", "SELECT a FROM t WHERE a = :a"))
	var wait sync.WaitGroup
	for i := range 64 {
		wait.Go(func() {
			want := fmt.Sprint(i%3 + 1)
			for range 20 {
				a, err := s.Query(t.Context(), ask(1, "a", "a", want))
				if err != nil || string(a.JSON) != `{"rows":[{"a":"`+want+`"}]}` {
					t.Errorf("got %s, %v", a.JSON, err)
				}
			}
		})
	}
	wait.Wait()
}

func BenchmarkQuery(b *testing.B) {
	path := filepath.Join(b.TempDir(), "x.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []string{"CREATE TABLE t (a TEXT PRIMARY KEY, b, c, d)", "INSERT INTO t VALUES ('x', '1234.50', '张三', '1893-05-01')"} {
		if _, err := db.Exec(s); err != nil {
			b.Fatal(err)
		}
	}
	db.Close()
	cfg := parse(b, liteFile(fmt.Sprintf("sqlite: { path: %q }", path), plainShare,
		"{ name: a, title: { zh: 甲 }, type: C }, { name: b, title: { zh: 乙 }, type: Y }, { name: c, title: { zh: 丙 }, type: C, mask: name }, { name: d, title: { zh: 丁 }, type: D }",
		"{ name: a, type: C, required: true }", "", "SELECT * FROM t WHERE a = :a"))
	s, err := Open(b.Context(), cfg, nopLogger())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	req := ask(1, "a b c d", "a", "x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Query(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}
