package main

import (
	"errors"
	"fmt"
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
		if a.GetOutcomeReceipt() != nil || a.GetOutcomeTime() != nil {
			return fmt.Errorf("verifying %s: %w: its outcome was taken out", name, errAccess)
		}
		return nil
	}
	outcome, err := evidence.VerifyReceipt(a.GetOutcomeReceipt(), key)
	if err != nil {
		return fmt.Errorf("verifying the outcome of %s: %w", name, err)
	}
	if !proto.Equal(outcome.Record.GetOutcome(), a.GetOutcome()) || a.GetOutcome().GetIntentIndex() != proven.Index ||
		!proto.Equal(outcome.Record.GetTime(), a.GetOutcomeTime()) {
		return fmt.Errorf("verifying the outcome of %s: %w", name, errAccess)
	}
	return nil
}
