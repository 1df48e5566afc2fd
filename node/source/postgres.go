package source

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/kuasheng/kuasheng/node/config"
)

// dialTimeout bounds a connection attempt whose query has more time than that, as exports have.
const dialTimeout = 5 * time.Second

// postgresEngine reads PostgreSQL.
type postgresEngine struct {
	config *pgx.ConnConfig
	clock  clock
}

func newPostgres(src config.Source, c clock) (engine, error) {
	dsn, password, err := credentials(src)
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The parser's message quotes the DSN with a masked password; a DSN that it misread could leak one.
		return nil, fmt.Errorf("source %s: %w: the DSN cannot be read", src.Name, ErrMapping)
	}
	if password != "" {
		cfg.Password = password
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = dialTimeout
	}
	// A DSN may ask for the simple protocol, which writes values into the statement's text.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	return &postgresEngine{cfg, c}, nil
}

// credentials reads what the file leaves to the environment.
func credentials(src config.Source) (dsn, password string, err error) {
	dsn = src.DSN
	if src.DSNEnv != "" {
		if dsn, err = variable(src.Name, src.DSNEnv); err != nil {
			return "", "", err
		}
	}
	if src.PasswordEnv != "" {
		password, err = variable(src.Name, src.PasswordEnv)
	}
	return dsn, password, err
}

func variable(source, name string) (string, error) {
	v := os.Getenv(name)
	if v == "" {
		return "", fmt.Errorf("source %s: %w: environment variable %s is not set", source, ErrUnavailable, name)
	}
	return v, nil
}

func (e *postgresEngine) open(limit time.Duration) (*sql.DB, error) {
	cfg := e.config.Copy()
	cfg.RuntimeParams["default_transaction_read_only"] = "on"
	cfg.RuntimeParams["statement_timeout"] = strconv.FormatInt(max(limit.Milliseconds(), 1), 10)
	cfg.RuntimeParams["TimeZone"] = e.clock.zone.String()
	cfg.RuntimeParams["DateStyle"] = "ISO, YMD"
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "kuasheng-node"
	}
	return stdlib.OpenDB(*cfg), nil
}

// cast names the type where a parameter stands before IS, since PostgreSQL infers none there. Everywhere else the
// context decides, so that a text parameter fits a uuid or char column and its index is used.
func (e *postgresEngine) cast(t config.Type, placeholder string, tested bool) string {
	if !tested {
		return placeholder
	}
	name := "text"
	switch t {
	case config.TypeNumber, config.TypeCurrency:
		name = "numeric"
	case config.TypeInteger:
		name = "bigint"
	case config.TypeDouble, config.TypeFloat:
		name = "double precision"
	case config.TypeDate:
		name = "date"
	case config.TypeTime:
		name = "timestamptz"
	case config.TypeLogical:
		name = "boolean"
	}
	return "CAST(" + placeholder + " AS " + name + ")"
}

// bind sends every value in its text form, apart from the statement: the server parses it as the type it inferred. A
// time is written in the source's zone with its offset, so that timestamp columns, for which the server drops the
// offset, compare on the same clock as timestamptz columns.
func (e *postgresEngine) bind(a argument) any {
	if a.kind == config.TypeTime {
		return strings.Replace(e.clock.instant(a.instant), "T", " ", 1)
	}
	return a.text
}

func (e *postgresEngine) shape(databaseType string) shape {
	switch databaseType {
	case "TIMESTAMP":
		return shapeNaive
	case "DATE":
		return shapeDay
	case "BYTEA":
		return shapeBinary
	case "BPCHAR":
		return shapePadded
	}
	return shapePlain
}

// fault goes by SQLSTATE. The message stays behind: "invalid input syntax for type date: …" ends with the value.
func (e *postgresEngine) fault(err error) error {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		var ce *pgconn.ConnectError
		switch {
		case errors.As(err, &ce), pgconn.SafeToRetry(err), disconnected(err):
			return because(connectionCause(err), fmt.Errorf("%w: no connection to PostgreSQL", ErrUnavailable))
		}
		return fmt.Errorf("%w: PostgreSQL's driver cannot convert a value", ErrMapping)
	}
	sentinel := ErrMapping
	switch class := pe.Code[:min(2, len(pe.Code))]; {
	case pe.Code == "57014": // query_canceled, by statement_timeout
		sentinel = ErrTimeout
	// Connection and authorisation failures, resources, shutdown, system errors, deadlocks.
	case class == "08", class == "28", class == "53", class == "57", class == "58", class == "40", class == "XX", pe.Code == "3D000", pe.Code == "55P03":
		sentinel = ErrUnavailable
	}
	c := postgresCause(pe.Code)
	if c == causeOption {
		if errors.As(err, new(*pgconn.ConnectError)) {
			sentinel = ErrUnavailable // no statement was reached; what the server says quotes the DSN
		} else {
			c = causeOther
		}
	}
	return because(c, fmt.Errorf("%w: PostgreSQL's SQLSTATE %s", sentinel, pe.Code))
}
