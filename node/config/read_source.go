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

	"github.com/kuasheng/kuasheng/internal/yamlfile"
)

// defaultTimeZone is the one all of China keeps.
const defaultTimeZone = "Asia/Shanghai"

var (
	sourceName = pattern{regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`), "lower-case letters, digits, _ and -, beginning with a letter"}
	headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)
)

func sources(t *yamlfile.Table) []Source {
	c := t.Free("sources")
	if c == nil {
		return nil
	}
	var list []Source
	for _, name := range c.Names() {
		if !sourceName.MatchString(name) {
			t.Add(c.Key(name), "a source's name must be %s", sourceName.description)
		}
		s := source(c, name)
		s.Name, s.At = name, c.Key(name)
		list = append(list, s)
	}
	return list
}

// source reads one entry: exactly one kind, and the time zone of its times.
func source(t *yamlfile.Table, name string) Source {
	kinds := []SourceKind{SQLite, Postgres, MySQL, HTTP}
	c := t.ChildAs(name, "source `"+name+"`", "", "sqlite postgres mysql http time_zone")
	s := Source{TimeZone: timeZone(c)}
	if c == nil {
		return s
	}
	for _, k := range kinds {
		if !c.Has(string(k)) {
			continue
		}
		if s.Kind != "" {
			t.Add(c.Key(string(k)), "source `%s` is %s already; make this a second source", name, s.Kind)
			continue
		}
		s.Kind = k
	}
	switch s.Kind {
	case SQLite:
		s.Path = c.Child("sqlite", "path", "").Path("path")
	case Postgres, MySQL:
		database(c.Child(string(s.Kind), "", "dsn dsn_env password_env"), &s)
	case HTTP:
		service(c.Child("http", "base_url", "ca header_env"), &s)
	default:
		t.Add(c.At(), "source `%s` has no kind; give it one of sqlite, postgres, mysql, http", name)
	}
	return s
}

func timeZone(t *yamlfile.Table) *time.Location {
	name := defaultTimeZone
	if t.Has("time_zone") {
		name = t.TextWithin("time_zone", 64)
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		// The machine's own zone would make answers depend on where the node runs.
		t.Add(t.Where("time_zone"), "`time_zone` is no IANA time zone; write it as in Asia/Shanghai")
		return time.UTC
	}
	return zone
}

// database reads how to reach PostgreSQL or MySQL. A DSN's text never appears in a message: it may hold a password.
func database(t *yamlfile.Table, s *Source) {
	if t == nil {
		return
	}
	s.DSN = t.Text("dsn")
	s.DSNEnv = matched(t, "dsn_env", variable)
	s.PasswordEnv = matched(t, "password_env", variable)
	switch {
	case t.Has("dsn") && t.Has("dsn_env"):
		t.Add(t.Key("dsn_env"), "`dsn` and `dsn_env` exclude each other; remove one")
	case !t.Has("dsn") && !t.Has("dsn_env"):
		t.Add(t.At(), "`%s` lacks `dsn` or `dsn_env`; add one", s.Kind)
	case s.DSN != "" && !validDSN(s.Kind, s.DSN):
		t.Add(t.Where("dsn"), "`dsn` cannot be read; write it as in %s", sampleDSN(s.Kind))
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

// service reads how to reach an HTTP service.
func service(t *yamlfile.Table, s *Source) {
	if t == nil {
		return
	}
	s.BaseURL = t.Text("base_url")
	if u, err := url.Parse(s.BaseURL); s.BaseURL != "" {
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			t.Add(t.Where("base_url"), "`base_url` must be a URL, as in https://degrees.internal/api")
		case u.RawQuery != "" || u.Fragment != "":
			t.Add(t.Where("base_url"), "`base_url` must end with its path; the query belongs to a resource's `request`")
		case u.User != nil:
			t.Add(t.Where("base_url"), "`base_url` must hold no credentials; name an environment variable in `header_env`")
		}
	}
	s.CA = t.Path("ca")
	headers := t.Free("header_env")
	if headers == nil {
		return
	}
	s.HeaderEnv = map[string]string{}
	for _, name := range headers.Names() {
		if !headerName.MatchString(name) || strings.EqualFold(name, "Host") {
			t.Add(headers.Key(name), "`%.64s` is no header that can be set", name)
			continue
		}
		s.HeaderEnv[http.CanonicalHeaderKey(name)] = matched(headers, name, variable)
	}
}
