package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

var (
	// errNoRecord means that a copy does not hold the record wanted.
	errNoRecord = errors.New("no such record in the copy")
	// errEnough ends a reading that has found what was wanted.
	errEnough = errors.New("enough")
)

func newAuditShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show --dir DIRECTORY --key KEY [--index N | --leaf HASH | --from N --limit M]",
		Short: "Show records of a copied log, offline",
		Long: `Shows the records of a log's segment files, the exchange's access log or a province's journal, with their leaf hashes. The whole copy is verified
first, as by "kuasheng audit verify", and nothing is shown of one that does not hold: every record shown is in the tree of the copy's last checkpoint.
Nothing is changed; the log may be in use, a copy is better.

An outcome in the access log names index and leaf hash of the journal's record, an answer in the journal those of the intent: look them up in the
other copy with --index or --leaf. With --index or --leaf every field of the record is shown; -o json has the records' exact bytes as well.`,
		Example: `  kuasheng audit show --dir node-copy/journal/log --key "henan.example/journal/1+…" --from 100 --limit 20
  kuasheng audit show --dir exchange-copy/accesslog/log --key "exchange.example/access+…" --index 12`,
	}
	dir := cmd.Flags().String("dir", "", "directory with the segment files")
	key := cmd.Flags().String("key", "", "verifier key of the log, in note format")
	index := cmd.Flags().Int64("index", 0, "show this record in full")
	leaf := cmd.Flags().String("leaf", "", "show the record with this leaf hash in full, hexadecimal or base64")
	from := cmd.Flags().Int64("from", 0, "first record to show")
	limit := limitFlag(cmd)
	requireFlags(cmd, "dir", "key")
	cmd.MarkFlagsMutuallyExclusive("index", "leaf", "from")
	cmd.MarkFlagsMutuallyExclusive("index", "leaf", "limit")
	cobra.CheckErr(cmd.MarkFlagDirname("dir"))
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v, err := translog.NewVerifier(*key)
		if err != nil {
			return usagef("--key: %w", err)
		}
		w := &wanted{from: *from, limit: *limit}
		switch {
		case cmd.Flags().Changed("index"):
			w.from, w.limit, w.single = *index, 1, true
		case cmd.Flags().Changed("leaf"):
			if w.leaf, err = parseLeaf(*leaf); err != nil {
				return err
			}
			w.limit, w.single = 1, true
		}
		if w.from < 0 || w.limit < 1 || w.limit > maxLimit {
			return usagef("--index and --from are from 0, --limit is from 1 to %d", maxLimit)
		}
		report, err := segment.Read(cmd.Context(), *dir, v, w.from, w.take)
		if err = readFailure(err, report, w); err != nil {
			return err
		}
		if w.more {
			fmt.Fprintf(cmd.ErrOrStderr(), "there are more: go on with --from %d\n", w.from+int64(w.limit))
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "verified: %s, %d records; what is shown is in the tree of its last checkpoint\n", clean(report.Origin), report.Records)
		return w.show(cmd, *output, report)
	}
	return cmd
}

// readFailure says what to do about a reading that failed, or that found nothing.
func readFailure(err error, report segment.Report, w *wanted) error {
	var fault *segment.Fault
	switch {
	case errors.Is(err, translog.ErrRange):
		return fmt.Errorf("showing record %d: %w: it has %d", w.from, errNoRecord, report.Records)
	case errors.As(err, &fault):
		return hinted{err, "nothing is shown of a copy that does not hold; \"kuasheng audit verify\" says what is wrong with it"}
	case errors.Is(err, segment.ErrNotExist):
		return hinted{err, "name the directory that holds the files segment-00000000, segment-00000001, …"}
	case errors.Is(err, segment.ErrForeign):
		return hinted{err, "this is another log than the key's: check --dir and --key"}
	case err != nil && !errors.Is(err, errEnough):
		return err
	case w.single && len(w.shown) == 0:
		return fmt.Errorf("showing a record: %w: it has %d", errNoRecord, report.Records)
	}
	return nil
}

// parseLeaf reads a leaf hash as tables print it (hexadecimal) or as JSON has it (base64).
func parseLeaf(text string) (*translog.Hash, error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(b) != len(translog.Hash{}) {
		return nil, usagef("--leaf: it is 32 bytes, in hexadecimal or base64")
	}
	h := translog.Hash(b)
	return &h, nil
}

// wanted is which records to show, and those found.
type wanted struct {
	from   int64
	limit  int
	leaf   *translog.Hash // only this one
	single bool           // in full
	shown  []shownRecord
	more   bool
}

// take keeps a record that is wanted. The slice is the reader's.
func (w *wanted) take(index int64, record []byte) error {
	leaf := translog.LeafHash(record)
	switch {
	case w.leaf != nil && leaf != *w.leaf:
		return nil
	case len(w.shown) == w.limit:
		w.more = !w.single
		return errEnough
	}
	w.shown = append(w.shown, newShownRecord(index, leaf, record))
	return nil
}

func (w *wanted) show(cmd *cobra.Command, format string, report segment.Report) error {
	if format == "json" {
		b, err := encode(map[string]any{
			"origin": report.Origin, "treeSize": report.Records, "rootHash": report.Checkpoint.Root[:], "checkpoint": string(report.Signed),
			"records": append([]shownRecord{}, w.shown...),
		})
		if err != nil {
			return err
		}
		return showRaw(cmd.OutOrStdout(), b)
	}
	if w.single {
		return w.shown[0].detail(report.Origin).write(cmd.OutOrStdout())
	}
	t := table{head: []string{"RECORD", "TIME", "KIND", "WHAT IT SAYS", "LEAF HASH"}}
	for _, s := range w.shown {
		when := "-"
		if s.record != nil {
			when = s.record.GetTime().AsTime().In(china()).Format(time.DateTime)
		}
		t.add(fmt.Sprint(s.Index), when, s.Kind, recordSummary(s.record), hex.EncodeToString(s.Leaf))
	}
	return t.write(cmd.OutOrStdout())
}
