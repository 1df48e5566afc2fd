// Command kuasheng is the command line of the people around the exchange: operators of bureaus, administrators, auditors, and developers of
// application systems.
//
// Reading order: main.go, root_command.go (what there is), connection.go and profile.go (whom to call, as whom), output.go and failure.go (how it
// speaks), then one file per command.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks commands to end, the second ends the process.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs one command: results go to stdout, everything else to stderr. It returns the exit status: 0, 1 for failure, 2 for usage.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return report(stderr, cmd, err)
}
