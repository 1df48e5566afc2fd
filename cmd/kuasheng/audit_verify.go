package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// errShorter means that a copy lacks records that a checkpoint proves.
var errShorter = errors.New("records are missing")

func newAuditVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --dir DIRECTORY --key KEY",
		Short: "Verify a copy of a whole log, from files, offline",
		Long: `Reads every record of a log's segment files (the exchange's access log or a province's journal) and checks it against the signed checkpoints: every
checksum, every record's place in the tree, every signature. Nothing is changed; the log may be in use, a copy is better. If a record was altered, its
index is named.

Files that were cut off at a checkpoint verify as a shorter log. To find that, give a checkpoint that you kept (--checkpoint FILE, as kept by "kuasheng
audit checkpoint --remember").`,
		Example: `  kuasheng audit verify --dir exchange-copy/log --key "exchange.example/access+1a2b3c4d+…"`,
	}
	dir := cmd.Flags().String("dir", "", "directory with the segment files")
	key := cmd.Flags().String("key", "", "verifier key of the log, in note format")
	kept := cmd.Flags().String("checkpoint", "", "file with a checkpoint that the copy must reach")
	requireFlags(cmd, "dir", "key")
	cobra.CheckErr(cmd.MarkFlagDirname("dir"))
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v, err := translog.NewVerifier(*key)
		if err != nil {
			return usagef("--key: %w", err)
		}
		started := time.Now()
		report, err := verifyLog(cmd, *dir, v)
		if err != nil {
			return err
		}
		if *kept != "" {
			if err := reaches(cmd, report, *kept, v); err != nil {
				return err
			}
		}
		if report.Torn != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "note: after the last record there are bytes of a write that was not finished, as in a copy taken while the log was written; they are no part of the log")
		}
		return showReport(cmd, *output, report, time.Since(started))
	}
	return cmd
}

func verifyLog(cmd *cobra.Command, dir string, v note.Verifier) (segment.Report, error) {
	progress := newBar(cmd.ErrOrStderr(), 1, "verifying", true)
	report, err := segment.Verify(cmd.Context(), dir, v, func(done, total int64) {
		progress.total(total)
		progress.at(done)
	})
	progress.finish()
	var fault *segment.Fault
	switch {
	case errors.As(err, &fault):
		hint := fmt.Sprintf("record %d is the first that is wrong; the first %d records stand in commits that hold; keep the copy as it is and tell the log's owner and the auditors", fault.Index, report.Records)
		return report, hinted{err, hint}
	case errors.Is(err, segment.ErrNotExist):
		return report, hinted{err, "name the directory that holds the files segment-00000000, segment-00000001, …"}
	case errors.Is(err, segment.ErrForeign):
		return report, hinted{err, "this is another log than the key's: check --dir and --key"}
	}
	return report, err
}

// reaches checks the copy against a checkpoint that was kept elsewhere.
func reaches(cmd *cobra.Command, report segment.Report, path string, v note.Verifier) error {
	signed, err := readBounded(path, nil, maxCheckpoint)
	if err != nil {
		return err
	}
	cp, err := translog.OpenCheckpoint(signed, v)
	if err != nil {
		return fmt.Errorf("reading the checkpoint %q: %w", path, err)
	}
	switch {
	case cp.Size > report.Checkpoint.Size:
		return fmt.Errorf("comparing with the checkpoint %q: %w: it proves %d, the copy holds %d", path, errShorter, cp.Size, report.Checkpoint.Size)
	case cp.Size == report.Checkpoint.Size && cp.Root != report.Checkpoint.Root:
		return fmt.Errorf("comparing with the checkpoint %q: %w", path, translog.ErrFork)
	case cp.Size < report.Checkpoint.Size:
		fmt.Fprintf(cmd.ErrOrStderr(), "note: the checkpoint in %q is older than the copy (%d of %d records): nothing is missing up to it; \"kuasheng audit checkpoint --remember\" proves that the log extends it\n",
			path, cp.Size, report.Checkpoint.Size)
	}
	return nil
}

func showReport(cmd *cobra.Command, format string, r segment.Report, took time.Duration) error {
	at := func(t time.Time) string {
		if r.Blocks == 0 {
			return ""
		}
		return t.In(china()).Format(time.RFC3339)
	}
	if format == "json" {
		b, err := encode(map[string]any{
			"origin": r.Origin, "records": r.Records, "commits": r.Blocks, "segments": r.Segments, "bytes": r.Bytes, "first": at(r.First), "last": at(r.Last),
			"rootHash": r.Checkpoint.Root[:], "checkpoint": string(r.Signed), "unfinishedWrite": r.Torn != nil,
		})
		if err != nil {
			return err
		}
		return showRaw(cmd.OutOrStdout(), b)
	}
	t := table{}
	t.add("log", r.Origin)
	t.add("verified", fmt.Sprintf("%d records in %d commits, all of them", r.Records, r.Blocks))
	t.add("from", dash(at(r.First)))
	t.add("to", dash(at(r.Last)))
	t.add("root", fmt.Sprintf("%x", r.Checkpoint.Root[:]))
	t.add("files", fmt.Sprintf("%d segments, %.1f MiB, read in %s", r.Segments, float64(r.Bytes)/(1<<20), took.Round(time.Millisecond)))
	return t.write(cmd.OutOrStdout())
}
