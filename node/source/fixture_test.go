package source

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
)

// suiteRows is how many rows the table has: three with every type and more to export.
const suiteRows = 503

func verifierKey(t testing.TB) string {
	t.Helper()
	digest := sha256.Sum256([]byte("no one's key"))
	key, err := note.NewEd25519VerifierKey("exchange.example/access", digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sqlMapping gives the suite's queries; the dialects differ in one comparison and in how to be slow.
func sqlMapping(least, slow string) func(string) string {
	const columns = "id, name, amount, ratio, big, flag, born, seen, stamp, score, half, memo, raw"
	queries := map[string]string{
		"one":    "SELECT " + columns + " FROM sample WHERE id = :id",
		"masked": "SELECT " + columns + " FROM sample WHERE id = :id",
		"all":    "SELECT * FROM sample ORDER BY id",
		"few":    "SELECT * FROM sample ORDER BY id",
		"slow":   slow,
		"some": `SELECT * FROM sample WHERE id IN ('a', 'b', 'c') AND (:since IS NULL OR born >= :since) AND (:least IS NULL OR ` + least + `)
        AND (:big IS NULL OR big = :big) AND (:flag IS NULL OR flag = :flag) AND (:seen IS NULL OR seen >= :seen)
        AND (:score IS NULL OR score <= :score) AND (:name IS NULL OR name = :name) ORDER BY id -- ':id?'`,
	}
	return func(name string) string { return "query: |\n        " + queries[name] }
}

// fill creates the suite's table and rows. The two times are naive; stamps are written in UTC by each dialect.
func fill(t *testing.T, db *sql.DB, create, raw1, raw2, stamp1, stamp2, flag1, flag0 string) {
	t.Helper()
	q := strings.NewReplacer("{raw1}", raw1, "{raw2}", raw2, "{stamp1}", stamp1, "{stamp2}", stamp2, "{true}", flag1, "{false}", flag0)
	statements := []string{
		"DROP TABLE IF EXISTS sample", create,
		`INSERT INTO sample VALUES ('a', '张三丰', '123456789012345678901234.50', '-0.1234567890123456789012345', 9223372036854775807, {true}, '1850-02-28', '1893-05-01 10:00:00.5', {stamp1}, 0.1, -2.5, '第一行
"二" \ '' OR ''1''=''1', {raw1})`,
		"INSERT INTO sample (id) VALUES ('b')",
		`INSERT INTO sample VALUES ('c', '''; DROP TABLE sample; --', '-0.01', '0', -9223372036854775808, {false}, '1899-12-31', '2024-02-29 23:59:59', {stamp2}, 1e21, 0, '', {raw2})`,
	}
	values := make([]string, 0, suiteRows)
	for i := range suiteRows - 3 {
		values = append(values, fmt.Sprintf("('x%06d', %d, '一')", i, i))
	}
	statements = append(statements, "INSERT INTO sample (id, big, name) VALUES "+strings.Join(values, ", "))
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), q.Replace(s)); err != nil {
			t.Fatalf("%.60s: %v", s, err)
		}
	}
}

func startSQLite(t *testing.T) fixture {
	path := filepath.Join(t.TempDir(), "a b?#%.db")
	open := func(mode string) *sql.DB {
		db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: mode}).String())
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open("mode=rwc")
	defer db.Close()
	fill(t, db, `CREATE TABLE sample (id TEXT PRIMARY KEY, NAME TEXT, amount TEXT, ratio TEXT, big INTEGER, flag BOOLEAN, born DATE,
		seen DATETIME, stamp TIMESTAMP, score REAL, half REAL, memo TEXT, raw BLOB)`,
		"x'00ff10'", "x''", "'2024-06-01 00:30:00Z'", "'1999-12-31T08:00:00+00:00'", "1", "0")
	header, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header = header[:100]
	return fixture{
		name:   "sqlite",
		source: fmt.Sprintf("{ sqlite: { path: %q } }", path),
		mapping: sqlMapping("CAST(amount AS REAL) >= CAST(:least AS REAL)",
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT *, count(*) FROM n, sample WHERE i < 0"),
		// A file whose header is gone, as while it is restored from a backup. An open handle would outlive a mere rename.
		cut:  func() { overwrite(t, path, make([]byte, len(header))) },
		mend: func() { overwrite(t, path, header) },
	}
}

func overwrite(t *testing.T, path string, header []byte) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(header, 0); err != nil {
		t.Fatal(err)
	}
}

