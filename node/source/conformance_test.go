package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kuasheng/kuasheng/node/config"
)

// The conformance suite: every kind of source gives the same answers, byte for byte, and fails in the same ways.

// fixture is one kind of source filled with the suite's rows.
type fixture struct {
	name   string
	source string // its entry under `sources:` in flow style
	// mapping gives the query or request of a resource of the suite.
	mapping func(resource string) string
	// cut makes the source unreachable and mend brings it back.
	cut, mend func()
}

// rows of the suite as every kind must give them.
const (
	fullRow = `{"id":"a","name":"张三丰","amount":"123456789012345678901234.50","ratio":"-0.1234567890123456789012345","big":"9223372036854775807","flag":true,"born":"1850-02-28","seen":"1893-05-01T10:00:00.5+08:00","stamp":"2024-06-01T08:30:00+08:00","score":0.1,"half":-2.5,"memo":"第一行\n\"二\" \\ ' OR '1'='1","raw":"AP8Q"}`
	nullRow = `{"id":"b","name":null,"amount":null,"ratio":null,"big":null,"flag":null,"born":null,"seen":null,"stamp":null,"score":null,"half":null,"memo":null,"raw":null}`
	lowRow  = `{"id":"c","name":"'; DROP TABLE sample; --","amount":"-0.01","ratio":"0.0000000000000000000000000","big":"-9223372036854775808","flag":false,"born":"1899-12-31","seen":"2024-02-29T23:59:59+08:00","stamp":"1999-12-31T16:00:00+08:00","score":1e+21,"half":0,"memo":"","raw":""}`
)

const allFields = "id name amount ratio big flag born seen stamp score half memo raw"

// suiteFile is the node's file of the suite; every resource has the same fields.
func suiteFile(f fixture) string {
	const fields = `
      - { name: id, title: { zh: 号 }, type: C, length: 20 }
      - { name: name, title: { zh: 姓名 }, type: C, column: NAME }
      - { name: amount, title: { zh: 额 }, type: Y, scale: 2 }
      - { name: ratio, title: { zh: 率 }, type: N, scale: 25 }
      - { name: big, title: { zh: 数 }, type: I }
      - { name: flag, title: { zh: 是否 }, type: L }
      - { name: born, title: { zh: 生 }, type: D }
      - { name: seen, title: { zh: 见 }, type: T }
      - { name: stamp, title: { zh: 戳 }, type: T }
      - { name: score, title: { zh: 分 }, type: F }
      - { name: half, title: { zh: 半 }, type: B }
      - { name: memo, title: { zh: 注 }, type: M }
      - { name: raw, title: { zh: 原 }, type: G }`
	var b strings.Builder
	fmt.Fprintf(&b, `region: "410000"
replica: node-1
data_dir: data
identity: { workload_api: unix:///run/agent.sock }
exchange: { id: spiffe://exchange.example/exchange, addresses: [ "127.0.0.1:1" ], log_key: %q }
sources:
  it: %s
policy:
  pseudonym_key: p.key
  mask: [ { resource: 307410000001/000006, field: name, with: name }, { resource: 307410000001/000006, field: amount, with: redact }, { resource: 307410000001/000006, field: flag, with: redact } ]
resources:
`, sampleKey, f.source)
	resource := func(sequence int, name, parameters, limits string) {
		fmt.Fprintf(&b, `  - code: 307410000001/%06d
    title: { zh: %s }
    abstract: { zh: 试 }
    provider: { name: 厅, uscc: 11410000MB0D00416U }
    format: database
    share: { type: conditional, condition: 按需, uses: [ 试 ], mode: service }
    update_cycle: daily
    grade: general_2
    source_department: 11410000MB0D00416U
    fields: %s
    parameters: [ %s ]
    limits: { %s }
    source: it
    %s
`, sequence, name, fields, parameters, limits, f.mapping(name))
	}
	resource(1, "one", "{ name: id, type: C, required: true }", "timeout: 5s")
	resource(2, "all", "", "timeout: 5s, rows: 2000, export_rows: 2000, answer_bytes: 20000")
	resource(3, "some", "{ name: since, type: D }, { name: least, type: Y }, { name: big, type: I }, { name: flag, type: L }, { name: seen, type: T }, { name: score, type: F }, { name: name, type: C }", "timeout: 5s")
	resource(4, "slow", "", "timeout: 300ms, connections: 1")
	resource(5, "few", "", "timeout: 5s, rows: 2, export_rows: 2")
	resource(6, "masked", "{ name: id, type: C, required: true }", "timeout: 5s")
	return b.String()
}

