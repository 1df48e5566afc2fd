package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestCause names the class of a failure, keeps its sentinel, and says nothing that the server or driver said.
func TestCause(t *testing.T) {
	const words = "topsecret"
	pg := func(code string) error { return &pgconn.PgError{Code: code, Message: words, Detail: words} }
	my := func(n uint16) error { return &mysql.MySQLError{Number: n, Message: words} }
	dial := func(err error) error {
		return fmt.Errorf("%s: %w", words, &net.OpError{Op: "dial", Net: "tcp", Err: err})
	}
	for _, c := range []struct {
		name     string
		engine   engine
		err      error
		sentinel error
		want     cause
	}{
		{"PostgreSQL: password", &postgresEngine{}, pg("28P01"), ErrUnavailable, causePassword},
		{"PostgreSQL: not admitted", &postgresEngine{}, pg("28000"), ErrUnavailable, causeNotAdmitted},
		{"PostgreSQL: rights", &postgresEngine{}, pg("42501"), ErrMapping, causeRights},
		{"PostgreSQL: database", &postgresEngine{}, pg("3D000"), ErrUnavailable, causeDatabase},
		{"PostgreSQL: table", &postgresEngine{}, pg("42P01"), ErrMapping, causeObject},
		{"PostgreSQL: connections", &postgresEngine{}, pg("53300"), ErrUnavailable, causeConnections},
		{"PostgreSQL: an argument of the query", &postgresEngine{}, pg("22023"), ErrMapping, causeOther},
		{"PostgreSQL: anything else", &postgresEngine{}, pg("22007"), ErrMapping, causeOther},
		{"PostgreSQL: host", &postgresEngine{}, dial(&net.DNSError{Name: words, IsNotFound: true}), ErrUnavailable, causeHost},
		{"PostgreSQL: refused", &postgresEngine{}, dial(syscall.ECONNREFUSED), ErrUnavailable, causeRefused},
		{"MySQL: password", &mysqlEngine{}, my(1045), ErrUnavailable, causePassword},
		{"MySQL: rights", &mysqlEngine{}, my(1142), ErrMapping, causeRights},
		{"MySQL: database", &mysqlEngine{}, my(1049), ErrUnavailable, causeDatabase},
		{"MySQL: table", &mysqlEngine{}, my(1146), ErrMapping, causeObject},
		{"MySQL: option", &mysqlEngine{}, my(1193), ErrMapping, causeOption},
		{"MySQL: value of an option", &mysqlEngine{}, my(1231), ErrUnavailable, causeOption},
		{"MySQL: demands TLS", &mysqlEngine{}, my(3159), ErrUnavailable, causePlain},
		{"MySQL: has no TLS", &mysqlEngine{}, mysql.ErrNoTLS, ErrUnavailable, causeTLS},
		{"MySQL: authority", &mysqlEngine{}, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, ErrUnavailable, causeTLS},
		{"MySQL: host", &mysqlEngine{}, dial(&net.DNSError{Name: words}), ErrUnavailable, causeHost},
		{"MySQL: refused", &mysqlEngine{}, dial(syscall.ECONNREFUSED), ErrUnavailable, causeRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.engine.fault(c.err)
			if !errors.Is(err, c.sentinel) || strings.Contains(err.Error(), words) {
				t.Errorf("got %v, want %v", err, c.sentinel)
			}
			got := causeOther
			if known := (*causeError)(nil); errors.As(err, &known) {
				got = known.cause
			}
			if got != c.want {
				t.Errorf("cause %d, want %d", got, c.want)
			}
			problem, cure := c.want.words()
			if f := (&resource{}).finding(fmt.Errorf("opening: %w", err)); c.want != causeOther && (!strings.Contains(f.Problem, problem) || !strings.Contains(f.Cure, cure)) {
				t.Errorf("finding: %v", f)
			}
		})
	}
}
