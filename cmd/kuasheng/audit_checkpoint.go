package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/exchange/client"
	"github.com/kuasheng/kuasheng/internal/translog"
)

var (
	// errHistory means that the log does not extend a checkpoint that it signed before: records were altered, removed or inserted.
	errHistory = errors.New("THE LOG DOES NOT EXTEND THE CHECKPOINT KEPT / 日志与留存的检查点不一致")
	// errUnproven means that the exchange gave no proof. An exchange that has rewritten its log cannot give one.
	errUnproven = errors.New("it is not proven that the log extends the checkpoint kept")
	// errNoCheckpoint means that what should be a signed checkpoint of the log is none.
	errNoCheckpoint = errors.New("not a checkpoint of this log under --log-key")
)

func newAuditCheckpointCommand() *cobra.Command {
	conn := &connection{}
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Show the log's present checkpoint, and prove that it extends one you kept",
		Long: `Reads the signed checkpoint of the exchange's log and verifies its signature under --log-key. With --remember FILE it is compared with the one
kept there since the last time: the log must have grown from it, with nothing changed or missing. Then the new one is kept. Run it every day from
a place that the exchange's operator cannot reach, and no history can be rewritten unseen.

If the log does not extend the checkpoint kept, FILE stays as it is and the new checkpoint is saved beside it as FILE.rejected-TIME. Both are signed
by the log: together they convict it.`,
		Example: "  kuasheng audit checkpoint --remember /var/lib/auditor/exchange.checkpoint",
	}
	conn.register(cmd)
	remember := cmd.Flags().String("remember", "", "file that keeps the last checkpoint")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return conn.with(cmd, true, func(c *client.Client) error {
			cp, err := c.CheckLog(cmd.Context())
			if err != nil {
				return ownWords(err, "reading the log's present checkpoint", errNoCheckpoint,
					"check that --log-key is the exchange's present key; if it is, the exchange showed what its log did not sign: keep this output and tell the auditors")
			}
			if *remember != "" {
				if err := rememberCheckpoint(cmd, conn, c, *remember, cp); err != nil {
					return err
				}
			}
			return showCheckpoint(cmd, *output, cp)
		})
	}
	return cmd
}

func showCheckpoint(cmd *cobra.Command, format string, cp client.Checkpoint) error {
	if format == "json" {
		b, err := encode(map[string]any{"origin": cp.Origin, "size": cp.Size, "rootHash": cp.Root[:], "checkpoint": string(cp.Signed)})
		if err != nil {
			return err
		}
		return showRaw(cmd.OutOrStdout(), b)
	}
	t := table{}
	t.add("log", cp.Origin)
	t.add("size", fmt.Sprint(cp.Size))
	t.add("root", fmt.Sprintf("%x", cp.Root))
	return t.write(cmd.OutOrStdout())
}

// ownWords takes what failed out of the client's error, whose words are about an answer that was thrown away: here there is none.
func ownWords(err error, doing string, what error, hint string) error {
	var evidence *client.EvidenceError
	if !errors.As(err, &evidence) {
		return err
	}
	return hinted{fmt.Errorf("%s: %w: %w", doing, what, evidence.Err), hint}
}

// maxCheckpoint is the bound of the format.
const maxCheckpoint = 16 << 10

// rememberCheckpoint replaces the kept checkpoint only after the new one was proven to extend it.
func rememberCheckpoint(cmd *cobra.Command, conn *connection, c *client.Client, path string, cp client.Checkpoint) error {
	kept, err := readBounded(path, nil, maxCheckpoint)
	switch {
	case errors.Is(err, os.ErrNotExist):
		fmt.Fprintf(cmd.ErrOrStderr(), "%q is new: from now on the log is compared with this checkpoint\n", path)
		return replaceDurable(path, cp.Signed)
	case err != nil:
		return err
	case bytes.Equal(kept, cp.Signed):
		return nil
	}
	// Looked at first: a file that the log never signed says nothing against the log.
	key, err := conn.logKey()
	if err != nil {
		return err
	}
	if _, err := translog.OpenCheckpoint(kept, key); err != nil {
		return hinted{fmt.Errorf("reading the checkpoint kept in %q: %w: %w", path, errNoCheckpoint, err),
			"this says nothing about the log: nothing was compared, and the file stays as it is; find out what happened to it, take its last good copy, or name another file to begin anew"}
	}
	if err := c.Extends(cmd.Context(), kept, cp); err != nil {
		return reject(cmd, path, kept, cp.Signed, err)
	}
	if err := replaceDurable(path, cp.Signed); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "verified: the log extends the checkpoint kept in %q\n", path)
	return nil
}

// reject saves the checkpoint that contradicts the one kept, and prints both: the exchange may never show it again, and a disk that takes no more must
// not lose it either. An exchange that refuses the proof is treated alike, or refusing would be the way to leave no trace.
func reject(cmd *cobra.Command, path string, kept, shown []byte, cause error) error {
	if errors.Is(cause, context.Canceled) {
		return cause // whoever ran the command ended it; nothing was learnt
	}
	failed := fmt.Errorf("comparing with the checkpoint kept in %q: %w: %w", path, errUnproven, cause)
	advice := "the exchange gave no proof: try again; if it stays so, treat it as a rewritten log, and show both files to the auditors"
	var evidence *client.EvidenceError
	if errors.As(cause, &evidence) {
		failed = fmt.Errorf("comparing with the checkpoint kept in %q: %w: %w", path, errHistory, evidence.Err)
		advice = "both are signed by the log: together they prove that its history was changed, or that it was restored from an old backup and written to again; copy both files to a safe place and tell the auditors of all members"
	}
	rejected := fmt.Sprintf("%s.rejected-%s", path, time.Now().UTC().Format("20060102T150405.000000000Z"))
	f, err := newPrivateFile(rejected)
	if err == nil {
		err = errors.Join(writeDurable(f, shown), syncDirectory(rejected))
	}
	w := cmd.ErrOrStderr()
	printNote(w, fmt.Sprintf("kept in %q", path), kept)
	if err != nil {
		printNote(w, "shown now, NOT SAVED: copy it from here", shown)
		return hinted{errors.Join(failed, err), advice}
	}
	printNote(w, fmt.Sprintf("shown now, saved as %q", rejected), shown)
	return hinted{failed, advice}
}

// printNote prints a signed note so that it can be copied out. Its lines came from outside.
func printNote(w io.Writer, title string, signed []byte) {
	fmt.Fprintf(w, "--- checkpoint %s\n", title)
	for line := range strings.Lines(string(signed)) {
		fmt.Fprintln(w, clean(strings.TrimSuffix(line, "\n")))
	}
	fmt.Fprintln(w, "---")
}
