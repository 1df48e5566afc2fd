// Package state keeps what the exchange knows beside its logs: members, catalogue and grants.
//
// It holds bytes under keys and knows no rules; the packages member, catalogue and grant hold those. What it promises:
//
//   - Every change passes [Store.Commit]. A [Change] names, for each key it touches or rests on, the revision that its maker saw, and is
//     applied whole or, if any of them has moved on, not at all ([ErrConflict]). Hence a rule that was checked against what the maker saw
//     still holds when the change lands, without a lock across the check.
//   - Changes are ordered. The store revision grows by exactly one with each, and a key's revision is the store revision of the change
//     that wrote it last.
//   - When Commit returns nil, the change has survived a crash from then on, and every subscriber has seen it: a revoked grant is out of
//     force when the operator's call returns.
//   - Subscribers ([Store.Subscribe]) see what is there, then every change, in order and one at a time. Decisions read the views that
//     subscribers keep in memory and never this store.
//   - Nothing is ever deleted. Members, entries and grants stay readable for whoever must judge an old access by them.
//
// Whether a change applies depends on the store and the change alone: no clock, no random number, no map order. Replicas that apply the
// same changes in the same order therefore agree byte by byte. That is what lets a clustered exchange put an ordered log (one message
// per block of changes) in front of the same code later. Until then one committer goroutine is that order.
//
// # Failure
//
// An error while writing is final for the process: the store ends with [ErrFailed], since the change may or may not be on disk, and only
// reading it back tells. [Store.Ended] is closed so that health turns. Opening the directory again finds out. A crash leaves whole
// changes: a block of changes is one Badger transaction, synced, and its torn tail is dropped when the store is opened.
//
// A full disk is refused before it is reached ([ErrDiskFull]): Badger writes through memory maps, where running out of space is no error
// but a signal that kills the process and every query in flight. For the same reason Close leaves the database open there, which costs
// nothing but the lock on the directory until the process ends. Package badgerdir tells more.
//
// Whoever can write the directory can forge grants, so it belongs to the exchange's user alone (mode 0700). What was decided by them is
// in the access log, which nobody can rewrite unseen.
package state
