// Package source answers queries from where a province's data lives: SQLite, PostgreSQL, MySQL or MariaDB, and HTTP
// services that speak JSON. It knows nothing of grants, tickets or records: who calls it has decided and recorded
// already. What it adds is that exactly the fields asked for leave, typed as the catalogue says and masked as the
// province says, and that no query can hurt the source or another query.
//
// # Answers
//
// A query's answer is one JSON object,
//
//	{"rows":[{"account_no":"4101…","balance":"1234.50","since":null}]}
//
// with the fields asked for, in the order asked, and nothing else. An export is the same row objects as JSON Lines.
// The catalogue's type decides how a value is written, whatever the engine calls its column:
//
//	C string, M memo    JSON string
//	G general           JSON string; a binary column is written in base64
//	N number, Y money   JSON string with the exact decimal, "1234.50": a JSON number is a float to most readers
//	I integer           JSON string, "9223372036854775807", as protobuf's JSON mapping writes int64
//	B double, F float   JSON number; NaN and infinities are refused
//	D date              JSON string, "1893-05-01"
//	T datetime          JSON string, RFC 3339 with offset. A value without one is in the source's time_zone. Before
//	                    standard time (1901 for Asia/Shanghai) the zone's standard offset is used, since local mean
//	                    time is not a whole number of minutes
//	L logical           JSON true or false; 1/0, t/f, y/n and 是/否 are understood
//	NULL                null, for every type and under every mask
//
// A masked value is a JSON string for every type. A value that does not fit its type, length or scale is an error
// that names resource and field and never the value: a wrong answer to an official is worse than none.
//
// # Parameters
//
// Parameters arrive as text, are checked against their declaration before anything touches the source, and are bound
// by the server: no value is ever part of a statement's text. Errors never repeat a value, and neither do messages of
// database servers, which quote what they were given: of those only the code is passed on.
//
// # Protection of the source
//
// Every resource has connections, time and rows of its own, so one that is slow or popular never takes them from
// another. Sessions are read-only where the engine has such a thing, statements are limited on the server too, so that
// a lost connection leaves nothing running, and a result that exceeds its bound is an error, never a cut-off answer.
//
// Read set.go first, then query.go and export.go; database.go and service.go are the two kinds of backends.
package source