// sampleKey verifies nothing; the suite checks no tickets.
const sampleKey = "exchange.example/access+04a5e9b7+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func suiteCode(n int) string { return fmt.Sprintf("307410000001/%06d", n) }

// openSuite opens the fixture's resources and returns what is logged meanwhile.
func openSuite(t *testing.T, f fixture) (*Set, *logged) {
	t.Helper()
	cfg := parse(t, suiteFile(f))
	log := &logged{}
	s, err := Open(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, log
}

func parse(t testing.TB, text string) *config.Node {
	t.Helper()
	cfg, err := config.Parse(filepath.Join(t.TempDir(), "node.yaml"), []byte(strings.ReplaceAll(text, sampleKey, verifierKey(t))))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// logged is a log that tests read.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func ask(n int, fields string, parameters ...string) Request {
	r := Request{Resource: suiteCode(n), Fields: strings.Fields(fields), Parameters: map[string]string{}}
	for i := 0; i < len(parameters); i += 2 {
		r.Parameters[parameters[i]] = parameters[i+1]
	}
	return r
}

func TestConformance(t *testing.T) {
	for name, start := range map[string]func(*testing.T) fixture{
		"sqlite": startSQLite, "postgres": startPostgres, "mysql": startMySQL, "http": startHTTP,
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			s, log := openSuite(t, f)
			t.Run("types", func(t *testing.T) { conformTypes(t, s) })
			t.Run("parameters", func(t *testing.T) { conformParameters(t, s) })
			t.Run("masks", func(t *testing.T) { conformMasks(t, s) })
			t.Run("limits", func(t *testing.T) { conformLimits(t, s) })
			t.Run("export", func(t *testing.T) { conformExport(t, s) })
			t.Run("check", func(t *testing.T) { conformCheck(t, s) })
			t.Run("outage", func(t *testing.T) { conformOutage(t, s, f, log) })
			if text := log.String(); strings.Contains(text, "DROP TABLE") || strings.Contains(text, "张三丰") {
				t.Errorf("the log repeats a value: %s", text)
			}
		})
	}
}

func conformTypes(t *testing.T, s *Set) {
	for id, want := range map[string]string{"a": fullRow, "b": nullRow, "c": lowRow} {
		for range 2 { // the second time from a prepared statement
			a, err := s.Query(t.Context(), ask(1, allFields, "id", id))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(`{"rows":[`+want+`]}`, string(a.JSON)); diff != "" {
				t.Errorf("row %s: %s", id, diff)
			}
			if !json.Valid(a.JSON) || a.Rows != 1 || a.NotFound() || a.Masked != nil {
				t.Errorf("got %+v", a)
			}
		}
	}
	a, err := s.Query(t.Context(), ask(1, "born id", "id", "a"))
	if err != nil || string(a.JSON) != `{"rows":[{"born":"1850-02-28","id":"a"}]}` {
		t.Errorf("projection: got %s, %v", a.JSON, err)
	}
	a, err = s.Query(t.Context(), ask(1, "id", "id", "nobody"))
	if err != nil || string(a.JSON) != `{"rows":[]}` || !a.NotFound() {
		t.Errorf("nobody: got %s, %v", a.JSON, err)
	}
}

