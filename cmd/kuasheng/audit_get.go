package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/proto"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// errAccess means that an access is not what its proof proves.
var errAccess = errors.New("the access does not fit its proof")

func newAuditGetCommand() *cobra.Command {
	conn := &connection{}
	cmd := &cobra.Command{
		Use:   "get ACCESS",
		Short: "Show one access and verify its proof",
		Long: `Shows one access with its outcome and verifies that both are in the exchange's log, under the key given by --log-key. With -o json the receipts are
in the result; "kuasheng audit verify-receipt" takes that file.`,
		Example: "  kuasheng audit get accesses/12",
		Args:    cobra.ExactArgs(1),
	}
	conn.register(cmd)
	cmd.PersistentFlags().BoolVar(&conn.unverified, "unverified", false, "show it without verifying its proof")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return conn.with(cmd, true, func(c *client.Client) error {
			name := args[0]
			if !strings.HasPrefix(name, "accesses/") {
				name = "accesses/" + name
			}
			a, err := c.Audit().GetAccess(cmd.Context(), &auditv1.GetAccessRequest{Name: name})
			if err != nil {
				return fmt.Errorf("reading an access: %w", err)
			}
			if !conn.unverified {
				key, err := conn.logKey()
				if err != nil {
					return err
				}
				if err := verifyAccess(a, name, key); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "verified: %s is on record in %s\n", clean(a.GetName()), key.Name())
			}
			return show(cmd.OutOrStdout(), *output, a, accessDetail(a))
		})
	}
	return cmd
}

// logKey is the verifier of the exchange's log.
func (c *connection) logKey() (note.Verifier, error) {
	p, err := c.resolve()
	if err != nil {
		return nil, err
	}
	v, err := translog.NewVerifier(p.LogKey)
	if err != nil {
		return nil, usagef("--log-key: %w", err)
	}
	return v, nil
}

// verifyAccess checks that what is shown is what the log holds: the record and, where there is one, the outcome.
func verifyAccess(a *auditv1.Access, name string, key note.Verifier) error {
	proven, err := evidence.VerifyReceipt(a.GetReceipt(), key)
	if err != nil {
		return fmt.Errorf("verifying %s: %w", name, err)
	}
	if a.GetName() != name || name != fmt.Sprintf("accesses/%d", proven.Index) || !proto.Equal(proven.Record, a.GetRecord()) {
		return fmt.Errorf("verifying %s: %w", name, errAccess)
	}
	if a.GetOutcome() == nil {
		return nil
	}
	outcome, err := evidence.VerifyReceipt(a.GetOutcomeReceipt(), key)
	if err != nil {
		return fmt.Errorf("verifying the outcome of %s: %w", name, err)
	}
	if !proto.Equal(outcome.Record.GetOutcome(), a.GetOutcome()) || a.GetOutcome().GetIntentIndex() != proven.Index {
		return fmt.Errorf("verifying the outcome of %s: %w", name, errAccess)
	}
	return nil
}

func newAuditCheckpointCommand() *cobra.Command {
	conn := &connection{}
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Show the log's present checkpoint, and prove that it extends one you kept",
		Long: `Reads the signed checkpoint of the exchange's log and verifies its signature under --log-key. With --remember FILE it is compared with the one
kept there since the last time: the log must have grown from it, with nothing changed or missing. Then the new one is kept. Run it every day from
a place that the exchange's operator cannot reach, and no history can be rewritten unseen.`,
		Example: "  kuasheng audit checkpoint --remember /var/lib/auditor/exchange.checkpoint",
	}
	conn.register(cmd)
	remember := cmd.Flags().String("remember", "", "file that keeps the last checkpoint")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return conn.with(cmd, true, func(c *client.Client) error {
			cp, err := c.CheckLog(cmd.Context())
			if err != nil {
				return err
			}
			if *remember != "" {
				if err := rememberCheckpoint(cmd, c, *remember, cp); err != nil {
					return err
				}
			}
			t := table{}
			t.add("log", cp.Origin)
			t.add("size", fmt.Sprint(cp.Size))
			t.add("root", fmt.Sprintf("%x", cp.Root))
			if *output == "json" {
				b, err := encode(map[string]any{"origin": cp.Origin, "size": cp.Size, "rootHash": cp.Root[:], "checkpoint": string(cp.Signed)})
				if err != nil {
					return err
				}
				return showRaw(cmd.OutOrStdout(), b)
			}
			return t.write(cmd.OutOrStdout())
		})
	}
	return cmd
}

// maxCheckpoint is the bound of the format.
const maxCheckpoint = 16 << 10

// rememberCheckpoint replaces the kept checkpoint only after the new one was proven to extend it.
func rememberCheckpoint(cmd *cobra.Command, c *client.Client, path string, cp client.Checkpoint) error {
	kept, err := readBounded(path, nil, maxCheckpoint)
	switch {
	case errors.Is(err, os.ErrNotExist):
		fmt.Fprintf(cmd.ErrOrStderr(), "%q is new: from now on the log is compared with this checkpoint\n", path)
	case err != nil:
		return err
	case bytes.Equal(kept, cp.Signed):
		return nil
	default:
		if err := c.Extends(cmd.Context(), kept, cp); err != nil {
			return hinted{err, fmt.Sprintf("keep %q: together with what the exchange shows now it is the proof", path)}
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "verified: the log extends the checkpoint kept in %q\n", path)
	}
	return replaceDurable(path, cp.Signed)
}
