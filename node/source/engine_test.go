package source

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// engineCase opens one resource on a real server from the environment, or skips.
func engineCase(t *testing.T, variable, kind string, setup []string, fields, parameters, query string) *Set {
	t.Helper()
	dsn := os.Getenv(variable)
	if dsn == "" {
		t.Skip(variable + " is not set: give it the DSN of a database to write to")
	}
	driver := map[string]string{"postgres": "pgx", "mysql": "mysql"}[kind]
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range setup {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return openService1(t, liteFile(fmt.Sprintf("%s: { dsn: %q }", kind, dsn), plainShare, fields, parameters, "timeout: 2s", query))
}

const oneField = "{ name: a, title: { zh: 甲 }, type: C }"

func TestPostgresSession(t *testing.T) {
	s := engineCase(t, "KUASHENG_TEST_POSTGRES", "postgres", nil, oneField, "",
		"SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('default_transaction_read_only'), current_setting('TimeZone')) AS a")
	a, err := s.Query(t.Context(), ask(1, "a"))
	if want := `{"rows":[{"a":"1800ms on Asia/Shanghai"}]}`; err != nil || string(a.JSON) != want {
		t.Errorf("got %s, %v, want %s", a.JSON, err, want)
	}
}

func TestPostgresIsOnlyRead(t *testing.T) {
	s := engineCase(t, "KUASHENG_TEST_POSTGRES", "postgres", []string{"CREATE SEQUENCE IF NOT EXISTS only_read"}, oneField, "", "SELECT nextval('only_read')::text AS a")
	if _, err := s.Query(t.Context(), ask(1, "a")); !errors.Is(err, ErrMapping) || !strings.Contains(err.Error(), "25006") {
		t.Errorf("got %v, want read_only_sql_transaction", err)
	}
}

// TestPostgresErrorsDoNotQuote holds that the server's message, which repeats the value, goes nowhere.
func TestPostgresErrorsDoNotQuote(t *testing.T) {
	s := engineCase(t, "KUASHENG_TEST_POSTGRES", "postgres", nil, oneField, "{ name: x, type: C, required: true }", "SELECT 'y' AS a WHERE :x = 5")
	_, err := s.Query(t.Context(), ask(1, "a", "x", "secret-word"))
	if !errors.Is(err, ErrMapping) || strings.Contains(err.Error(), "secret-word") || !strings.Contains(err.Error(), "SQLSTATE") {
		t.Errorf("got %v", err)
	}
	found := s.Check(t.Context())
	if len(found) != 1 || found[0].Parameter != "x" || found[0].Line == 0 || !strings.Contains(found[0].Problem, "int4") {
		t.Errorf("check: %v", found)
	}
}

func TestPostgresPlanChanges(t *testing.T) {
	s := engineCase(t, "KUASHENG_TEST_POSTGRES", "postgres",
		[]string{"DROP TABLE IF EXISTS plan", "CREATE TABLE plan (a VARCHAR(5), b INT)", "INSERT INTO plan VALUES ('x', 1)"}, oneField, "", "SELECT * FROM plan")
	query := func() string {
		a, err := s.Query(t.Context(), ask(1, "a"))
		return fmt.Sprint(string(a.JSON), err)
	}
	const want = `{"rows":[{"a":"x"}]}<nil>`
	if got := query(); got != want {
		t.Fatal(got)
	}
	db, err := sql.Open("pgx", os.Getenv("KUASHENG_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("ALTER TABLE plan ALTER COLUMN b TYPE TEXT"); err != nil {
		t.Fatal(err)
	}
	query() // may be refused: the plan is the old one
	if got := query(); got != want {
		t.Errorf("after a change of the table: %s", got)
	}
}

func TestMySQLSession(t *testing.T) {
	s := engineCase(t, "KUASHENG_TEST_MYSQL", "mysql", nil, oneField, "", "SELECT CONCAT_WS(' ', @@tx_read_only, @@time_zone, @@max_statement_time, @@sql_mode) AS a")
	a, err := s.Query(t.Context(), ask(1, "a"))
	if want := `{"rows":[{"a":"ON +08:00 1.800000 STRICT_TRANS_TABLES"}]}`; err != nil || string(a.JSON) != want {
		t.Errorf("got %s, %v, want %s (MariaDB's variables)", a.JSON, err, want)
	}
}

func TestMySQLIsOnlyRead(t *testing.T) {
	s := engineCase(t, "KUASHENG_TEST_MYSQL", "mysql", []string{
		"CREATE TABLE IF NOT EXISTS only_read (a INT)", "DROP FUNCTION IF EXISTS write_it",
		"CREATE FUNCTION write_it() RETURNS VARCHAR(5) DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO only_read VALUES (1); RETURN 'x'; END",
	}, oneField, "", "SELECT write_it() AS a")
	if _, err := s.Query(t.Context(), ask(1, "a")); !errors.Is(err, ErrMapping) || !strings.Contains(err.Error(), "1792") {
		t.Errorf("got %v, want a refusal of the read-only transaction", err)
	}
}

// TestMySQLComparesDecimalsExactly holds that two amounts that differ in the 20th digit are told apart: MySQL compares
// a decimal column with text as floating-point numbers.
func TestMySQLComparesDecimalsExactly(t *testing.T) {
	s := engineCase(t, "KUASHENG_TEST_MYSQL", "mysql",
		[]string{"DROP TABLE IF EXISTS exact", "CREATE TABLE exact (a DECIMAL(30,2), u BIGINT UNSIGNED)", "INSERT INTO exact VALUES (12345678901234567890.12, 18446744073709551615), (12345678901234567890.13, 1)"},
		"{ name: a, title: { zh: 甲 }, type: N }, { name: u, title: { zh: 乙 }, type: I }", "{ name: x, type: N, required: true }", "SELECT a, u FROM exact WHERE a = :x")
	a, err := s.Query(t.Context(), ask(1, "a", "x", "12345678901234567890.13"))
	if want := `{"rows":[{"a":"12345678901234567890.13"}]}`; err != nil || string(a.JSON) != want {
		t.Errorf("got %s, %v, want %s", a.JSON, err, want)
	}
	if _, err := s.Query(t.Context(), ask(1, "u", "x", "12345678901234567890.12")); !errors.Is(err, ErrMapping) || strings.Contains(err.Error(), "18446744073709551615") {
		t.Errorf("2^64-1 as type I: got %v", err)
	}
}
