package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// errNothing means that a copy holds bytes and not one whole commit.
var errNothing = errors.New("nothing in the copy is a record")

func newAuditVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --dir DIRECTORY --key KEY",
		Short: "Verify a copy of a whole log, from files, offline",
		Long: `Reads every record of a log's segment files (the exchange's access log or a province's journal) and checks it against the signed checkpoints: every
checksum, every record's place in the tree, every signature. Nothing is changed; the log may be in use, a copy is better. If a record was altered, its
index is named; without the folder "derived" in the copy, only the commit that it stands in.

Files alone do not show that this is the history that others have seen: files that were cut off at a checkpoint verify as a shorter log, and the log's
owner can alter a record and sign everything after it anew. To find both, give a checkpoint that you kept, however old (--checkpoint FILE, as kept by
"kuasheng audit checkpoint --remember"; several may be given). The records up to it must be exactly those under it.`,
		Example: `  kuasheng audit verify --dir exchange-copy/accesslog/log --key "exchange.example/access+1a2b3c4d+…" --checkpoint exchange.checkpoint`,
	}
	dir := cmd.Flags().String("dir", "", "directory with the segment files")
	key := cmd.Flags().String("key", "", "verifier key of the log, in note format")
	files := cmd.Flags().StringArray("checkpoint", nil, "file with a checkpoint that was kept: the copy must hold exactly the records under it")
	requireFlags(cmd, "dir", "key")
	cobra.CheckErr(cmd.MarkFlagDirname("dir"))
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v, err := translog.NewVerifier(*key)
		if err != nil {
			return usagef("--key: %w", err)
		}
		kept, err := readCheckpoints(*files, v)
		if err != nil {
			return err
		}
		started := time.Now()
		report, err := verifyLog(cmd, *dir, v, kept)
		if err != nil {
			return err
		}
		if len(kept) == 0 {
			fmt.Fprintln(cmd.ErrOrStderr(), "note: compared with no checkpoint that was kept: this shows that the files hold together, not that others have seen the same history; see --checkpoint")
		}
		if report.Torn != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "note: after the last record there are bytes of a write that was not finished, as in a copy taken while the log was written; they are no part of the log")
		}
		return showReport(cmd, *output, report, kept, time.Since(started))
	}
	return cmd
}

// readCheckpoints reads checkpoints that were kept, which the log's key must have signed.
func readCheckpoints(paths []string, v note.Verifier) ([]translog.Checkpoint, error) {
	var kept []translog.Checkpoint
	for _, path := range paths {
		signed, err := readBounded(path, nil, maxCheckpoint)
		if err != nil {
			return nil, err
		}
		cp, err := translog.OpenCheckpoint(signed, v)
		if err != nil {
			return nil, hinted{fmt.Errorf("reading the checkpoint %q: %w", path, err), "this file is no checkpoint of the log that --key names, so nothing was compared"}
		}
		kept = append(kept, cp)
	}
	return kept, nil
}

func verifyLog(cmd *cobra.Command, dir string, v note.Verifier, kept []translog.Checkpoint) (segment.Report, error) {
	progress := newBar(cmd.ErrOrStderr(), 1, "verifying", true)
	report, err := segment.Verify(cmd.Context(), dir, v, func(done, total int64) {
		progress.total(total)
		progress.at(done)
	}, kept...)
	progress.finish()
	if err == nil && report.Records == 0 && report.Torn != nil {
		err = fmt.Errorf("verifying: %w: %w", errNothing, report.Torn)
	}
	if hint := verifyHint(report, err); hint != "" {
		return report, hinted{err, hint}
	}
	return report, err
}

// verifyHint says what a failed verification means and what to do. It accuses no record by number when only its commit is known to be wrong.
func verifyHint(report segment.Report, err error) string {
	const keep = "keep the copy as it is and tell the log's owner and the auditors"
	var fault *segment.Fault
	switch {
	case errors.As(err, &fault) && fault.Index < 0:
		if errors.Is(err, segment.ErrForeign) {
			return "this is another log than the key's, or files of several logs: check --dir and --key"
		}
		return "a whole file is wrong or missing, so no record can be named; " + keep
	case errors.Is(err, segment.ErrContradicted):
		return "history was rewritten, or restored from a backup and written to again: keep the copy and the checkpoint, which together are the proof, and tell the auditors"
	case errors.As(err, &fault) && errors.Is(err, translog.ErrCheckpoint):
		return fmt.Sprintf("the commit from record %d on is not signed by the log's key, so nothing vouches for its %d records; the %d before stand in commits that hold; %s",
			fault.Index, fault.Count, report.Records, keep)
	case errors.As(err, &fault) && fault.Count == 1:
		return fmt.Sprintf("record %d is the first that is wrong; the first %d records stand in commits that hold; %s", fault.Index, report.Records, keep)
	case errors.As(err, &fault):
		return fmt.Sprintf("%s is the first that is wrong: the copy does not tell which one (with the log's folder \"derived\" in it, it might); the first %d records stand in commits that hold; %s",
			fault.Records(), report.Records, keep)
	case errors.Is(err, segment.ErrShort):
		return "the copy is older than the checkpoint, or was cut off: take a new copy, and if that is short as well, keep both and tell the auditors"
	case errors.Is(err, errNothing):
		return "either the log has never finished a write, or this is not what it wrote; " + keep
	case errors.Is(err, segment.ErrNotExist):
		return "name the directory that holds the files segment-00000000, segment-00000001, …"
	}
	return ""
}

// recordTime is the time that a record states for itself, empty if it states none. The time in the files' block headers is not shown: no signature
// covers it.
func recordTime(record []byte) string {
	r, err := evidence.DecodeRecord(record)
	if err != nil || !r.GetTime().IsValid() {
		return ""
	}
	return r.GetTime().AsTime().In(china()).Format(time.RFC3339)
}

func showReport(cmd *cobra.Command, format string, r segment.Report, kept []translog.Checkpoint, took time.Duration) error {
	first, last := recordTime(r.FirstRecord), recordTime(r.LastRecord)
	if format == "json" {
		compared := []int64{}
		for _, cp := range kept {
			compared = append(compared, cp.Size)
		}
		b, err := encode(map[string]any{
			"origin": r.Origin, "records": r.Records, "commits": r.Blocks, "segments": r.Segments, "bytes": r.Bytes, "firstRecordTime": first, "lastRecordTime": last,
			"rootHash": r.Checkpoint.Root[:], "checkpoint": string(r.Signed), "unfinishedWrite": r.Torn != nil, "comparedSizes": compared,
		})
		if err != nil {
			return err
		}
		return showRaw(cmd.OutOrStdout(), b)
	}
	t := table{}
	t.add("log", r.Origin)
	t.add("verified", fmt.Sprintf("%d records in %d commits, all of them", r.Records, r.Blocks))
	for _, cp := range kept {
		t.add("compared", fmt.Sprintf("the first %d records are those under the checkpoint that was kept", cp.Size))
	}
	t.add("first record", dash(first), "by its writer's clock")
	t.add("last record", dash(last), "by its writer's clock")
	t.add("root", fmt.Sprintf("%x", r.Checkpoint.Root[:]))
	t.add("files", fmt.Sprintf("%d segments, %.1f MiB, read in %s", r.Segments, float64(r.Bytes)/(1<<20), took.Round(time.Millisecond)))
	return t.write(cmd.OutOrStdout())
}
