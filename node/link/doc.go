// Package link is a node's end of the stream to the exchange: it dials out, attaches, checks that every batch of tickets is proven to be in
// the exchange's log, hands the tickets to a Handler and sends what the journal has committed.
//
// One stream at a time: its end cancels the work of its tickets and waits for it, so that everything the exchange asks about on the next
// stream is either in the journal or will never be answered.
//
// Who owns what: the receiver goroutine owns the follower of the exchange's log; the sender goroutine alone writes to the stream and owns the
// journal's size that was sent last; a session's mutex guards its queue.
//
// Reading order: client.go, session.go, handshake.go, receiver.go, sender.go, side.go.
package link
