package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// errKept means that what was kept is not what is on record.
var errKept = errors.New("it is not what is on record")

// receiptCheck verifies a file of receipts and collects what was found.
type receiptCheck struct {
	keys  map[string]note.Verifier
	found []finding
	// missing is what the receipts cover and nobody gave: a reader must not take it for verified.
	missing []finding
	// intent and answer are proven by file, where there are such.
	intent evidence.Proven
	answer evidence.Proven
}

// finding is one thing that was verified.
type finding struct {
	What   string `json:"what"`
	Log    string `json:"log,omitempty"`
	Index  int64  `json:"index"`
	Size   int64  `json:"treeSize,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// file verifies every receipt in the file, and that they belong together.
func (c *receiptCheck) file(f receiptFile) error {
	switch {
	case f.response != nil:
		return c.response(f)
	case f.access != nil:
		key, err := c.key(f.access.GetReceipt())
		if err != nil {
			return err
		}
		if err := verifyAccess(f.access, f.access.GetName(), key); err != nil {
			return err
		}
		if _, err := c.receipt("access", f.access.GetReceipt()); err != nil || f.access.GetOutcome() == nil {
			return err
		}
		_, err = c.receipt("outcome", f.access.GetOutcomeReceipt())
		return err
	default:
		_, err := c.receipt("record", f.receipt)
		return err
	}
}

func (c *receiptCheck) response(f receiptFile) (err error) {
	r := f.response
	if c.intent, err = c.receipt("permission", r.GetIntentReceipt()); err != nil {
		return err
	}
	if c.answer, err = c.receipt("answer", r.GetAnswerReceipt()); err != nil {
		return err
	}
	intent, answer := c.intent.Record.GetIntent(), c.answer.Record.GetAnswer()
	switch {
	case intent == nil:
		return fmt.Errorf("%w: the first record is not an intent", evidence.ErrReceipt)
	case intent.GetVerdict() != auditv1.Verdict_VERDICT_PERMITTED:
		return fmt.Errorf("%w: the intent was refused", evidence.ErrReceipt)
	case intent.GetJournalOrigin() != c.answer.Checkpoint.Origin:
		return fmt.Errorf("%w: the intent names the journal %.255q", evidence.ErrReceipt, intent.GetJournalOrigin())
	}
	if err := evidence.CheckAnswer(c.intent, answer, nil); err != nil {
		return err
	}
	return c.described(f, answer)
}

// described compares what the file says beside its receipts with the records: people read it, so whoever falsifies a file would write there.
func (c *receiptCheck) described(f receiptFile, answer *auditv1.Answer) error {
	r, state := f.response, answer.GetState()
	for _, said := range []struct {
		what string
		same bool
	}{
		{"name of the access", r.GetAccess() == fmt.Sprintf("accesses/%d", c.intent.Index)},
		{"state", state == auditv1.AnswerState_ANSWER_STATE_ANSWERED || state == auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED},
		{"media type", r.GetMediaType() == answer.GetMediaType()},
		{"first row", answer.GetFromRow() == c.intent.Record.GetIntent().GetFromRow()},
		// The record of a resumed export counts its own part, the file the whole.
		{"row count", r.GetRowCount() == answer.GetFromRow()+answer.GetRowCount()},
		{"list of masked fields", slices.Equal(r.GetMaskedFields(), answer.GetFieldsMasked())},
		{"statement of what was verified", f.claim == nil || c.claimed(f)},
	} {
		if !said.same {
			return fmt.Errorf("the file's %s: %w", said.what, errKept)
		}
	}
	return nil
}

// claimed compares what the client said it verified with what is verified now. How the client came by the
// journal's key nobody can tell afterwards: pin it by giving --key from elsewhere.
func (c *receiptCheck) claimed(f receiptFile) bool {
	var claim verifiedJSON
	d := json.NewDecoder(bytes.NewReader(f.claim))
	d.DisallowUnknownFields()
	if d.Decode(&claim) != nil {
		return false
	}
	at := func(p evidence.Proven, said client.Place) bool {
		return said == client.Place{Origin: p.Checkpoint.Origin, Index: p.Index, TreeSize: p.Checkpoint.Size}
	}
	return claim.Access == f.response.GetAccess() && at(c.intent, claim.Intent) && at(c.answer, claim.Answer)
}

func (c *receiptCheck) key(r *auditv1.Receipt) (note.Verifier, error) {
	key, ok := c.keys[origin(r)]
	if !ok {
		return nil, fmt.Errorf("%w for the log %.255q: add --key with its verifier key", errNoKey, origin(r))
	}
	return key, nil
}

func (c *receiptCheck) receipt(what string, r *auditv1.Receipt) (evidence.Proven, error) {
	if r == nil {
		return evidence.Proven{}, fmt.Errorf("%s: %w: there is none", what, evidence.ErrReceipt)
	}
	key, err := c.key(r)
	if err != nil {
		return evidence.Proven{}, fmt.Errorf("%s: %w", what, err)
	}
	p, err := evidence.VerifyReceipt(r, key)
	if err != nil {
		return evidence.Proven{}, fmt.Errorf("%s: %w", what, err)
	}
	c.found = append(c.found, finding{What: what, Log: p.Checkpoint.Origin, Index: p.Index, Size: p.Checkpoint.Size, Detail: recordDetail(p.Record)})
	return p, nil
}

// kept compares the answer and the parameters that the holder kept with the digests on record, and notes what nobody gave.
func (c *receiptCheck) kept(cmd *cobra.Command, f receiptFile, answer, params string) error {
	if f.response == nil {
		if answer != "" || params != "" {
			return usagef("--answer and --param-file go with what query saved")
		}
		return nil
	}
	if err := c.keptAnswer(f, answer); err != nil {
		return err
	}
	if params == "" {
		c.open("parameters", "not in the file: give them with --param-file")
		return nil
	}
	data, err := readBounded(params, cmd.InOrStdin(), maxParameters)
	if err != nil {
		return err
	}
	parameters := map[string]string{}
	if err := parseParameters(parameters, data); err != nil {
		return fmt.Errorf("--param-file: %w", err)
	}
	if !bytes.Equal(evidence.ParametersDigest(f.response.GetParametersSalt(), parameters), c.intent.Record.GetIntent().GetParametersDigest()) {
		return fmt.Errorf("--param-file: %w", errKept)
	}
	c.found = append(c.found, finding{What: "parameters", Detail: fmt.Sprintf("%d of them", len(parameters))})
	return nil
}

// keptAnswer compares the answer in the file, the one given by --answer, or both.
func (c *receiptCheck) keptAnswer(f receiptFile, path string) error {
	if f.answer == nil && path == "" {
		c.open("answer's bytes", "not in the file: give them with --answer, as printed by -o raw or exported")
		return nil
	}
	if f.answer != nil {
		size, ok := c.same(f.response, spellings(f.answer))
		if !ok {
			return fmt.Errorf("the answer in the file: %w; if a program only rewrote its JSON, give the exact bytes with --answer and take it out of the file", errKept)
		}
		c.found = append(c.found, finding{What: "answer's bytes", Detail: fmt.Sprintf("%d bytes, in the file", size)})
	}
	if path != "" {
		data, err := readBounded(path, nil, maxKept)
		if err != nil {
			return err
		}
		if _, ok := c.same(f.response, [][]byte{data}); !ok {
			return fmt.Errorf("--answer: %w", errKept)
		}
		c.found = append(c.found, finding{What: "answer's bytes", Detail: fmt.Sprintf("%d bytes, given by --answer", len(data))})
	}
	return nil
}

// same finds the spelling of an answer whose digest is on record.
func (c *receiptCheck) same(r *queryv1.QueryResourceResponse, spellings [][]byte) (size int, ok bool) {
	for _, s := range spellings {
		if evidence.CheckAnswer(c.intent, c.answer.Record.GetAnswer(), evidence.AnswerDigest(r.GetAnswerSalt(), r.GetMediaType(), s)) == nil {
			return len(s), true
		}
	}
	return 0, false
}

func (c *receiptCheck) open(what, detail string) {
	c.missing = append(c.missing, finding{What: what, Detail: detail})
}

func (c *receiptCheck) show(cmd *cobra.Command, format string) error {
	if format == "json" {
		b, err := encode(map[string]any{"verified": c.found, "notCompared": append([]finding{}, c.missing...)})
		if err != nil {
			return err
		}
		return showRaw(cmd.OutOrStdout(), b)
	}
	t := table{head: []string{"VERIFIED", "LOG", "RECORD", "TREE", "WHAT IT SAYS"}}
	for _, f := range c.found {
		if f.Log == "" {
			t.add(f.What, "-", "-", "-", f.Detail)
			continue
		}
		t.add(f.What, f.Log, fmt.Sprint(f.Index), fmt.Sprint(f.Size), f.Detail)
	}
	for _, f := range c.missing {
		t.add("NOT COMPARED", "-", "-", "-", f.What+": "+f.Detail)
	}
	return t.write(cmd.OutOrStdout())
}
