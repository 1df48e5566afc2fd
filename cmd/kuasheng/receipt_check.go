package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

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
		return c.response(f.response)
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

func (c *receiptCheck) response(r *queryv1.QueryResourceResponse) (err error) {
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
	return evidence.CheckAnswer(c.intent, answer, nil)
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

// kept compares the answer and the parameters that the holder kept with the digests on record.
func (c *receiptCheck) kept(cmd *cobra.Command, r *queryv1.QueryResourceResponse, answer, params string) error {
	if answer == "" && params == "" {
		return nil
	}
	if r == nil {
		return usagef("--answer and --param-file go with what query saved")
	}
	if answer != "" {
		data, err := readBounded(answer, nil, maxKept)
		if err != nil {
			return err
		}
		digest := evidence.AnswerDigest(r.GetAnswerSalt(), r.GetMediaType(), data)
		if err := evidence.CheckAnswer(c.intent, c.answer.Record.GetAnswer(), digest); err != nil {
			return fmt.Errorf("--answer: %w: %w", errKept, err)
		}
		c.found = append(c.found, finding{What: "answer's bytes", Detail: fmt.Sprintf("%d bytes", len(data))})
	}
	if params != "" {
		data, err := readBounded(params, cmd.InOrStdin(), maxParameters)
		if err != nil {
			return err
		}
		parameters := map[string]string{}
		if err := parseParameters(parameters, data); err != nil {
			return fmt.Errorf("--param-file: %w", err)
		}
		if !bytes.Equal(evidence.ParametersDigest(r.GetParametersSalt(), parameters), c.intent.Record.GetIntent().GetParametersDigest()) {
			return fmt.Errorf("--param-file: %w", errKept)
		}
		c.found = append(c.found, finding{What: "parameters", Detail: fmt.Sprintf("%d of them", len(parameters))})
	}
	return nil
}

func (c *receiptCheck) show(cmd *cobra.Command, format string) error {
	if format == "json" {
		b, err := encode(map[string]any{"verified": c.found})
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
	return t.write(cmd.OutOrStdout())
}

// recordDetail is a record in one line.
func recordDetail(r *auditv1.Record) string {
	when := moment(r.GetTime())
	switch {
	case r.GetIntent() != nil:
		i := r.GetIntent()
		return fmt.Sprintf("%s %s %s: %s for %s", when, enum(i.GetVerdict(), "VERDICT_"), i.GetCaller().GetSpiffeId(), i.GetResource(), i.GetPurpose().GetCode())
	case r.GetAnswer() != nil:
		a := r.GetAnswer()
		return fmt.Sprintf("%s %s: %d rows, %d bytes", when, enum(a.GetState(), "ANSWER_STATE_"), a.GetRowCount(), a.GetAnswerBytes())
	case r.GetOutcome() != nil:
		return fmt.Sprintf("%s %s", when, enum(r.GetOutcome().GetResult(), "RESULT_"))
	default:
		return fmt.Sprintf("%s read of the log by %s", when, r.GetAuditRead().GetCaller().GetSpiffeId())
	}
}
