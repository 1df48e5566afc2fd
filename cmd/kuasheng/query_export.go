package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/exchange/client"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

func newQueryExportCommand(conn *connection, q *question) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export RESOURCE --out FILE --field NAME --purpose CODE --basis BASIS --item CODE",
		Short: "Export many rows into a file, resumable, and verify the whole",
		Long: `Exports rows as JSON Lines. They are collected in FILE.part; FILE appears when all of them have come and the digest over the whole is proven to be
the one in the province's journal. Until then nothing should use them.

An export that was cut, even by a crash of this machine, goes on with --resume: the rows received are hashed again, and the rest is asked for. That is an
access of its own. If the data changed in between, the digest at the end does not fit and the export must be made anew.`,
		Example: `  kuasheng query export provinces/410000/resources/307410000001-000001 --out deposits.jsonl --field name --field deposit \
    --purpose housing-loan-review --basis statutory-duty --item 000117005001
  kuasheng query export … --out deposits.jsonl --resume`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: conn.completeResources,
	}
	out := cmd.Flags().String("out", "", "file to write; it must not exist yet")
	resume := cmd.Flags().Bool("resume", false, "go on with an export that was cut")
	receipt := cmd.Flags().String("receipt", "", "file to save the receipts to; it must not exist yet")
	requireFlags(cmd, "out")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asked, err := q.read(cmd, args[0])
		if err != nil {
			return err
		}
		req := &queryv1.ExportResourceRequest{
			Resource: asked.GetResource(), Fields: asked.GetFields(), Parameters: asked.GetParameters(), Purpose: asked.GetPurpose(),
			Operator: asked.GetOperator(), RequestId: asked.GetRequestId(),
		}
		return conn.with(cmd, true, func(c *client.Client) error {
			save, err := reserve(*receipt)
			if err != nil {
				return err
			}
			r, err := export(cmd, c, req, *out, *resume)
			if err != nil {
				return errors.Join(err, save.abandon())
			}
			if err := save.write(exportReceipt(r)); err != nil {
				return err
			}
			showEvidence(cmd.ErrOrStderr(), r.Evidence, fmt.Sprintf("%d rows in %d bytes", r.Rows, r.Bytes), r.Header.GetMaskedFields())
			return showExport(cmd, *output, *out, r)
		})
	}
	return cmd
}

// export collects the rows and puts the file in place.
func export(cmd *cobra.Command, c *client.Client, req *queryv1.ExportResourceRequest, path string, resume bool) (*client.ExportResult, error) {
	d, err := openDownload(path, req, resume)
	if err != nil {
		return nil, err
	}
	progress := newBar(cmd.ErrOrStderr(), -1, "exporting", false)
	defer progress.finish()
	rows := d.part.Rows
	r, err := c.Resume(cmd.Context(), req, d.part, d.received(), func(data []byte, n int64) error {
		rows += n
		progress.at(rows)
		return d.take(data)
	}, client.OnBegin(d.begin))
	err = asAsked(err, req.GetRequestId())
	var cut *client.CutError
	switch {
	case errors.As(err, &cut):
		err = hinted{err, fmt.Sprintf("the rows received are kept: repeat the command with --resume (%d rows so far)", cut.Part.Rows)}
		return nil, errors.Join(err, d.close())
	case errors.Is(err, client.ErrChanged):
		err = hinted{err, fmt.Sprintf("do not use the rows received: remove %q and %q, and repeat the command without --resume", d.f.Name(), d.notePath())}
		return nil, errors.Join(err, d.close())
	case errors.Is(err, client.ErrEvidence):
		err = hinted{err, fmt.Sprintf("do not use %q; it is kept for whoever looks into this", d.f.Name())}
		return nil, errors.Join(err, d.close())
	case err != nil:
		return nil, errors.Join(err, d.close(), d.discardEmpty())
	}
	return r, d.complete()
}

// exportReceipt puts an export's receipts into the form of a query's, the end in the place of the answer.
func exportReceipt(r *client.ExportResult) ([]byte, error) {
	return receiptOf(&queryv1.QueryResourceResponse{
		Access: r.Header.GetAccess(), MediaType: r.MediaType, RowCount: r.Rows, MaskedFields: r.Header.GetMaskedFields(),
		ParametersSalt: r.Header.GetParametersSalt(), AnswerSalt: r.AnswerSalt,
		IntentReceipt: r.Header.GetIntentReceipt(), AnswerReceipt: r.Trailer.GetEndReceipt(),
	})
}

func showExport(cmd *cobra.Command, format, path string, r *client.ExportResult) error {
	if format == "json" {
		summary, err := encode(map[string]any{"access": r.Header.GetAccess(), "file": path, "rows": r.Rows, "bytes": r.Bytes, "mediaType": r.MediaType})
		if err != nil {
			return err
		}
		return showRaw(cmd.OutOrStdout(), summary)
	}
	t := table{}
	t.add("access", r.Header.GetAccess())
	t.add("file", path)
	t.add("rows", fmt.Sprint(r.Rows))
	t.add("bytes", fmt.Sprint(r.Bytes))
	return t.write(cmd.OutOrStdout())
}
