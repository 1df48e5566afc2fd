package bench

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/bench/stage"
)

const (
	// maxCallers is half of the accesses that an exchange takes at a time: more measure only how it refuses.
	maxCallers = 4096
	// maxLevels bounds the report.
	maxLevels = 32
	// maxConnections is what one machine opens without running out of ports or files.
	maxConnections = 256
	maxRounds      = 100
	// maxRun bounds the whole run; the SVIDs of a system that bench starts itself live longer.
	maxRun = 12 * time.Hour
	// maxBudget bounds the records that a run can leave in a log: some 100 GB.
	maxBudget = 100_000_000
)

// ErrConfig means that a run cannot be made as asked; the text says what to change.
var ErrConfig = errors.New("invalid settings")

// Config says what to measure and how.
type Config struct {
	// Server is a running system to measure; nil: none.
	Server *Server
	// Self starts a system of its own and measures that.
	Self bool
	// Plain also measures a plain gRPC server over mutual TLS that gives the same answer; PlainSource one that asks the same database for it, which
	// takes Self.
	Plain, PlainSource bool
	// Stage says how servers are started.
	Stage stage.Config

	Callers     []int         // numbers of callers, measured one after the other
	Connections int           // that the callers share
	Duration    time.Duration // measured per number of callers and lane
	Warmup      time.Duration // before each of these
	Rounds      int           // into how many turns Duration is cut
	MaxCalls    int64         // of the whole run, over all lanes
	Verify      int64         // one of so many answers is verified in full; 0: none
	Timeout     time.Duration // of a call
	Profile     string        // file for a CPU profile of the load generator; servers write beside it; empty: none

	// Progress, which may be nil, hears before each slice how much of the time is done.
	Progress func(done, total time.Duration, what string)
	Logger   *slog.Logger
}

// lanes is how many servers take turns.
func (c Config) lanes() int {
	n := 0
	for _, on := range []bool{c.Server != nil || c.Self, c.Plain, c.PlainSource} {
		if on {
			n++
		}
	}
	return n
}

// Length is how long the run measures and warms up, at most.
func (c Config) Length() time.Duration {
	return time.Duration(len(c.Callers)*c.lanes()) * time.Duration(c.Rounds) * (c.slice() + c.warmup())
}

// slice is how long a lane measures before the next has its turn.
func (c Config) slice() time.Duration { return c.Duration / time.Duration(max(c.Rounds, 1)) }

// warmup is spread over the turns: every one begins with other processes' data in the processor's caches.
func (c Config) warmup() time.Duration { return c.Warmup / time.Duration(max(c.Rounds, 1)) }

// Check names everything that is wrong.
func (c Config) Check() error {
	var wrong []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
		}
	}
	refuse(c.lanes() == 0, "there is nothing to measure: name a running system, or start one with --self, or a plain server with --direct")
	refuse(c.Server != nil && c.Self, "either a running system or one of its own (--self) is measured, not both")
	refuse(c.PlainSource && !c.Self, "--direct-source needs the database of --self")
	refuse(c.Server != nil && len(c.Server.Requests) == 0, "there is no question to ask")
	refuse(len(c.Callers) == 0 || len(c.Callers) > maxLevels, "--callers takes 1 to %d numbers", maxLevels)
	refuse(slices.ContainsFunc(c.Callers, func(n int) bool { return n < 1 || n > maxCallers }), "--callers are from 1 to %d", maxCallers)
	refuse(c.Connections < 1 || c.Connections > maxConnections, "--connections is from 1 to %d", maxConnections)
	refuse(c.Rounds < 1 || c.Rounds > maxRounds, "--rounds is from 1 to %d", maxRounds)
	refuse(c.slice() < 100*time.Millisecond, "--duration gives each of the --rounds less than 100 ms, too little to mean anything")
	refuse(c.Warmup < 0, "--warmup is negative")
	refuse(c.Duration > maxRun || c.Warmup > maxRun || c.Length() > maxRun, "the run would take longer than %s", maxRun)
	refuse(c.MaxCalls < 1 || c.MaxCalls > maxBudget, "--max-calls is from 1 to %d", int64(maxBudget))
	refuse(c.Verify < 0, "--verify is negative")
	refuse(c.Timeout <= 0 || c.Timeout > time.Minute, "--timeout is up to 1m")
	return errors.Join(wrong...)
}