func conformParameters(t *testing.T, s *Set) {
	for _, c := range []struct {
		parameters []string
		want       string
	}{
		{nil, "a b c"},
		{[]string{"since", "1899-12-31"}, "c"},
		{[]string{"since", "1850-02-28"}, "a c"},
		{[]string{"least", "123456789012345678901234.50"}, "a"},
		{[]string{"least", "-0.01"}, "a c"},
		{[]string{"least", "-0.001"}, "a"},
		{[]string{"big", "9223372036854775807"}, "a"},
		{[]string{"big", "-9223372036854775808"}, "c"},
		{[]string{"flag", "true"}, "a"},
		{[]string{"flag", "false"}, "c"},
		{[]string{"seen", "2024-02-29T15:59:59Z"}, "c"},
		{[]string{"seen", "2024-02-29T16:00:00Z"}, ""},
		{[]string{"score", "1.5"}, "a"},
		{[]string{"name", "张三丰"}, "a"},
		{[]string{"name", "'; DROP TABLE sample; --"}, "c"},
		{[]string{"name", "' OR '1'='1"}, ""},
		{[]string{"name", `\' OR 1=1 -- `}, ""},
		{[]string{"name", "{id}:id$1?%s"}, ""},
		{[]string{"name", ""}, ""},
		{[]string{"name", "张三丰", "flag", "true", "since", "1850-01-01"}, "a"},
	} {
		a, err := s.Query(t.Context(), ask(3, "id", c.parameters...))
		if err != nil {
			t.Errorf("%q: %v", c.parameters, err)
			continue
		}
		var got struct{ Rows []struct{ ID string } }
		if err := json.Unmarshal(a.JSON, &got); err != nil {
			t.Fatal(err)
		}
		ids := make([]string, len(got.Rows))
		for i, r := range got.Rows {
			ids[i] = r.ID
		}
		if diff := cmp.Diff(c.want, strings.Join(ids, " ")); diff != "" {
			t.Errorf("%q: %s", c.parameters, diff)
		}
	}
}

