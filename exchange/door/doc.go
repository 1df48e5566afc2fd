// Package door bounds what strangers can take of a server before anybody knows who they are.
//
// Whoever reaches a port can open connections, and each costs buffers and a handshake. A [Listener] therefore counts them: in all, for one
// remote address, and with a much smaller bound for those that have not shown a certificate of a known authority. Such a connection is a
// stranger's until [Conn.Admit]. When strangers fill their places the one that has been here longest goes, so that a flood cannot keep
// rightful callers from their handshake: theirs takes milliseconds.
//
// A refused connection is closed without an answer and without a log line: a flood must not fill a disk.
package door

// KnockKey is the metadata key by which the REST gateway asks, over the in-memory connection, whether the caller in whose name it speaks is
// known, before it reads that caller's body: the server answers with its headers and waits for a message, which then never comes. On any
// other connection the key means nothing.
const KnockKey = "kuasheng-knock"
