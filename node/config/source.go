package config

import "time"

// SourceKind says what a source is.
type SourceKind string

// The kinds of sources.
const (
	SQLite   SourceKind = "sqlite"
	Postgres SourceKind = "postgres"
	MySQL    SourceKind = "mysql" // MariaDB too
	HTTP     SourceKind = "http"
)

// Source is a place where data lives. Which of the fields are filled follows from Kind.
type Source struct {
	Name string
	Kind SourceKind

	Path string // SQLite: the file

	DSN         string // Postgres, MySQL; empty when DSNEnv is set. Holds credentials: never log it
	DSNEnv      string // environment variable with the DSN
	PasswordEnv string // environment variable with the password, replacing the DSN's

	BaseURL   string            // HTTP
	CA        string            // HTTP: PEM file of the authorities to trust instead of the system's
	HeaderEnv map[string]string // HTTP: header → environment variable with its value

	TimeZone *time.Location // of times that the source gives without an offset
	At       Position
}
