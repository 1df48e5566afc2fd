// Package bench measures a running exchange: how many queries a second, how fast each, at how many callers, and at what cost to which process.
//
// The load is a closed loop: each caller asks, waits for the answer and asks again, so that the system sets the pace and cannot be buried. Figures at a
// given number of callers are comparable between systems; the latency of requests that arrive on their own time (an open loop) is another question.
//
// What is measured is the system and not the load generator: questions are encoded beforehand, answers are not decoded, latencies go into histograms
// of a fixed size. Of every so many answers one is verified in full by package client, receipts and all; these calls count, but their latency is
// left out, since it holds the work of verifying. An answer whose evidence does not hold fails the run.
//
// On machines that others use too only ratios mean much. So each number of callers is measured in several rounds, and in each round all lanes take
// turns: the exchange and, for comparison, a plain gRPC server over the same mutual TLS with the same answer (package stage).
//
// Reading order: config.go, run.go (levels, rounds, lanes), loop.go (one slice of load), target.go and codec.go (a call), tally.go and histogram.go
// (what is counted), report.go and summary.go (what comes out), table.go (how people see it).
package bench
