package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/exchange/config"
	"github.com/kuasheng/kuasheng/internal/daemon"
)

// memoryLimit is what an exchange may use under load; see DESIGN.md section 8.
const memoryLimit = 1 << 30

func newServeCommand() *cobra.Command {
	var logs daemon.LogFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve an exchange",
		Long: `Serves an exchange that "exchange init" has made: gRPC for nodes and callers, REST, and a port for metrics and health.

It stops on SIGINT or SIGTERM: it takes no more calls, finishes those under way and closes its stores. A second signal ends it at once; nothing
acknowledged is lost by that.

Certificates are read again when they change, without a restart. Members, catalogue and grants are changed by calls. Other changes of
exchange.yaml take a restart.

If the access log or the state cannot be written any more, the exchange goes on answering UNAVAILABLE, and /healthz on listen.metrics answers 503
with the reason: let the supervisor restart it then. A restart verifies the log and goes on.

Memory: GOGC is 400 and the memory limit 1 GiB, unless the environment sets GOGC or GOMEMLIMIT.`,
		Example: "  exchange serve --config /srv/exchange/exchange.yaml --log-format json",
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
