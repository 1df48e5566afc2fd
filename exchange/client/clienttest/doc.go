// Package clienttest is a small exchange with one province in one process, for tests of programs that use package client: real mutual TLS on
// loopback, real logs and receipts, refusals that are typed and on record. It keeps everything in memory and has no node: what it answers
// is what the test put into Exchange.Rows.
//
// It can also lie: the hooks change what goes on record or to the caller, so that a test can see the client refuse it.
//
// It decides on grants as simply as a test needs (resource, fields, purpose), and on nothing else. It is no reference for what an exchange does.
package clienttest
