package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/kuasheng/kuasheng/internal/daemon"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/node"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/policy"
)

// pseudonymKeySize is that of the hash under which subjects become pseudonyms.
const pseudonymKeySize = 32

// beginning is a node that is to be made.
type beginning struct {
	dir, domain    string
	pseudonymKey   string // file with the province's key, from its first replica; empty to make one
	pseudonymsFrom string // where make had the key from: whoever runs a further replica must be told
	config.Beginning
}

func newInitCommand() *cobra.Command {
	b := &beginning{}
	cmd := &cobra.Command{
		Use:   "init --dir DIRECTORY --region CODE --domain DOMAIN",
		Short: "Make a new node: file with comments, keys, empty journal",
		Long: `Makes a new node in a directory: node.yaml with comments and one sample resource, the signer key of its journal, the key of its subject
pseudonyms, and an empty journal. It needs no certificate yet.

The journal is named DOMAIN/journal/REPLICA, and its verifier key is registered with the exchange: answers count as the province's own only if
they are in such a journal. Every replica has its own journal; all replicas of a province share one pseudonym key, or nobody could tell who
has looked at a person: give every further replica that of the first with --pseudonym-key. Without it a new key is made.

Nothing is ever overwritten. A node whose journal is lost is restored from its backup, or begun anew under another --replica.`,
		Example: `  node init --dir /srv/node-1 --region 410000 --domain henan.example \
    --exchange-id spiffe://exchange.example/exchange --address exchange.example:7443 --log-key "exchange.example/access+1a2b3c4d+…"
  node init --dir /srv/node-2 --region 410000 --domain henan.example --replica node-2 --pseudonym-key /srv/node-1/secrets/pseudonym.key …`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := b.make(slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})))
			if err != nil {
				return err
			}
			return b.tell(cmd.OutOrStdout(), key)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&b.dir, "dir", "", "directory for file, keys, journal and certificates; made if need be")
	flags.StringVar(&b.Region, "region", "", "region code of the province, such as 410000")
	flags.StringVar(&b.domain, "domain", "", "trust domain of the province, such as henan.example")
	flags.StringVar(&b.Replica, "replica", "node-1", "name of this replica's journal")
	flags.StringVar(&b.pseudonymKey, "pseudonym-key", "", "file with the province's pseudonym key, of another replica: it is copied (default make a new key)")
	flags.StringVar(&b.ExchangeID, "exchange-id", "", "SPIFFE ID of the exchange (default a sample, to be replaced in node.yaml)")
	flags.StringSliceVar(&b.Addresses, "address", nil, "host:port of the exchange; may be repeated")
	flags.StringVar(&b.LogKey, "log-key", "", "verifier key of the exchange's access log, from its operator (default one that accepts nothing)")
	cobra.CheckErr(cmd.MarkFlagDirname("dir"))
	cobra.CheckErr(cmd.MarkFlagFilename("pseudonym-key"))
	daemon.Require(cmd, "dir", "region", "domain")
	return cmd
}

func (b *beginning) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

// make writes the keys first and the file last, so that a directory without it is an interrupted beginning, and nothing was ever recorded
// there. It returns the verifier key of the journal.
func (b *beginning) make(logger *slog.Logger) (string, error) {
	if _, ok := ident.LookupRegion(b.Region); !ok {
		return "", daemon.Usage(fmt.Errorf("--region %q is no province-level region code; write two digits and 0000, as in 410000 for Henan", b.Region))
	}
	if td, err := spiffeid.TrustDomainFromString(b.domain); err != nil || td.Name() != b.domain {
		return "", daemon.Usage(fmt.Errorf("--domain %q is no trust domain; write it like henan.example", b.domain))
	}
	text := config.Template(b.Beginning)
	file, err := config.Parse(b.path("node.yaml"), []byte(text))
	if err != nil {
		return "", daemon.Usage(fmt.Errorf("these flags make no right file:\n%w", err))
	}
	if err := b.refuseExisting(file); err != nil {
		return "", err
	}
	secret, err := b.pseudonymSecret(file.Policy.PseudonymKey)
	if err != nil {
		return "", err
	}
	key, err := daemon.WriteLogKey(file.JournalKey, b.domain+"/journal/"+file.Replica)
	if err != nil {
		return "", err
	}
	if err := daemon.WriteNew(file.Policy.PseudonymKey, []byte(secret+"\n"), 0o600); err != nil && !errors.Is(err, daemon.ErrExists) {
		return "", err
	}
	if err := node.Create(node.Config{File: file, JournalSigner: key.Signer, JournalVerifier: key.Verifier, Logger: logger}); err != nil {
		return "", err
	}
	return key.Public, daemon.WriteNew(file.File, []byte(text), 0o640)
}