func startPostgres(t *testing.T) fixture {
	dsn := os.Getenv("KUASHENG_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("KUASHENG_TEST_POSTGRES is not set: give it the DSN of a PostgreSQL database to write to")
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal("KUASHENG_TEST_POSTGRES is no DSN")
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fill(t, db, `CREATE TABLE sample (id CHAR(8) PRIMARY KEY, name VARCHAR(50), amount NUMERIC(40,2), ratio NUMERIC(40,25), big BIGINT, flag BOOLEAN,
		born DATE, seen TIMESTAMP, stamp TIMESTAMPTZ, score DOUBLE PRECISION, half REAL, memo TEXT, raw BYTEA)`,
		`'\x00ff10'`, `''`, "'2024-06-01 00:30:00Z'", "'1999-12-31 08:00:00Z'", "true", "false")
	if cfg.Password == "" {
		cfg.Password = "unused" // trusted without one; the variable must be set all the same
	}
	t.Setenv("KUASHENG_TEST_PASSWORD", cfg.Password)
	network, address := pgxNetwork(cfg)
	p := startProxy(t, network, address)
	host, port, _ := net.SplitHostPort(p.address())
	return fixture{
		name: "postgres",
		source: fmt.Sprintf(`{ postgres: { dsn: "host=%s port=%s user=%s dbname=%s sslmode=disable default_query_exec_mode=simple_protocol", password_env: KUASHENG_TEST_PASSWORD } }`,
			host, port, cfg.User, cfg.Database),
		mapping: sqlMapping("amount >= :least", "SELECT sample.*, pg_sleep(30) FROM sample"),
		cut:     p.cut, mend: p.mend,
	}
}

func pgxNetwork(cfg *pgx.ConnConfig) (string, string) {
	if strings.HasPrefix(cfg.Host, "/") {
		return "unix", filepath.Join(cfg.Host, fmt.Sprintf(".s.PGSQL.%d", cfg.Port))
	}
	return "tcp", net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port))
}

func startMySQL(t *testing.T) fixture {
	dsn := os.Getenv("KUASHENG_TEST_MYSQL")
	if dsn == "" {
		t.Skip("KUASHENG_TEST_MYSQL is not set: give it the DSN of a MySQL or MariaDB database to write to")
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("KUASHENG_TEST_MYSQL is no DSN")
	}
	setup := cfg.Clone()
	setup.Params = map[string]string{"sql_mode": "'NO_BACKSLASH_ESCAPES'", "time_zone": "'+00:00'"}
	c, err := mysql.NewConnector(setup)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer db.Close()
	fill(t, db, `CREATE TABLE sample (id CHAR(8) PRIMARY KEY, name VARCHAR(50), amount DECIMAL(40,2), ratio DECIMAL(40,25), big BIGINT, flag TINYINT(1),
		born DATE, seen DATETIME(1), stamp TIMESTAMP NULL, score DOUBLE, half FLOAT, memo TEXT, raw BLOB) CHARACTER SET utf8mb4`,
		"x'00ff10'", "x''", "'2024-06-01 00:30:00'", "'1999-12-31 08:00:00'", "1", "0")
	p := startProxy(t, cfg.Net, cfg.Addr)
	through := cfg.Clone()
	through.Net, through.Addr, through.InterpolateParams, through.MultiStatements, through.ParseTime = "tcp", p.address(), true, true, true
	return fixture{
		name:    "mysql",
		source:  fmt.Sprintf("{ mysql: { dsn: %q } }", through.FormatDSN()),
		mapping: sqlMapping("amount >= :least", "SELECT sample.*, SLEEP(30) FROM sample"),
		cut:     p.cut, mend: p.mend,
	}
}

