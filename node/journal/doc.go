// Package journal is a node's record of what it did with every ticket: a verifiable log on segment files, and a Badger index behind it that
// finds the record of an intent. The index is rebuilt from the log when it is lost; only the list of spent tickets stands in it alone, which
// matters for as long as a ticket is young enough to be accepted.
//
//	key                      value
//	"i" ‖ intent leaf hash   index of the last record that answers the intent, uint64 big-endian
//	"o" ‖ intent leaf hash   index of the record that began an export which has not ended
//	"s" ‖ intent leaf hash   empty: the exchange was told that this intent was never answered, so it never may be (expires after a day)
//	"a"                      size (uint64) and root of the largest tree of the exchange that a record cites
//	"z"                      number of records indexed, uint64; written in the same transaction as their keys
package journal