// pseudonymSecret is the key that the node begins with: the one that lies there, the one given, or a new one, in this order. Two that differ are
// an error: whichever was meant, the other would split the province's pseudonyms.
func (b *beginning) pseudonymSecret(path string) (string, error) {
	var found []string
	for _, one := range []string{path, b.pseudonymKey} {
		if one == "" {
			continue
		}
		secret, err := daemon.ReadSecret(one)
		if one == path && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if _, err := policy.Load(config.Policy{PseudonymKey: one}); err != nil {
			return "", err
		}
		found = append(found, strings.ToLower(secret))
	}
	switch {
	case len(found) == 2 && found[0] != found[1]:
		return "", fmt.Errorf("%s: %w, and is another key than %s; a province has one: remove the wrong one", path, daemon.ErrExists, b.pseudonymKey)
	case b.pseudonymKey != "":
		b.pseudonymsFrom = "the province's, that of " + b.pseudonymKey
		return found[0], nil
	case len(found) > 0:
		b.pseudonymsFrom = "the one that lay there"
		return found[0], nil
	}
	var key [pseudonymKeySize]byte
	if _, err := rand.Read(key[:]); err != nil {
		return "", fmt.Errorf("making a pseudonym key: %w", err)
	}
	b.pseudonymsFrom = "new; every further replica is made with --pseudonym-key and this file, or a person has several pseudonyms"
	return hex.EncodeToString(key[:]), nil
}

func (b *beginning) refuseExisting(file *config.Node) error {
	var found []string
	for _, path := range []string{file.File, file.JournalKey, filepath.Join(file.DataDir, "journal")} {
		if _, err := os.Lstat(path); err == nil {
			found = append(found, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking at what is there: %w", err)
		}
	}
	switch {
	case len(found) == 0:
		return nil
	case found[0] == file.File:
		return fmt.Errorf("%s: %w; nothing is overwritten: use it with \"node serve\", or name another --dir", file.File, daemon.ErrExists)
	}
	return fmt.Errorf("%s: %w, without %s: if a \"node init\" was interrupted here, remove it and run init again; otherwise restore the file",
		strings.Join(found, " and "), daemon.ErrExists, file.File)
}

// tell prints what was made and what to do next, ready to be pasted.
func (b *beginning) tell(w io.Writer, key string) error {
	certificates := b.path("certs")
	_, err := fmt.Fprintf(w, `made a node of %[1]s
  %[2]s    its file: write sources and resources into it
  %[3]s    signer key of the journal: whoever has it can write another journal in the province's name
  %[4]s    key of the subject pseudonyms, %[11]s; never leaves the province, goes into a backup of its own
  %[5]s    journal, empty: goes into the backup

verifier key of the journal, public: give it and the province's bundle.pem to the exchange's administrator, by a second way too, for
"kuasheng member create --journal-key" or, for a further replica, "kuasheng member update %[9]s --add-journal-key"
  %[6]s

next: certificates from your authority, or for a trial
  kuasheng certs init --trust-domain %[1]s --dir %[7]s
  kuasheng certs issue --ca %[7]s --id spiffe://%[1]s/node --dir %[8]s
and the exchange's bundle.pem, from its administrator, as %[10]s
then
  node check --config %[2]s
  node serve --config %[2]s
`, b.domain, b.path("node.yaml"), b.path("secrets/journal.key"), b.path("secrets/pseudonym.key"), b.path("data/journal"), key,
		certificates, filepath.Join(certificates, "node"), b.Region, filepath.Join(certificates, "exchange-bundle.pem"), b.pseudonymsFrom)
	return err
}
