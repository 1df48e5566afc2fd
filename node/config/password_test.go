package config

import "testing"

func TestHoldsPassword(t *testing.T) {
	t.Setenv("PGPASSWORD", "of the environment")
	for _, c := range []struct {
		kind SourceKind
		dsn  string
		want bool
	}{
		{Postgres, "postgres://node@db.internal:5432/insurance?sslmode=verify-full", false},
		{Postgres, "postgres://node:secret@db.internal:5432/insurance?sslmode=verify-full", true},
		{Postgres, "postgres://db.internal/insurance?user=node&password=secret", true},
		{Postgres, "host=db.internal user=node dbname=insurance", false},
		{Postgres, "host=db.internal user=node password=secret dbname=insurance", true},
		{Postgres, "host=db.internal user=node passfile=/etc/pgpass", false},
		{MySQL, "node@tcp(db.internal:3306)/marriage?tls=true", false},
		{MySQL, "node:secret@tcp(db.internal:3306)/marriage?tls=true", true},
		{Postgres, "", false},
		{MySQL, "", false},
		{SQLite, "", false},
	} {
		if got := (Source{Kind: c.kind, DSN: c.dsn}).HoldsPassword(); got != c.want {
			t.Errorf("%s %q: %v", c.kind, c.dsn, got)
		}
	}
}
