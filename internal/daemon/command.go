package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// ErrUsage means that the command line is wrong, not the world.
var ErrUsage = errors.New("wrong usage")

// ErrReported means a failure that has been told already, as the findings of a check are.
var ErrReported = errors.New("reported")

// usageError keeps the text as it is: "wrong usage" shows in the exit status.
type usageError struct{ error }

func (e usageError) Unwrap() []error { return []error{ErrUsage, e.error} }

// Usage marks an error as one of usage. Nil stays nil.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// Run runs a command line: results go to stdout, everything else to stderr. It returns the exit status: 0, 1 for failure, 2 for usage.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = Version()
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return Usage(err) })
	// Cobra reports missing flags without a type of error; asking here, where it has not yet, makes them usage errors.
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return Usage(cmd.ValidateRequiredFlags()) }
	noArguments(root)
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrReported):
		return exitFailure
	case errors.Is(err, ErrUsage):
		fmt.Fprintf(stderr, "%s: %v\nRun \"%s --help\" for how to use it.\n", root.Name(), err, cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
	return exitFailure
}

// noArguments makes what stands beside flags an error of usage: no command of the servers takes any.
func noArguments(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := fmt.Errorf("%q has no command %q", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
		}
		return Usage(err)
	}
	for _, c := range cmd.Commands() {
		noArguments(c)
	}
}

// Require marks flags as required. It fails only for a flag that was not defined, which is a mistake of the program.
func Require(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		cobra.CheckErr(cmd.MarkFlagRequired(name))
	}
}
