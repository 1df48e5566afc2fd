// Package exchange is the middle of Kuasheng: it knows the members, the catalogue and the grants, decides on every request, puts it on record
// before anything leaves, and routes it to the province that holds the data.
//
// Reading order, along the life of a query (DESIGN.md section 3): package door, limit.go and receive.go (what a stranger can take, how a message
// comes in), authenticate.go (who calls), method.go (who may call what), query_service.go (a request, step by step), package decision (may it),
// package accesslog (the record), package link (to the node and back), status.go (how refusals look), flood.go (which of them are counted and
// not recorded). Then the other services, server.go (putting it together) and package gateway (REST).
package exchange
