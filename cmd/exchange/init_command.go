package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/exchange"
	"github.com/kuasheng/kuasheng/exchange/config"
	"github.com/kuasheng/kuasheng/internal/daemon"
)

// beginning is an exchange that is to be made.
type beginning struct{ dir, domain, file string }

func newInitCommand() *cobra.Command {
	b := &beginning{}
	cmd := &cobra.Command{
		Use:   "init --dir DIRECTORY --domain DOMAIN",
		Short: "Make a new exchange: configuration, key of the access log, empty stores",
		Long: `Makes a new exchange in a directory: exchange.yaml with comments, the signer key of its access log, an empty state and an empty access log.

The trust domain is part of every ID and of every record and can never be changed. It is a name such as exchange.example and need not
resolve as a DNS name.

Nothing is ever overwritten. An exchange whose stores are lost is restored from its backup: a new one in its place would deny every access
that is on record.`,
		Example: `  exchange init --dir /srv/exchange --domain exchange.example
  exchange init --dir /srv/exchange --domain exchange.example --config /etc/kuasheng/exchange.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !config.ValidDomain(b.domain) {
				return daemon.Usage(fmt.Errorf("--domain %q is no trust domain; write it like exchange.example", b.domain))
			}
			if b.file == "" {
				b.file = filepath.Join(b.dir, "exchange.yaml")
			}
			key, err := b.make(slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})))
			if err != nil {
				return err
			}
			return b.tell(cmd.OutOrStdout(), key)
		},
	}
	cmd.Flags().StringVar(&b.dir, "dir", "", "directory for stores, keys and certificates; made if need be")
	cmd.Flags().StringVar(&b.domain, "domain", "", "trust domain of the exchange, such as exchange.example")
	cmd.Flags().StringVar(&b.file, "config", "", "where to write the configuration (default DIRECTORY/exchange.yaml)")
	cobra.CheckErr(cmd.MarkFlagDirname("dir"))
	daemon.Require(cmd, "dir", "domain")
	return cmd
}

func (b *beginning) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

// make writes the key first and the configuration last, so that a directory without it is an interrupted beginning, and nothing was ever
// recorded there. It returns the verifier key of the log.
func (b *beginning) make(logger *slog.Logger) (string, error) {
	if err := b.refuseExisting(); err != nil {
		return "", err
	}
	text, err := b.template()
	if err != nil {
		return "", err
	}
	key, err := daemon.WriteLogKey(b.path(config.LogKeyFile), b.domain+"/access")
	if err != nil {
		return "", err
	}
	err = exchange.Create(exchange.Config{
		Dir: b.path(config.DataDir), Domain: b.domain, LogSigner: key.Signer, LogVerifier: key.Verifier, LogKey: key.Public, Logger: logger,
	})
	if err != nil {
		return "", err
	}
	return key.Public, daemon.WriteNew(b.file, []byte(text), 0o640)
}

func (b *beginning) refuseExisting() error {
	var found []string
	for _, path := range []string{b.file, b.path(config.LogKeyFile), b.path(config.DataDir)} {
		if _, err := os.Lstat(path); err == nil {
			found = append(found, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking at what is there: %w", err)
		}
	}
	switch {
	case len(found) == 0:
		return nil
	case found[0] == b.file:
		return fmt.Errorf("%s: %w; nothing is overwritten: use it with \"exchange serve\", or name another --dir", b.file, daemon.ErrExists)
	}
	return fmt.Errorf("%s: %w, without %s: if an \"exchange init\" was interrupted here, remove it and run init again; otherwise restore the configuration",
		strings.Join(found, " and "), daemon.ErrExists, b.file)
}

// template is the configuration, with paths relative to it where it lies in the directory itself.
func (b *beginning) template() (string, error) {
	begin := config.Beginning{Domain: b.domain}
	dir, err := filepath.Abs(b.dir)
	if err != nil {
		return "", fmt.Errorf("finding --dir: %w", err)
	}
	home, err := filepath.Abs(filepath.Dir(b.file))
	if err != nil {
		return "", fmt.Errorf("finding --config: %w", err)
	}
	if dir != home {
		begin.Dir = dir
	}
	text := config.Template(begin)
	if _, err := config.Parse(b.file, []byte(text)); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return text, nil
}

// tell prints what was made and what to do next, ready to be pasted.
func (b *beginning) tell(w io.Writer, key string) error {
	certificates := b.path("certs")
	_, err := fmt.Fprintf(w, `made the exchange of %[1]s
  %[2]s    its configuration: read it
  %[3]s    signer key of the access log: whoever has it can write a second history
  %[4]s    state and access log, empty: goes into the backup

verifier key of the access log, public: every member and application gets it, and compares it by a second way such as the telephone
  %[5]s

next: certificates from your authority, or for a trial
  kuasheng certs init --trust-domain %[1]s --dir %[6]s
  kuasheng certs issue --ca %[6]s --id spiffe://%[1]s/exchange --dir %[7]s --dns localhost --ip 127.0.0.1
  kuasheng certs issue --ca %[6]s --id spiffe://%[1]s/admin/YOUR-NAME --dir %[8]s
then
  exchange check --config %[2]s
  exchange serve --config %[2]s
and register the first member, as its administrator, with the bundle and the journal key that its bureau gave you ("kuasheng member create --help")
  kuasheng member create REGION --uscc USCC --name-zh NAME --name-en NAME --trust-domain DOMAIN --member-bundle FILE --journal-key KEY \
    --role provider --role requester --address 127.0.0.1:7443 --exchange-id spiffe://%[1]s/exchange \
    --svid %[8]s/svid.pem --key %[8]s/svid.key --bundle %[6]s/bundle.pem
`, b.domain, b.file, b.path(config.LogKeyFile), b.path(config.DataDir), key, certificates, filepath.Join(certificates, "server"), filepath.Join(certificates, "admin"))
	return err
}
