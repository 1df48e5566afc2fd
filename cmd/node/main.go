// Command node runs a province's end of Kuasheng: it makes a node (init), tests its file against the real sources (check) and serves it (serve).
//
// Reading order: main.go, root_command.go, init_command.go, check_command.go, serve_command.go (flags) and serve.go (the running program).
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/kuasheng/kuasheng/internal/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks the program to finish what is under way, the second ends it: what was acknowledged is on disk either way.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command: results go to stdout, everything else to stderr. It returns the exit status: 0, 1 for failure, 2 for usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return daemon.Run(ctx, newRootCommand(), args, stdout, stderr)
}
