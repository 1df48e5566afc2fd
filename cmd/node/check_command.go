package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/internal/daemon"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/policy"
	"github.com/kuasheng/kuasheng/node/source"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find everything wrong with a node's file, and test every mapping against its real source",
		Long: `Tests the file, the keys, the certificate and the journal, and then every resource against its real source: whether its columns exist, have
the declared types, and convert. Sample parameters belong to nobody. It lists everything that is wrong, with line and cure, and
publishes and changes nothing. It may be run beside a serving node.

Exit status: 0 nothing to correct (there may be warnings), 1 something to correct, 2 wrong usage.`,
		Example: "  node check --config /srv/node-1/node.yaml\n  node check --config /srv/node-1/node.yaml -o json",
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
		return mistakes(err)
	}
	found := checkKeys(file)
	found = append(found, daemon.CheckIdentity(ctx, path, func(ctx context.Context) (*certs.Source, error) {
		return openIdentity(ctx, file, slog.New(slog.DiscardHandler))
	}, false, time.Now())...)
	if err := initialised(file); err != nil {
		found = append(found, daemon.Finding{File: path, Problem: err.Error()})
	}
	return append(found, checkSources(ctx, file)...)
}

func mistakes(err error) []daemon.Finding {
	var m *config.Mistakes
	if !errors.As(err, &m) {
		return []daemon.Finding{{Problem: err.Error()}}
	}
	var found []daemon.Finding
	for _, one := range m.List {
		found = append(found, daemon.Finding{File: m.File, Line: one.Line, Column: one.Column, Problem: one.Message})
	}
	return found
}

func checkKeys(file *config.Node) []daemon.Finding {
	var found []daemon.Finding
	if _, err := daemon.ReadLogKey(file.JournalKey); err != nil {
		found = append(found, daemon.Finding{File: file.File, Problem: err.Error(), Cure: "journal_key names the signer key that \"node init\" wrote; restore it from its backup"})
	}
	_, err := daemon.ReadSecret(file.Policy.PseudonymKey)
	if err == nil {
		_, err = policy.Load(file.Policy)
	}
	if err != nil {
		found = append(found, daemon.Finding{File: file.File, Problem: err.Error(), Cure: "policy.pseudonym_key names the key that \"node init\" wrote; restore it from its backup"})
	}
	return found
}

// checkSources runs every mapping against its source.
func checkSources(ctx context.Context, file *config.Node) []daemon.Finding {
	// What a source logs, the findings say.
	set, err := source.Open(ctx, file, slog.New(slog.DiscardHandler))
	if err != nil {
		return daemon.Problems(file.File, "", err)
	}
	defer set.Close()
	var found []daemon.Finding
	for _, f := range set.Check(ctx) {
		found = append(found, daemon.Finding{
			File: file.File, Line: f.Line, Resource: f.Resource, Field: f.Field, Parameter: f.Parameter, Warning: f.Warning, Problem: f.Problem, Cure: f.Cure,
		})
	}
	return found
}

// initialised reports a journal that is missing. A node never makes it by itself: it would deny all that it has answered.
func initialised(file *config.Node) error {
	if _, err := os.Stat(filepath.Join(file.DataDir, "journal", "log")); err != nil {
		return fmt.Errorf("the node has no journal: %w; for a new replica run \"node init\", for one that existed restore data_dir from its backup", err)
	}
	return nil
}

// openIdentity opens the node's own SVID.
func openIdentity(ctx context.Context, file *config.Node, logger *slog.Logger) (*certs.Source, error) {
	files := certs.Files{SVID: file.Identity.SVID, Key: file.Identity.Key, Bundles: file.Identity.Bundles}
	exchange, err := certs.ParseID(file.Exchange.ID)
	if err != nil {
		return nil, err
	}
	source, err := daemon.OpenIdentity(ctx, files, file.Identity.WorkloadAPI, certs.RoleNode, "", logger)
	if err != nil {
		return nil, err
	}
	if _, err := source.GetX509BundleForTrustDomain(exchange.TrustDomain); err != nil {
		_ = source.Close() // never fails
		return nil, fmt.Errorf("checking whom the node trusts: %w; add the exchange's bundle to identity.bundles", err)
	}
	return source, nil
}
