package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
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
publishes and changes nothing. It may be run beside a serving node, and on a changed copy of its file (in the same directory: relative paths
start there) before that is moved into place.

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
func check(ctx context.Context, name string) []daemon.Finding {
	file, err := config.Load(name)
	if err != nil {
		return daemon.Mistakes(err)
	}
	found := append(checkKeys(file), checkPasswords(file)...)
	found = append(found, daemon.CheckKeyFile(name, "identity.key", file.Identity.Key)...)
	found = append(found, daemon.CheckIdentity(ctx, name, func(ctx context.Context) (*certs.Source, error) {
		return openIdentity(ctx, file, slog.New(slog.DiscardHandler))
	}, false, time.Now())...)
	if err := initialised(file); err != nil {
		found = append(found, daemon.Finding{File: name, Problem: err.Error()})
	}
	return append(found, checkSources(ctx, file)...)
}

func checkKeys(file *config.Node) []daemon.Finding {
	var found []daemon.Finding
	if _, err := readJournalKey(file); errors.Is(err, errReplica) {
		found = append(found, daemon.Finding{File: file.File, Problem: err.Error(), Cure: "give each replica its own directory, and the name and key that \"node init\" wrote there"})
	} else if err != nil {
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

// checkPasswords finds passwords in the file, which goes into backups and configuration management, where others read it.
func checkPasswords(file *config.Node) []daemon.Finding {
	var found []daemon.Finding
	for _, s := range file.Sources {
		if s.HoldsPassword() {
			found = append(found, daemon.Finding{
				File: file.File, Line: s.At.Line, Column: s.At.Column, Problem: fmt.Sprintf("the dsn of source %s holds a password", s.Name),
				Cure: "change the password, leave it out of the dsn and name an environment variable in `password_env`, or the whole in `dsn_env`",
			})
		}
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

// errReplica means that the journal's key is another replica's: two replicas that write under one key are two histories, which is what forgery
// looks like.
var errReplica = errors.New("the journal key is another replica's")

// readJournalKey reads the journal's signer key and holds its name to the replica's.
func readJournalKey(file *config.Node) (daemon.LogKey, error) {
	key, err := daemon.ReadLogKey(file.JournalKey)
	if err != nil {
		return daemon.LogKey{}, err
	}
	if origin := key.Verifier.Name(); path.Base(origin) != file.Replica {
		return daemon.LogKey{}, fmt.Errorf("%w: replica is %q, and %s is the key of %s", errReplica, file.Replica, file.JournalKey, origin)
	}
	return key, nil
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
