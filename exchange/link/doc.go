// Package link is the exchange's end of the streams that nodes hold open: it knows which replicas are attached, hands each one the tickets of a
// commit, takes their answers, and writes the outcome of every access.
//
// The way of one call: Begin picks a replica and adds the intent to the access log with the Call as its tag, Dispatch (run by the
// log's committer) hands the committed intents to their sessions, a session's sender packs them with one checkpoint and one range proof,
// its receiver checks what comes back against the node's journal and ends the call. Whatever happens, a call ends once and its outcome is
// written here and nowhere else.
//
// Who owns what: the receiver goroutine of a session (the RPC's own) owns the follower of the node's journal; the sender goroutine owns the size
// that was sent last; a session's mutex guards its queue and its calls; a call's mutex guards its state. Locks are taken in the order
// hub, session, call.
//
// Reading order: hub.go, call.go, session.go, roster.go, await.go, handshake.go, sender.go, receiver.go, side.go, inquiry.go.
package link
