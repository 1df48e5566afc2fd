// Package daemon is what the programs exchange and node have in common around their work: how a command line speaks and fails, logging,
// memory, identity, secret files, the port for health and metrics.
package daemon
