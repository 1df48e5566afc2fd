package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

func newCertsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Make and look at the certificates that say who is calling",
		Long: `Everybody in the exchange is known by a SPIFFE ID and proves it with an SVID: an X.509 certificate that names the ID, and its private key.

  spiffe://<exchange domain>/exchange          the exchange
  spiffe://<exchange domain>/admin/<name>      its administrators
  spiffe://<province domain>/node              a province's node
  spiffe://<province domain>/app/<name>        an application system of that province
  spiffe://<province domain>/operator/<name>   a person of the bureau
  spiffe://<any member domain>/auditor/<name>  an auditor

Each province is a trust domain with its own certification authority (CA). What goes where:

  ca.key       stays with the authority and leaves it never
  bundle.pem   the authority's certificate: give it to the exchange, which then trusts this domain's callers (and no other's)
  svid.pem     a party's certificate: lies with the server or program it belongs to
  svid.key     its private key: the same, readable by nobody else

The authority made here is for trials. It keeps its key in a file and records nothing. A bureau in production brings its own CA, or
SPIRE, and hands out SVIDs with the same names; servers take them from files or from a SPIFFE Workload API socket.`,
		Example: `  kuasheng certs init --trust-domain henan.example --dir certs/henan
  kuasheng certs issue --ca certs/henan --id spiffe://henan.example/node --dir certs/henan/node
  kuasheng certs show certs/henan/bundle.pem certs/henan/node/svid.pem`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertsInitCommand(), newCertsIssueCommand(), newCertsShowCommand())
	return cmd
}

func newCertsInitCommand() *cobra.Command {
	var domain, dir string
	cmd := &cobra.Command{
		Use:   "init --trust-domain DOMAIN --dir DIRECTORY",
		Short: "Make a development authority for one trust domain",
		Long: `Makes the certification authority of one trust domain, for trials: ca.pem, ca.key and bundle.pem in a directory.

A trust domain is a name of lower-case letters, digits, dots, dashes and underscores that belongs to one party, such as henan.example.
It need not be a DNS name that resolves. It cannot be changed later: it is part of every ID and of every record.

An authority that is there already is never overwritten.`,
		Example: `  kuasheng certs init --trust-domain henan.example --dir certs/henan`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			td, err := spiffeid.TrustDomainFromString(domain)
			if err != nil {
				return fmt.Errorf("reading --trust-domain %q: %w; write it like henan.example", domain, err)
			}
			if _, err := devca.Create(dir, td); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `made a development authority for %s
  %s  give this to the exchange (and to whoever calls servers of this domain)
  %s      keep this: whoever reads it can be anybody of %s
next: kuasheng certs issue --ca %s --id spiffe://%s/node --dir %s
`, td.Name(), filepath.Join(dir, "bundle.pem"), filepath.Join(dir, "ca.key"), td.Name(), dir, td.Name(), filepath.Join(dir, "node"))
			return err
		},
	}
	cmd.Flags().StringVar(&domain, "trust-domain", "", "the domain the authority speaks for, such as henan.example")
	cmd.Flags().StringVar(&dir, "dir", "", "directory to write ca.pem, ca.key and bundle.pem to")
	requireFlags(cmd, "trust-domain", "dir")
	return cmd
}

