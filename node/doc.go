// Package node is a province's end of Kuasheng: it attaches to the exchange, answers tickets from the province's own sources, and puts every
// answer and refusal into its journal before anything leaves.
//
// Reading order, along the life of a query: link (a batch of tickets arrives and its proof is checked), handler.go (one ticket: check, veto,
// query, record, answer), ticket, policy, source, journal; then publish.go (catalogue entries), node.go (putting it together),
// reload.go (a changed file), pseudonym.go (the key that a journal is bound to) and config (the node's file).
package node
