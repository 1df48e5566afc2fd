package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/kuasheng/kuasheng/node/config"
)

// mysqlEngine reads MySQL and MariaDB.
type mysqlEngine struct {
	config *mysql.Config
	clock  clock
}

func newMySQL(src config.Source, c clock) (engine, error) {
	dsn, password, err := credentials(src)
	if err != nil {
		return nil, err
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w: the DSN cannot be read", src.Name, ErrMapping)
	}
	if password != "" {
		cfg.Passwd = password
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = dialTimeout
	}
	// Whatever the DSN says: one statement at a time, values bound by the server and times as they are stored.
	cfg.MultiStatements, cfg.InterpolateParams, cfg.ParseTime = false, false, false
	cfg.AllowAllFiles = false              // the server could ask for any file of this machine
	cfg.Logger = new(mysql.NopLogger)      // it writes to stderr; errors come back anyway
	cfg.Params = withoutParams(cfg.Params) // they are session variables, which open sets itself
	return &mysqlEngine{cfg, c}, nil
}

// withoutParams drops the session variables that decide how this package reads a session.
func withoutParams(params map[string]string) map[string]string {
	kept := map[string]string{}
	for name, value := range params {
		switch strings.ToLower(name) {
		case "time_zone", "transaction_read_only", "tx_read_only", "max_execution_time", "max_statement_time", "sql_mode":
		default:
			kept[name] = value
		}
	}
	return kept
}

func (e *mysqlEngine) open(limit time.Duration) (*sql.DB, error) {
	c, err := mysql.NewConnector(e.config.Clone())
	if err != nil {
		return nil, fmt.Errorf("opening MySQL: %w: the DSN cannot be used", ErrMapping)
	}
	return sql.OpenDB(&sessions{Connector: c, limit: limit, offset: e.clock.offset()}), nil
}

// sessions prepares every new connection. MySQL and MariaDB limit statements by different variables, and an unknown one
// is an error, so the server's version is asked first.
type sessions struct {
	driver.Connector
	limit  time.Duration
	offset string
}

// Connect opens one connection.
func (s *sessions) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (s *sessions) prepare(ctx context.Context, conn driver.Conn) error {
	mariaDB, err := isMariaDB(ctx, conn)
	if err != nil {
		return err
	}
	limit := "SET SESSION max_execution_time = " + strconv.FormatInt(max(s.limit.Milliseconds(), 1), 10)
	if mariaDB {
		limit = "SET SESSION max_statement_time = " + strconv.FormatFloat(s.limit.Seconds(), 'f', 3, 64)
	}
	run, ok := conn.(driver.ExecerContext)
	if !ok {
		return driver.ErrSkip
	}
	for _, statement := range []string{
		"SET SESSION TRANSACTION READ ONLY",
		"SET time_zone = '" + s.offset + "'",
		// The tokenizer reads backslashes as escapes and double quotes as strings; so must the server.
		"SET SESSION sql_mode = 'STRICT_TRANS_TABLES'",
		limit,
	} {
		if _, err := run.ExecContext(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

func isMariaDB(ctx context.Context, conn driver.Conn) (bool, error) {
	ask, ok := conn.(driver.QueryerContext)
	if !ok {
		return false, driver.ErrSkip
	}
	rows, err := ask.QueryContext(ctx, "SELECT VERSION()", nil)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	version := make([]driver.Value, 1)
	if err := rows.Next(version); err != nil {
		return false, err
	}
	if b, ok := version[0].([]byte); ok {
		version[0] = string(b)
	}
	s, _ := version[0].(string)
	return strings.Contains(strings.ToLower(s), "mariadb"), nil
}

// cast makes decimals of decimals: MySQL compares a decimal column with a text as floating-point numbers.
func (e *mysqlEngine) cast(t config.Type, placeholder string, _ bool) string {
	if t == config.TypeNumber || t == config.TypeCurrency {
		return "CAST(" + placeholder + " AS DECIMAL(65,30))"
	}
	return placeholder
}

func (e *mysqlEngine) bind(a argument) any {
	switch a.kind {
	case config.TypeInteger:
		return a.integer
	case config.TypeDouble, config.TypeFloat:
		return a.float
	case config.TypeLogical:
		return a.logical
	case config.TypeTime:
		return a.instant.In(e.clock.zone).Format("2006-01-02 15:04:05.999999")
	}
	return a.text
}

func (e *mysqlEngine) shape(databaseType string) shape {
	switch databaseType {
	case "TIMESTAMP": // rendered in the session's offset, unlike DATETIME, which is stored as on the wall
		return shapeStandard
	case "BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "BIT", "GEOMETRY":
		return shapeBinary
	}
	return shapePlain
}

// fault goes by the error's number. Messages such as "Incorrect DATE value: '…'" quote values and stay behind.
func (e *mysqlEngine) fault(err error) error {
	var me *mysql.MySQLError
	if !errors.As(err, &me) {
		c := connectionCause(err)
		if c != causeOther || disconnected(err) || errors.Is(err, mysql.ErrInvalidConn) {
			return because(c, fmt.Errorf("%w: no connection to MySQL", ErrUnavailable))
		}
		return fmt.Errorf("%w: MySQL's driver refused", ErrMapping)
	}
	sentinel := ErrMapping
	switch n := me.Number; {
	case n == 3024, n == 1969, n == 1317: // time limit of MySQL, of MariaDB; interrupted
		sentinel = ErrTimeout
	case n == 1040, n == 1041, n == 1037, n == 1038, n == 1042, n == 1043, n == 1044, n == 1045, n == 1049, // resources, connection, login, database
		n == 1053, n >= 1077 && n <= 1079, n == 1129, n == 1130, n >= 1152 && n <= 1161, n == 1203, n == 1205, n == 1213, n == 1226, n == 1231, n == 1698, n == 1927, n == 3159:
		sentinel = ErrUnavailable
	}
	return because(mysqlCause(me.Number), fmt.Errorf("%w: MySQL's error %d", sentinel, me.Number))
}

// disconnected recognises a connection that broke or never was.
func disconnected(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, sql.ErrConnDone)
}