func newCertsIssueCommand() *cobra.Command {
	var caDir, name, dir string
	var ips []string
	var opts devca.Options
	cmd := &cobra.Command{
		Use:   "issue --ca DIRECTORY --id SPIFFE-ID --dir DIRECTORY",
		Short: "Issue an SVID: a certificate and key for one party",
		Long: `Issues an SVID with a fresh key and writes it to a directory as svid.pem and svid.key.

Issue again to renew: the files are replaced at once, and running servers and programs take up the new ones within a second or two,
without a restart. SVIDs are short-lived because nothing revokes them: a stolen key serves until its SVID expires.

A server that is called with curl, grpcurl or a browser needs its host names in the certificate as well: give --dns and --ip.`,
		Example: `  kuasheng certs issue --ca certs/exchange --id spiffe://exchange.example/exchange --dir certs/exchange/server --dns localhost --ip 127.0.0.1
  kuasheng certs issue --ca certs/henan --id spiffe://henan.example/app/housing-portal --dir certs/henan/housing-portal --ttl 8h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := certs.ParseID(name)
			if err != nil {
				return err
			}
			for _, s := range ips {
				ip, err := netip.ParseAddr(s)
				if err != nil {
					return fmt.Errorf("reading --ip %q: %w", s, err)
				}
				opts.IP = append(opts.IP, ip)
			}
			return issueSVID(cmd, caDir, id, dir, opts)
		},
	}
	cmd.Flags().StringVar(&caDir, "ca", "", "directory of the authority, made by \"kuasheng certs init\"")
	cmd.Flags().StringVar(&name, "id", "", "SPIFFE ID to issue for, such as spiffe://henan.example/app/housing-portal")
	cmd.Flags().StringVar(&dir, "dir", "", "directory to write svid.pem and svid.key to")
	cmd.Flags().DurationVar(&opts.TTL, "ttl", devca.DefaultTTL, "how long it is valid, at most 720h (30 days)")
	cmd.Flags().StringSliceVar(&opts.DNS, "dns", nil, "host name of a server; may be repeated")
	cmd.Flags().StringSliceVar(&ips, "ip", nil, "IP address of a server; may be repeated")
	requireFlags(cmd, "ca", "id", "dir")
	return cmd
}

func issueSVID(cmd *cobra.Command, caDir string, id certs.ID, dir string, opts devca.Options) error {
	if opts.TTL <= 0 {
		return fmt.Errorf("reading --ttl: %s is not a time to live", opts.TTL)
	}
	ca, err := devca.Open(caDir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, devca.SVIDFile)
	// A slip in --dir would hand the running owner of that directory somebody else's identity.
	old, err := certs.Inspect(path, time.Now())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking at what is there: %w", err)
	}
	if len(old) > 0 && old[0].ID != id.String() {
		return fmt.Errorf("writing %q: it holds the SVID of %.128q; name another --dir, or remove it", path, old[0].ID)
	}
	svid, err := ca.Issue(id, opts)
	if err != nil {
		return err
	}
	if opts.TTL > devca.LongTTL {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: nothing revokes this SVID for %s; shorter ones, renewed often, are safer\n", opts.TTL)
	}
	if err := devca.WriteSVID(dir, svid); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "issued %s, valid until %s\n  %s\n  %s\n", id,
		svid.Certificates[0].NotAfter.UTC().Format(time.RFC3339), path, filepath.Join(dir, devca.KeyFile))
	return err
}

func newCertsShowCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show FILE...",
		Short: "Show whom certificates name, who signed them, and until when they are valid",
		Long: `Shows the certificates in PEM files: SVIDs, authorities and bundles. Nothing is verified against an authority.

KEY says whether the private key beside the file (svid.key for svid.pem) belongs to the certificate. Certificates that would be refused
as they are, because they have expired or are no SVIDs, are named in a warning on standard error.`,
		Example: `  kuasheng certs show certs/henan/node/svid.pem
  kuasheng certs show -o json certs/*/bundle.pem`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("reading --output %q: it is one of table, json", output)
			}
			found := []certs.Certificate{}
			for _, file := range files {
				certificates, err := certs.Inspect(file, time.Now())
				if err != nil {
					return err
				}
				found = append(found, certificates...)
			}
			if err := showCertificates(cmd.OutOrStdout(), output, found); err != nil {
				return err
			}
			for _, c := range found {
				if c.Problem != "" {
					fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: %s\n", c.File, c.Problem)
				}
				if c.Key == "does not match" {
					fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: the key beside it belongs to another certificate\n", c.File)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "how to print: table or json")
	return cmd
}

func showCertificates(w io.Writer, output string, found []certs.Certificate) error {
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(found)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tKIND\tSERIAL\tNOT BEFORE\tNOT AFTER\tISSUER\tHOSTS\tKEY\tFILE")
	for _, c := range found {
		hosts := "-"
		if len(c.Hosts) > 0 {
			hosts = strings.Join(c.Hosts, ",")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(c.ID), c.Kind, c.Serial,
			c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339), printable(c.Issuer), printable(hosts), c.Key, printable(c.File))
	}
	return table.Flush()
}

// printable keeps a certificate, which anybody can have written, from sending control sequences to the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// requireFlags marks flags as required. It fails only for a flag that was not defined, which is a mistake in this file.
func requireFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
}
