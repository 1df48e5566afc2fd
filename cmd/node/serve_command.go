package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/internal/daemon"
	"github.com/kuasheng/kuasheng/node/config"
)

// memoryLimit is what a node may use under load: answers of a thousand tickets under way.
const memoryLimit = 512 << 20

func newServeCommand() *cobra.Command {
	var logs daemon.LogFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a node: attach to the exchange and answer",
		Long: `Attaches to the exchange, publishes what node.yaml says, and answers queries until it is told to stop. It attaches again by itself
whenever the exchange goes away.

It stops on SIGINT or SIGTERM: it takes no more queries, answers those under way and closes its journal. A second signal ends it at once; nothing
that was answered is lost by that.

Certificates are read again when they change, and so are sources, resources and policy in node.yaml: a changed file is in force within seconds,
one with mistakes changes nothing. Only the file itself is looked at then, not what it names: edit a copy, run "node check" on it, and move it
into place. region, replica, data_dir, journal_key, identity, exchange, listen, ticket_age and pseudonym_key take a restart: until then they keep
their values, the log names them, and kuasheng_node_file_current is 0; the rest of the file is in force.

What an operator has withdrawn from the catalogue stays withdrawn, with a line in the log, until an operator publishes it or its entry in the file
changes.

If the journal cannot be written any more, the node answers nothing, and /healthz on listen.metrics answers 503 with the reason: let the
supervisor restart it then. A restart verifies the journal and goes on. Without listen.metrics the node ends by itself instead.

Memory: GOGC is 400 and the memory limit 512 MiB, unless the environment sets GOGC or GOMEMLIMIT.`,
		Example: "  node serve --config /srv/node-1/node.yaml --log-format json",
	}
	path := configFlag(cmd)
	logs.Register(cmd)
	profiles := cmd.Flags().Bool("pprof", false, "offer Go profiles under /debug/pprof/ on listen.metrics, which must be a loopback address")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		logger, err := logs.Logger(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		file, err := config.Load(*path)
		if err != nil {
			return err
		}
		daemon.TuneMemory(memoryLimit, os.LookupEnv)
		return serve(cmd.Context(), file, *profiles, logger)
	}
	return cmd
}
