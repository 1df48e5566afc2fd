package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// verifier checks the evidence of one client's calls, by the steps of the package comment.
type verifier struct {
	exchange note.Verifier
	journals *journals
	history  *history
	logger   *slog.Logger
}

func newVerifier(exchange note.Verifier, j *journals, logger *slog.Logger) *verifier {
	return &verifier{exchange: exchange, journals: j, history: newHistory(), logger: logger}
}

// call is what was asked, in the terms of an intent.
type call struct {
	caller, method string
	mode           auditv1.Mode
	resource       string
	fields         []string
	parameters     map[string]string
	purpose        *grantv1.Purpose
	operator       string
	requestID      string
	fromRow        int64
}

// member is the name of the province that holds the resource.
func (c *call) member() string {
	member, _, _ := strings.Cut(c.resource, "/resources/")
	return member
}

// fail makes the error of a step. A fork is logged as well, every time: it concerns the whole system and must not end in the error handling of
// one query.
func (v *verifier) fail(step Step, access string, err error) error {
	if errors.Is(err, ErrFork) {
		v.logger.Error("a log has shown two histories, keep both checkpoints and tell the auditors", "access", access, "error", err)
	}
	return &EvidenceError{Step: step, Access: access, Err: err}
}

// intent checks steps 1 to 3, and 7 for the exchange's log.
func (v *verifier) intent(c *call, access string, receipt *auditv1.Receipt, salt []byte) (evidence.Proven, error) {
	proven, err := evidence.VerifyReceipt(receipt, v.exchange)
	if err != nil {
		return proven, v.fail(StepIntentReceipt, access, err)
	}
	intent := proven.Record.GetIntent()
	if err := c.permittedBy(intent); err != nil {
		return proven, v.fail(StepIntent, access, err)
	}
	if want := fmt.Sprintf("accesses/%d", proven.Index); access != want {
		return proven, v.fail(StepIntent, access, fmt.Errorf("the intent is %s", want))
	}
	switch {
	case len(salt) != evidence.SaltSize:
		return proven, v.fail(StepParameters, access, fmt.Errorf("the salt has %d bytes, want %d", len(salt), evidence.SaltSize))
	case !bytes.Equal(intent.GetParametersDigest(), evidence.ParametersDigest(salt, c.parameters)):
		return proven, v.fail(StepParameters, access, errors.New("the intent is about other parameters than those sent"))
	}
	if err := v.history.see(proven.Checkpoint, receipt.GetCheckpoint()); err != nil {
		return proven, v.fail(StepHistory, access, err)
	}
	return proven, nil
}

// permittedBy checks that the intent permits this very call. Values are named and not quoted: they are the application's own to log.
func (c *call) permittedBy(i *auditv1.Intent) error {
	if i == nil {
		return errors.New("the record is not an intent")
	}
	for _, f := range []struct {
		name string
		same bool
	}{
		{"verdict", i.GetVerdict() == auditv1.Verdict_VERDICT_PERMITTED && i.GetReason() == auditv1.Reason_REASON_UNSPECIFIED},
		{"caller", i.GetCaller().GetSpiffeId() == c.caller},
		{"method", i.GetMethod() == c.method},
		{"mode", i.GetMode() == c.mode},
		{"resource", i.GetResource() == c.resource},
		{"fields", slices.Equal(i.GetFields(), c.fields)},
		{"purpose", proto.Equal(i.GetPurpose(), c.purpose)},
		{"operator", i.GetOperator() == c.operator},
		{"request id", i.GetRequestId() == c.requestID},
		{"first row", i.GetFromRow() == c.fromRow},
	} {
		if !f.same {
			return fmt.Errorf("the %s on record is not that of this call", f.name)
		}
	}
	return nil
}

// answer checks step 4, step 7 for the journal, and of step 5 all but the digest. state is what the record must say happened.
func (v *verifier) answer(ctx context.Context, c *call, access string, intent evidence.Proven, receipt *auditv1.Receipt, state auditv1.AnswerState) (evidence.Proven, bool, error) {
	origin := intent.Record.GetIntent().GetJournalOrigin()
	var proven evidence.Proven
	pinned, err := v.journals.verify(ctx, c.member(), origin, func(key note.Verifier) (err error) {
		proven, err = evidence.VerifyReceipt(receipt, key)
		return err
	})
	if errors.Is(err, ErrJournalKey) {
		return proven, pinned, err // nothing is said against the answer
	}
	if err != nil {
		return proven, pinned, v.fail(StepAnswerReceipt, access, err)
	}
	answer := proven.Record.GetAnswer()
	if err := evidence.CheckAnswer(intent, answer, nil); err != nil {
		return proven, pinned, v.fail(StepAnswer, access, err)
	}
	if answer.GetState() != state || answer.GetReason() != auditv1.Reason_REASON_UNSPECIFIED {
		return proven, pinned, v.fail(StepAnswer, access, fmt.Errorf("the province recorded %v, not %v", answer.GetState(), state))
	}
	if err := v.history.see(proven.Checkpoint, receipt.GetCheckpoint()); err != nil {
		return proven, pinned, v.fail(StepHistory, access, err)
	}
	return proven, pinned, v.ticket(access, intent, answer)
}

// ticket checks the tree on which the province accepted the ticket: an exchange that shows the province another history than the caller is
// found here.
func (v *verifier) ticket(access string, intent evidence.Proven, answer *auditv1.Answer) error {
	size := answer.GetExchangeTreeSize()
	if size <= intent.Index || len(answer.GetExchangeRootHash()) != len(translog.Hash{}) {
		return v.fail(StepHistory, access, fmt.Errorf("the province accepted the ticket on a tree of size %d, which does not hold it", size))
	}
	if err := v.history.cited(intent.Checkpoint.Origin, size, translog.Hash(answer.GetExchangeRootHash())); err != nil {
		return v.fail(StepHistory, access, err)
	}
	return nil
}

// content checks that what came with an answer is what the record describes: fields released in the order asked, masked fields, media type.
func (v *verifier) content(c *call, access string, answer *auditv1.Answer, mediaType string, masked []string) error {
	switch {
	case !slices.Equal(answer.GetFieldsReleased(), c.fields):
		return v.fail(StepContent, access, errors.New("the fields released are not the fields asked for"))
	case !slices.Equal(answer.GetFieldsMasked(), masked):
		return v.fail(StepContent, access, errors.New("the masked fields differ from the record's"))
	case answer.GetMediaType() != mediaType:
		return v.fail(StepContent, access, errors.New("the media type differs from the record's"))
	case answer.GetFromRow() != c.fromRow:
		return v.fail(StepContent, access, errors.New("the first row differs from the record's"))
	}
	for _, f := range masked {
		if !slices.Contains(c.fields, f) {
			return v.fail(StepContent, access, errors.New("a masked field was not asked for"))
		}
	}
	return nil
}
