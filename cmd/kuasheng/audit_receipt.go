package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
)

const (
	// maxReceipt holds two receipts of records at their limit in base64, and with "-o json" the answer.
	maxReceipt = 64 << 20
	// maxKept bounds an answer that is digested in one piece; exports stream into files that are larger, and are verified when they arrive.
	maxKept = 1 << 30
)

var (
	// errReceiptFile means that a file holds no receipt.
	errReceiptFile = errors.New("no receipt")
	// errNoKey means that the key of a log is not given.
	errNoKey = errors.New("no key given")
)

func newAuditReceiptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify-receipt FILE --key KEY",
		Short: "Verify saved receipts, offline",
		Long: `Verifies the receipts in FILE: what "kuasheng query --receipt" saved, or the JSON of "kuasheng query -o json", of "kuasheng audit get -o json", or of a single
receipt. Give the key of every log that a receipt comes from: the exchange's, and for an answer the journal's.

An answer that stands in FILE is compared with the digest on record, and so is whatever else FILE says of it. A file of --receipt holds no answer: give
its exact bytes with --answer. With --param-file the parameters are compared. What was not compared is named in the result as NOT COMPARED.`,
		Example: `  kuasheng audit verify-receipt HZ-2026-1.json --key "exchange.example/access+…" --key "henan.example/journal/1+…" --answer HZ-2026-1.answer`,
		Args:    cobra.ExactArgs(1),
	}
	keys := cmd.Flags().StringArray("key", nil, "verifier key of a log, in note format; may be repeated")
	answer := cmd.Flags().String("answer", "", "file with the answer's exact bytes, as printed by -o raw")
	params := cmd.Flags().String("param-file", "", "file (- for standard input) with the parameters, as for query")
	requireFlags(cmd, "key")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		verifiers, err := readKeys(*keys)
		if err != nil {
			return err
		}
		data, err := readBounded(args[0], nil, maxReceipt)
		if err != nil {
			return err
		}
		file, err := parseReceiptFile(data)
		if err != nil {
			return fmt.Errorf("reading %q: %w", args[0], err)
		}
		check := &receiptCheck{keys: verifiers}
		if err := check.file(file); err != nil {
			return fmt.Errorf("verifying %q: %w", args[0], err)
		}
		if err := check.kept(cmd, file, *answer, *params); err != nil {
			return fmt.Errorf("verifying %q: %w", args[0], err)
		}
		return check.show(cmd, *output)
	}
	return cmd
}

// readKeys reads verifier keys by the name of their log.
func readKeys(keys []string) (map[string]note.Verifier, error) {
	out := make(map[string]note.Verifier, len(keys))
	for _, k := range keys {
		v, err := translog.NewVerifier(k)
		if err != nil {
			return nil, usagef("--key: %w", err)
		}
		out[v.Name()] = v
	}
	return out, nil
}

// receiptFile is one of the forms in which receipts are kept.
type receiptFile struct {
	response *queryv1.QueryResourceResponse
	answer   json.RawMessage // with response; nil where the file holds none
	claim    json.RawMessage // with response; nil where the file holds none
	access   *auditv1.Access
	receipt  *auditv1.Receipt
}

// parseReceiptFile tells the forms apart by the names in the outermost object.
func parseReceiptFile(data []byte) (receiptFile, error) {
	all, err := members(data)
	if err != nil {
		return receiptFile{}, err
	}
	var f receiptFile
	var into proto.Message
	has := func(name string) bool { _, ok := all[name]; return ok }
	switch {
	case has("intentReceipt"):
		// They stand in what query and REST show, not in the message: the answer inline, and what the client said it verified.
		f.answer, f.claim = all["answer"], all["verified"]
		delete(all, "answer")
		delete(all, "verified")
		f.response = &queryv1.QueryResourceResponse{}
		into = f.response
	case has("receipt"):
		f.access = &auditv1.Access{}
		into = f.access
	case has("checkpoint") && has("inclusionHashes") || has("checkpoint") && has("record"):
		f.receipt = &auditv1.Receipt{}
		into = f.receipt
	default:
		return receiptFile{}, fmt.Errorf("%w: it has none of intentReceipt, receipt, checkpoint", errReceiptFile)
	}
	b, err := json.Marshal(all)
	if err == nil {
		err = protojson.Unmarshal(b, into)
	}
	if err != nil {
		// The decoder's own text may quote the file.
		return receiptFile{}, fmt.Errorf("%w: the JSON is not in the form that was saved", errReceiptFile)
	}
	return f, nil
}

// origin is the log that a receipt claims, from the first line of its checkpoint. Only its key can confirm it.
func origin(r *auditv1.Receipt) string {
	name, _, _ := strings.Cut(string(r.GetCheckpoint()), "\n")
	return name
}
