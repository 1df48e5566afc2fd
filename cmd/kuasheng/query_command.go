package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/exchange/client"
)

func newQueryCommand() *cobra.Command {
	conn, q := &connection{}, &question{}
	cmd := &cobra.Command{
		Use:   "query RESOURCE --field NAME --purpose CODE --basis BASIS --item CODE [--param name=value]",
		Short: "Ask a province's resource a question, and verify the answer's proof",
		Long: `Asks one resource one question as an application system. The answer goes to standard output only if its evidence holds: the permission is in the
exchange's log, the answer in the province's journal, and both are about exactly this question and these bytes. What was verified
is told on standard error.

Identity numbers do not belong on a command line, where the shell's history and the list of processes keep them: give them by --param-file, a file or
- for standard input, as lines of name=value.

Keep the receipt (--receipt FILE) with the case: it proves later, to anybody and without the exchange, that this question was permitted and what was
answered. It does not hold the answer, but salts with which its holder can try values: keep it as carefully as the answer.`,
		Example: `  echo "id_number=$ID" | kuasheng query provinces/410000/resources/307410000001-000001 --field name --field deposit --param-file - \
    --purpose housing-loan-review --basis consent --item 000117005001 --case HZ-2026-1 --receipt HZ-2026-1.json
  kuasheng audit verify-receipt HZ-2026-1.json --key "exchange.example/access+…" --key "henan.example/journal/1+…"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: conn.completeResources,
	}
	conn.register(cmd)
	conn.registerEvidence(cmd)
	q.register(cmd, conn)
	receipt := cmd.Flags().String("receipt", "", "file to save both receipts to; it must not exist yet")
	output := outputFlag(cmd, "table", "json", "raw")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		req, err := q.read(cmd, args[0])
		if err != nil {
			return err
		}
		return conn.with(cmd, true, func(c *client.Client) error {
			// Before the question is put on record, so that no answer is lost for want of a file.
			save, err := reserve(*receipt)
			if err != nil {
				return err
			}
			a, err := c.Query(cmd.Context(), req)
			if err != nil {
				return errors.Join(asAsked(err, req.GetRequestId()), save.abandon())
			}
			if err := save.write(receiptOf(a.Response)); err != nil {
				return err
			}
			showEvidence(cmd.ErrOrStderr(), a.Evidence, fmt.Sprintf("%d rows in %d bytes", a.Response.GetRowCount(), len(a.Bytes())), a.Response.GetMaskedFields())
			return showAnswer(cmd.OutOrStdout(), *output, req.GetFields(), a)
		})
	}
	cmd.AddCommand(newQueryExportCommand(conn, q))
	return cmd
}

// showEvidence tells what was verified.
func showEvidence(w io.Writer, e *client.Evidence, size string, masked []string) {
	if e == nil {
		return
	}
	key := "its key from the registry"
	if e.Pinned {
		key = "its key pinned"
	}
	place := func(p client.Place) string {
		return fmt.Sprintf("record %d of %s (tree of %d)", p.Index, clean(p.Origin), p.TreeSize)
	}
	fmt.Fprintf(w, "verified: permission is on record as %s, %s\n", clean(e.Access), place(e.Intent))
	fmt.Fprintf(w, "verified: answer is on record as %s, %s\n", place(e.Answer), key)
	fmt.Fprintf(w, "verified: caller, resource, fields, parameters and purpose are those permitted; %s are those answered\n", size)
	if len(masked) > 0 {
		fmt.Fprintf(w, "masked by the province: %s\n", clean(strings.Join(masked, ", ")))
	}
}

// reservation is a file that exists before there is anything to put into it. Without a file it does nothing.
type reservation struct{ f *os.File }

func reserve(path string) (reservation, error) {
	if path == "" {
		return reservation{}, nil
	}
	f, err := newPrivateFile(path)
	return reservation{f}, err
}

func (r reservation) write(data []byte, err error) error {
	if err != nil || r.f == nil {
		return errors.Join(err, r.abandon())
	}
	return writeDurable(r.f, data)
}

func (r reservation) abandon() error {
	if r.f == nil {
		return nil
	}
	return errors.Join(r.f.Close(), os.Remove(r.f.Name()))
}