func conformMasks(t *testing.T, s *Set) {
	a, err := s.Query(t.Context(), ask(6, "id flag name amount", "id", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"rows":[{"id":"a","flag":"***","name":"张*","amount":"***"}]}`; string(a.JSON) != want {
		t.Errorf("got %s, want %s", a.JSON, want)
	}
	if diff := cmp.Diff([]string{"flag", "name", "amount"}, a.Masked); diff != "" {
		t.Error(diff)
	}
	a, err = s.Query(t.Context(), ask(6, "amount name", "id", "b"))
	if err != nil || string(a.JSON) != `{"rows":[{"amount":null,"name":null}]}` {
		t.Errorf("NULL under a mask: got %s, %v", a.JSON, err)
	}
}

func conformLimits(t *testing.T, s *Set) {
	for range 3 {
		if _, err := s.Query(t.Context(), ask(5, "id")); !errors.Is(err, ErrTooManyRows) {
			t.Errorf("rows: got %v", err)
		}
	}
	if _, err := s.Export(t.Context(), ask(5, "id"), 0, 0, func([]byte, int) error { return nil }); !errors.Is(err, ErrTooManyRows) {
		t.Errorf("export rows: got %v", err)
	}
	if _, err := s.Query(t.Context(), ask(2, allFields)); !errors.Is(err, ErrAnswerTooLarge) {
		t.Errorf("bytes: got %v", err)
	}
	begin := time.Now()
	if _, err := s.Query(t.Context(), ask(4, "id")); !errors.Is(err, ErrTimeout) {
		t.Errorf("time: got %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the time limit of 300 ms took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Query(ctx, ask(1, "id", "id", "a")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	conformGate(t, s)
}

// conformGate holds that those who wait for a resource's only connection end in time, and that another resource does
// not notice.
func conformGate(t *testing.T, s *Set) {
	var wait sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wait.Go(func() { _, errs[i] = s.Query(t.Context(), ask(4, "id")) })
	}
	for range 20 {
		if _, err := s.Query(t.Context(), ask(1, "id", "id", "a")); err != nil {
			t.Errorf("a slow resource reached another: %v", err)
		}
	}
	wait.Wait()
	for _, err := range errs {
		if !errors.Is(err, ErrBusy) && !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v", err)
		}
	}
}

func conformExport(t *testing.T, s *Set) {
	collect := func(from int64, chunk, stopAfter int) (string, int64, int, error) {
		var out bytes.Buffer
		rows := 0
		total, err := s.Export(t.Context(), ask(2, allFields), from, chunk, func(c []byte, n int) error {
			if stopAfter > 0 && rows >= stopAfter {
				return errStop
			}
			if n != bytes.Count(c, []byte("\n")) || c[len(c)-1] != '\n' || (len(c) > chunk && n > 1) {
				return fmt.Errorf("chunk of %d bytes said to be %d rows", len(c), n)
			}
			out.Write(c)
			rows += n
			return nil
		})
		return out.String(), total, rows, err
	}
	whole, total, rows, err := collect(0, 4096, 0)
	if err != nil || total != suiteRows || rows != suiteRows {
		t.Fatalf("got %d of %d rows, %v", rows, total, err)
	}
	if !strings.HasPrefix(whole, fullRow+"\n"+nullRow+"\n"+lowRow+"\n") {
		t.Errorf("the export begins %.300s", whole)
	}
	part, _, rows, err := collect(0, 4096, 100)
	if !errors.Is(err, errStop) || rows < 100 || rows >= suiteRows {
		t.Fatalf("got %d rows, %v", rows, err)
	}
	rest, total, more, err := collect(int64(rows), 1, 0) // one row to a chunk
	if err != nil || total != suiteRows || rows+more != suiteRows {
		t.Fatalf("resumed at %d, got %d of %d rows, %v", rows, more, total, err)
	}
	if part+rest != whole {
		t.Error("the resumed export differs from the whole")
	}
	if _, total, rows, err := collect(suiteRows, 0, 0); err != nil || total != suiteRows || rows != 0 {
		t.Errorf("nothing left: got %d of %d, %v", rows, total, err)
	}
	if _, _, _, err := collect(suiteRows+1, 0, 0); !errors.Is(err, ErrNotResumable) {
		t.Errorf("behind the end: got %v", err)
	}
	if _, err := s.Export(t.Context(), ask(1, "id", "id", "a"), 0, 0, nil); !errors.Is(err, ErrNotExported) {
		t.Errorf("not exported: got %v", err)
	}
}

var errStop = errors.New("enough")

func conformCheck(t *testing.T, s *Set) {
	for _, f := range s.Check(t.Context()) {
		// The slow resource is too slow for its limit, and samples find nobody.
		if f.Resource != suiteCode(4) && !f.Warning {
			t.Errorf("unexpected finding: %v", f)
		}
	}
}

func conformOutage(t *testing.T, s *Set, f fixture, log *logged) {
	f.cut()
	if _, err := s.Query(t.Context(), ask(1, "id", "id", "a")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("source down: got %v", err)
	}
	findings := s.Check(t.Context())
	if len(findings) < 6 || findings[0].Cure == "" || findings[0].Line == 0 {
		t.Errorf("check of a source that is down: %v", findings)
	}
	f.mend()
	a, err := s.Query(t.Context(), ask(1, "id", "id", "a"))
	if err != nil || a.Rows != 1 {
		t.Errorf("source back: got %v", err)
	}
	if text := log.String(); strings.Count(text, `msg="source is unavailable"`) != 1 || strings.Count(text, "source serves again") != 1 {
		t.Errorf("an outage gives one line and its end another: %s", text)
	}
}
