package config

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // a minimal container has no time zones, and +08:00 must not depend on that

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// defaultTimeZone is the one all of China keeps.
const defaultTimeZone = "Asia/Shanghai"

var (
	sourceName = pattern{regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`), "lower-case letters, digits, _ and -, beginning with a letter"}
	headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)
)

func (t *table) sources() []Source {
	c := t.free("sources")
	if c == nil {
		return nil
	}
	var list []Source
	for _, name := range c.names {
		e := c.entries[name]
		if !sourceName.MatchString(name) {
			t.r.add(e.key, "a source's name must be %s", sourceName.description)
		}
		s := c.source(name)
		s.Name, s.At = name, e.key
		list = append(list, s)
	}
	return list
}

// source reads one entry: exactly one kind, and the time zone of its times.
func (t *table) source(name string) Source {
	kinds := []SourceKind{SQLite, Postgres, MySQL, HTTP}
	c := t.r.table(t.entries[name].value, "source `"+name+"`", "", "sqlite postgres mysql http time_zone")
	s := Source{TimeZone: c.timeZone()}
	if c == nil {
		return s
	}
	for _, k := range kinds {
		if !c.has(string(k)) {
			continue
		}
		if s.Kind != "" {
			t.r.add(c.entries[string(k)].key, "source `%s` is %s already; make this a second source", name, s.Kind)
			continue
		}
		s.Kind = k
	}
	switch s.Kind {
	case SQLite:
		s.Path = c.child("sqlite", "path", "").path("path")
	case Postgres, MySQL:
		c.child(string(s.Kind), "", "dsn dsn_env password_env").database(&s)
	case HTTP:
		c.child("http", "base_url", "ca header_env").http(&s)
	default:
		t.r.add(c.at, "source `%s` has no kind; give it one of sqlite, postgres, mysql, http", name)
	}
	return s
}

func (t *table) timeZone() *time.Location {
	name := defaultTimeZone
	if t.has("time_zone") {
		name = t.text("time_zone", 64)
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		// The machine's own zone would make answers depend on where the node runs.
		t.r.add(t.where("time_zone"), "`time_zone` is no IANA time zone; write it as in Asia/Shanghai")
		return time.UTC
	}
	return zone
}

// database reads how to reach PostgreSQL or MySQL. A DSN's text never appears in a message: it may hold a password.
func (t *table) database(s *Source) {
	if t == nil {
		return
	}
	s.DSN = t.text("dsn", maxText)
	s.DSNEnv = t.matched("dsn_env", variable)
	s.PasswordEnv = t.matched("password_env", variable)
	switch {
	case t.has("dsn") && t.has("dsn_env"):
		t.r.add(t.entries["dsn_env"].key, "`dsn` and `dsn_env` exclude each other; remove one")
	case !t.has("dsn") && !t.has("dsn_env"):
		t.r.add(t.at, "%s lacks `dsn` or `dsn_env`; add one", t.what)
	case s.DSN != "" && !validDSN(s.Kind, s.DSN):
		t.r.add(t.where("dsn"), "`dsn` cannot be read; write it as in %s", sampleDSN(s.Kind))
	}
}

func validDSN(k SourceKind, dsn string) bool {
	if k == Postgres {
		_, err := pgx.ParseConfig(dsn)
		return err == nil
	}
	_, err := mysql.ParseDSN(dsn)
	return err == nil
}

func sampleDSN(k SourceKind) string {
	if k == Postgres {
		return "postgres://node@db.internal:5432/insurance?sslmode=verify-full"
	}
	return "node@tcp(db.internal:3306)/marriage?tls=true"
}

func (t *table) http(s *Source) {
	if t == nil {
		return
	}
	s.BaseURL = t.text("base_url", maxText)
	if u, err := url.Parse(s.BaseURL); s.BaseURL != "" {
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			t.r.add(t.where("base_url"), "`base_url` must be a URL, as in https://degrees.internal/api")
		case u.RawQuery != "" || u.Fragment != "":
			t.r.add(t.where("base_url"), "`base_url` must end with its path; the query belongs to a resource's `request`")
		case u.User != nil:
			t.r.add(t.where("base_url"), "`base_url` must hold no credentials; name an environment variable in `header_env`")
		}
	}
	s.CA = t.path("ca")
	headers := t.free("header_env")
	if headers == nil {
		return
	}
	s.HeaderEnv = map[string]string{}
	for _, name := range headers.names {
		if !headerName.MatchString(name) || strings.EqualFold(name, "Host") {
			t.r.add(headers.entries[name].key, "`%.64s` is no header that can be set", name)
			continue
		}
		s.HeaderEnv[http.CanonicalHeaderKey(name)] = headers.matched(name, variable)
	}
}
