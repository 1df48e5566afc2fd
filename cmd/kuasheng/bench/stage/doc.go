// Package stage sets up what `kuasheng bench` measures when it is not pointed at a running system: an exchange and one province's node on loopback,
// and beside them plain gRPC servers that give the same answer without exchange, record or proof.
//
// The servers are the real ones with the defaults of production, on a store of their own that is thrown away afterwards. Each runs as a child process,
// so that its CPU and memory are its own; tests may run them in their own process instead. A child is the same program started again: it reads what
// it is from files in the stage's directory, says its address on standard output, answers questions about itself that arrive on standard input,
// and ends when that is closed. So no server outlives whoever started it, however that ended.
//
// Everybody in it is made up. Authorities and keys are generated for the run; the people are synthetic, with births that nobody alive can have.
//
// Reading order: stage.go (the parts), system.go (exchange and node, registered and granted), plain.go (the servers to compare with), then
// server.go with its neighbours (what runs in a child), process.go, child.go and control.go (how it is started, asked and ended).
package stage
