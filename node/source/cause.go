package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// cause is the class of a database's failure, for whoever runs the node. It is chosen by codes and types alone: a driver's own words quote hosts,
// users and values, and errors go into the log.
type cause uint8

const (
	causeOther cause = iota
	causeHost
	causeRefused
	causeUnreachable
	causeTLS
	causePlain
	causePassword
	causeNotAdmitted
	causeRights
	causeDatabase
	causeObject
	causeOption
	causeConnections
)

// words are what failed and what to do about it.
func (c cause) words() (problem, cure string) {
	switch c {
	case causeHost:
		return "its host is not found", "correct the host in the DSN, or the machine's name service"
	case causeRefused:
		return "nothing listens at its address", "start the database, or correct host and port in the DSN"
	case causeUnreachable:
		return "its address does not answer", "correct host and port in the DSN, or open the way through firewalls"
	case causeTLS:
		return "TLS failed or is not offered", "give the DSN the database's authority and the host name of its certificate (PostgreSQL: sslrootcert, sslmode=verify-full; MySQL: tls), or switch TLS on there"
	case causePlain:
		return "it demands TLS", "ask for TLS in the DSN (PostgreSQL: sslmode=verify-full; MySQL: tls=true)"
	case causePassword:
		return "it refuses user or password", "correct the user in the DSN and the password in the variable that password_env or dsn_env names"
	case causeNotAdmitted:
		return "it does not admit this user from here", "admit user, database and address of the node, with or without TLS as the DSN says (PostgreSQL: pg_hba.conf; MySQL: the user's host)"
	case causeRights:
		return "the user lacks a right", "GRANT SELECT on what the query reads (PostgreSQL: GRANT USAGE on its schema too) to the user in the DSN"
	case causeDatabase:
		return "it has no such database", "correct the database in the DSN"
	case causeObject:
		return "a table, column or function of the query is not there", "correct the query"
	case causeOption:
		return "it does not know an option of the DSN", "remove the misspelt option from the DSN"
	case causeConnections:
		return "it has no connection left", "raise its limit, or the user's, above the sum of limits.connections and 2 for each resource and replica"
	default:
		return "", ""
	}
}

// causeError is an error of a database with its class.
type causeError struct {
	error
	cause cause
}

func (e *causeError) Error() string {
	problem, _ := e.cause.words()
	return e.error.Error() + ": " + problem
}

// Unwrap keeps the sentinel.
func (e *causeError) Unwrap() error { return e.error }

// because adds the class where one is known.
func because(c cause, err error) error {
	if c == causeOther {
		return err
	}
	return &causeError{err, c}
}

// connectionCause classifies what kept a connection from being made.
func connectionCause(err error) cause {
	var dns *net.DNSError
	var timer net.Error
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &dns):
		return causeHost
	case errors.Is(err, syscall.ECONNREFUSED):
		return causeRefused
	case errors.As(err, &verification), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &authority), errors.As(err, &host),
		errors.Is(err, mysql.ErrNoTLS), strings.Contains(err.Error(), "refused TLS connection"): // pgx has no type for it
		return causeTLS
	case errors.As(err, &timer) && timer.Timeout(), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return causeUnreachable
	}
	return causeOther
}

// postgresCause classifies by SQLSTATE.
func postgresCause(code string) cause {
	switch code {
	case "28P01":
		return causePassword
	case "28000":
		return causeNotAdmitted
	case "42501":
		return causeRights
	case "3D000":
		return causeDatabase
	case "42P01", "42703", "42883", "3F000":
		return causeObject
	case "42704", "22023":
		return causeOption // counts at the start of a session only; in a query they are a type and an argument
	case "53300":
		return causeConnections
	}
	return causeOther
}

// mysqlCause classifies by the number of the error, the same in MySQL and MariaDB where both have it.
func mysqlCause(number uint16) cause {
	switch number {
	case 1045, 1698:
		return causePassword
	case 1130:
		return causeNotAdmitted
	case 1044, 1142, 1143, 1227, 1370:
		return causeRights
	case 1049:
		return causeDatabase
	case 1146, 1054, 1305:
		return causeObject
	case 1193, 1231:
		return causeOption
	case 1040, 1203, 1226:
		return causeConnections
	case 3159:
		return causePlain
	}
	return causeOther
}
