package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/config"
	"github.com/kuasheng/kuasheng/internal/daemon"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find everything wrong with an exchange's configuration, without serving",
		Long: `Tests the file, the key of the access log, the certificate, the stores and the addresses, and lists everything that is wrong, with what to do
about it. It changes nothing and may be run beside a serving exchange: addresses in use are then only a warning.

Exit status: 0 nothing to correct (there may be warnings), 1 something to correct, 2 wrong usage.`,
		Example: "  exchange check --config /srv/exchange/exchange.yaml\n  exchange check --config /srv/exchange/exchange.yaml -o json",
	}
	path, output := configFlag(cmd), daemon.OutputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := daemon.CheckOutput(*output); err != nil {
			return err
		}
		return daemon.Report(cmd, *output, *path+": nothing to correct", check(cmd.Context(), *path))
	}
	return cmd
}

// check looks at everything that serving needs.
func check(ctx context.Context, path string) []daemon.Finding {
	file, err := config.Load(path)
	if err != nil {
		return daemon.Mistakes(err)
	}
	var found []daemon.Finding
	if _, err := daemon.ReadLogKey(file.LogKey); err != nil {
		found = append(found, daemon.Finding{File: path, Problem: err.Error(), Cure: "log_key names the signer key that \"exchange init\" wrote; restore it from its backup"})
	}
	found = append(found, daemon.CheckKeyFile(path, "identity.key", file.Identity.Files.Key)...)
	found = append(found, daemon.CheckIdentity(ctx, path, func(ctx context.Context) (*certs.Source, error) {
		return openIdentity(ctx, file, slog.New(slog.NewTextHandler(io.Discard, nil)))
	}, file.Listen.REST != "", time.Now())...)
	if err := initialised(file); err != nil {
		found = append(found, daemon.Finding{File: path, Problem: err.Error()})
	}
	return append(found, checkListen(path, file.Listen)...)
}

// initialised reports what is missing of the stores. An exchange never makes them by itself: it would deny all that is on record.
func initialised(file *config.Exchange) error {
	for _, dir := range []string{"state", filepath.Join("accesslog", "log")} {
		if _, err := os.Stat(filepath.Join(file.DataDir, dir)); err != nil {
			return fmt.Errorf("the exchange has no store: %w; for a new exchange run \"exchange init\", for one that existed restore data_dir from its backup", err)
		}
	}
	return nil
}

func checkListen(path string, listen config.Listen) []daemon.Finding {
	var found []daemon.Finding
	for _, one := range []struct{ key, address string }{{"grpc", listen.GRPC}, {"rest", listen.REST}, {"metrics", listen.Metrics}} {
		if one.address == "" {
			continue
		}
		l, err := net.Listen("tcp", one.address)
		if err != nil {
			found = append(found, daemon.Finding{
				File: path, Warning: errors.Is(err, syscall.EADDRINUSE), Problem: fmt.Sprintf("listen.%s: %v", one.key, err),
				Cure: "if it is not this exchange that is serving there, choose another address",
			})
			continue
		}
		if tcp, ok := l.Addr().(*net.TCPAddr); one.key == "metrics" && (!ok || !tcp.IP.IsLoopback()) {
			found = append(found, daemon.Finding{
				File: path, Warning: true, Problem: "listen.metrics can be reached from elsewhere, without authentication",
				Cure: "listen on 127.0.0.1, or let a firewall admit only those who watch",
			})
		}
		_ = l.Close() // nothing was accepted
	}
	return found
}

// openIdentity opens the exchange's own SVID.
func openIdentity(ctx context.Context, file *config.Exchange, logger *slog.Logger) (*certs.Source, error) {
	return daemon.OpenIdentity(ctx, file.Identity.Files, file.Identity.WorkloadAPI, certs.RoleExchange, file.Domain, logger)
}