func startHTTP(t *testing.T) fixture {
	rows := []json.RawMessage{[]byte(httpRow(fullRow)), []byte(nullRow), []byte(httpRow(lowRow))}
	for i := range suiteRows - 3 {
		rows = append(rows, []byte(strings.NewReplacer(`"id":"b"`, fmt.Sprintf(`"id":"x%06d"`, i), `"big":null`, fmt.Sprintf(`"big":%d`, i), `"name":null`, `"name":"一"`).Replace(nullRow)))
	}
	answer := func(w http.ResponseWriter, list []json.RawMessage) {
		json.NewEncoder(w).Encode(map[string]any{"status": 0, "data": map[string]any{"count": []int{len(list)}, "items": upper(list)}, "time": "now"})
	}
	released := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/one/{id}", func(w http.ResponseWriter, r *http.Request) {
		for i, id := range []string{"a", "b", "c"} {
			if r.PathValue("id") == id {
				answer(w, rows[i:i+1])
				return
			}
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("GET /api/all", func(w http.ResponseWriter, _ *http.Request) { answer(w, rows) })
	mux.HandleFunc("POST /api/some", func(w http.ResponseWriter, r *http.Request) { answer(w, someRows(t, r, rows)) })
	mux.HandleFunc("GET /api/slow", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-released:
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { close(released); srv.Close() })
	p := startProxy(t, "tcp", srv.Listener.Addr().String())
	requests := map[string]string{
		"one":    `path: "/one/{id}", rows: data.items`,
		"masked": `path: "/one/{id}", rows: data.items`,
		"all":    `path: /all, rows: data.items`,
		"few":    `path: /all, rows: data.items`,
		"slow":   `path: /slow, rows: data.items`,
		"some":   `method: POST, path: /some, rows: data.items, body: { since: "{since}", least: "{least}", big: "{big}", flag: "{flag}", seen: "{seen}", score: "{score}", name: "{name}" }`,
	}
	return fixture{
		name:    "http",
		source:  fmt.Sprintf("{ http: { base_url: %q } }", "http://"+p.address()+"/api/"),
		mapping: func(name string) string { return "request: { " + requests[name] + " }" },
		cut:     p.cut, mend: p.mend,
	}
}

// httpRow writes the row as a service would: numbers bare, however many digits they have.
func httpRow(row string) string {
	return strings.NewReplacer(`"123456789012345678901234.50"`, "123456789012345678901234.50", `"9223372036854775807"`, "9223372036854775807",
		`"-9223372036854775808"`, "-9223372036854775808", `"-0.01"`, "-1e-2", `"0.0000000000000000000000000"`, "0", `"flag":false`, `"flag":"N"`,
		`"1893-05-01T10:00:00.5+08:00"`, `"1893-05-01 10:00:00.5"`, `"2024-06-01T08:30:00+08:00"`, `"2024-06-01T00:30:00Z"`, `1e+21`, "1E21").Replace(row)
}

// upper renames a member so that the suite's column NAME means the same for all kinds.
func upper(list []json.RawMessage) []json.RawMessage {
	out := make([]json.RawMessage, len(list))
	for i, r := range list {
		out[i] = []byte(strings.Replace(string(r), `"name":`, `"NAME":`, 1))
	}
	return out
}

// someRows answers the suite's conditions from a table of what each selects.
func someRows(t *testing.T, r *http.Request, rows []json.RawMessage) []json.RawMessage {
	var body map[string]string
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		t.Errorf("the service cannot read its request: %v", err)
	}
	selected := map[string]string{
		"since 1899-12-31": "c", "since 1850-02-28": "ac", "since 1850-01-01": "ac", "least 123456789012345678901234.50": "a", "least -0.01": "ac",
		"least -0.001": "a", "big 9223372036854775807": "a", "big -9223372036854775808": "c", "flag true": "a", "flag false": "c",
		"seen 2024-02-29T23:59:59+08:00": "c", "score 1.5": "a", "name 张三丰": "a", "name '; DROP TABLE sample; --": "c",
	}
	var list []json.RawMessage
	for i, id := range []string{"a", "b", "c"} {
		keep := true
		for name, value := range body {
			keep = keep && strings.Contains(selected[name+" "+value], id)
		}
		if keep {
			list = append(list, rows[i])
		}
	}
	return slices.Clip(list)
}

// proxy stands between a source and its clients, so that an outage can be had without stopping a server.
type proxy struct {
	t               *testing.T
	network, target string
	listener        net.Listener
	down            atomic.Bool
	mu              sync.Mutex
	open            map[net.Conn]bool
	running         sync.WaitGroup
}

func startProxy(t *testing.T, network, target string) *proxy {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, network: network, target: target, listener: l, open: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(func() { l.Close(); p.cut(); p.running.Wait() })
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }
func (p *proxy) mend()           { p.down.Store(false) }

func (p *proxy) cut() {
	p.down.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.down.Load() {
			c.Close()
			continue
		}
		up, err := net.Dial(p.network, p.target)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.open[c], p.open[up] = true, true
		p.mu.Unlock()
		p.running.Go(func() { io.Copy(up, c); up.Close(); c.Close() })
		p.running.Go(func() { io.Copy(c, up); up.Close(); c.Close() })
	}
}
