package statement

import "strconv"

// Dialect is the engine whose quoting rules a statement follows.
type Dialect int

// The engines that a node can read.
const (
	SQLite Dialect = iota
	Postgres
	MySQL // MariaDB too
)

// String gives the engine's name as it stands in the node's file.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case Postgres:
		return "postgres"
	case MySQL:
		return "mysql"
	}
	return "dialect " + strconv.Itoa(int(d))
}

// placeholder is how the driver numbers the n-th bound value, counted from 1.
func (d Dialect) placeholder(n int) string {
	if d == Postgres {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}
