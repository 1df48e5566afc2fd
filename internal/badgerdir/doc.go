// Package badgerdir keeps three traps of a directory with a Badger database from killing the server that uses it, or from keeping it down.
//
// A full disk. Badger writes through mapped files. Where the disk has no block left for a page that is written, that is no error of a call but
// SIGBUS: the process dies at once, with every query in flight and without a word to anybody. [Room] is asked before a database is opened and
// before anything is written, and wants so much free that what is begun can be finished.
//
// Closing. [badger.DB.Close] writes out what it still has in memory and therefore dies in the same way. It is not needed for what was
// acknowledged, which with SyncWrites is in the write-ahead log. [Close] leaves the database open on a full disk; the process has to end, and
// the next one finds all of it in that log.
//
// An empty log file. Badger makes its logs (*.mem, *.vlog) in two steps, a file and then its length, and removes them in two, in the other
// order. A process that is killed in between leaves a file without a byte, and the next opening fails, although only the one after it is bound
// to succeed: whoever starts the server meets an outage that no reason explains. [RemoveEmpty] goes before the opening.
package badgerdir
