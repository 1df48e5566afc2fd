package config

import (
	"net/url"
	"regexp"

	"github.com/go-sql-driver/mysql"
)

// keyedPassword is a password in PostgreSQL's form of keywords and values, or in the query of its URL.
var keyedPassword = regexp.MustCompile(`(?i)(^|[\s?&])(ssl)?password\s*=`)

// HoldsPassword reports whether the file itself holds the source's password, in its DSN. What stands in the environment is no finding.
func (s Source) HoldsPassword() bool {
	switch s.Kind {
	case Postgres:
		// Not the driver's reading: it adds what the environment and ~/.pgpass say.
		if u, err := url.Parse(s.DSN); err == nil && u.User != nil {
			if _, set := u.User.Password(); set {
				return true
			}
		}
		return keyedPassword.MatchString(s.DSN)
	case MySQL:
		c, err := mysql.ParseDSN(s.DSN)
		return err == nil && c.Passwd != ""
	}
	return false
}
