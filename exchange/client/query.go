package client

import (
	"context"
	"errors"
	"fmt"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// Answer is an answer whose evidence holds.
type Answer struct {
	// Response is the whole response: the answer's exact bytes, and the receipts and salts to keep with the case. Whoever has a salt can try
	// values against its digest, so receipts are kept as carefully as the answer.
	Response *queryv1.QueryResourceResponse
	// Evidence says what was proven; nil where Config.Unverified gave it up.
	Evidence *Evidence
}

// Bytes are the answer's exact bytes.
func (a *Answer) Bytes() []byte { return a.Response.GetAnswer() }

// Evidence says what was proven about an access, and where.
type Evidence struct {
	Access string
	Intent Place // in the exchange's log
	Answer Place // in the province's journal; of an export, its end
	// Pinned says that the journal's key was pinned in Config.JournalKeys. Otherwise the exchange vouches for it.
	Pinned bool
	// IntentRecord and AnswerRecord are the records proven.
	IntentRecord, AnswerRecord *auditv1.Record
}

// Place is where a record stands.
type Place struct {
	Origin   string // of the log
	Index    int64  // from 0
	TreeSize int64  // of the tree under whose signed checkpoint it was proven
}

func placeOf(p evidence.Proven) Place {
	return Place{Origin: p.Checkpoint.Origin, Index: p.Index, TreeSize: p.Checkpoint.Size}
}

func newEvidence(access string, intent, answer evidence.Proven, pinned bool) *Evidence {
	return &Evidence{
		Access: access, Intent: placeOf(intent), Answer: placeOf(answer), Pinned: pinned,
		IntentRecord: intent.Record, AnswerRecord: answer.Record,
	}
}

// Query asks one resource one question and verifies the evidence before it returns the answer. It makes one call and never a second one by
// itself: each is an access on record. Errors: a refusal (see RefusalOf), ErrEvidence, ErrJournalKey, a gRPC status where the exchange did not
// answer (the access may be on record, and data may have left the province), or ErrArgument where nothing was asked.
func (c *Client) Query(ctx context.Context, req *queryv1.QueryResourceRequest) (*Answer, error) {
	if req == nil {
		return nil, fmt.Errorf("querying: %w: no request", ErrProtocol)
	}
	if err := checkText(req.ProtoReflect()); err != nil {
		return nil, fmt.Errorf("querying %.128q: %w", req.GetResource(), err)
	}
	resp, err := c.queries().QueryResource(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("querying %.128q: %w", req.GetResource(), err)
	}
	a := &Answer{Response: resp}
	if c.verifier == nil {
		return a, nil
	}
	if a.Evidence, err = c.verifier.query(ctx, c.queryCall(req), resp); err != nil {
		return nil, fmt.Errorf("querying %.128q: %w", req.GetResource(), err)
	}
	return a, nil
}

func (c *Client) queryCall(req *queryv1.QueryResourceRequest) *call {
	return &call{
		caller: c.ID().String(), method: queryv1.QueryService_QueryResource_FullMethodName, mode: auditv1.Mode_MODE_QUERY,
		resource: req.GetResource(), fields: req.GetFields(), parameters: req.GetParameters(), purpose: req.GetPurpose(),
		operator: req.GetOperator(), requestID: req.GetRequestId(),
	}
}

// query verifies a whole response.
func (v *verifier) query(ctx context.Context, c *call, resp *queryv1.QueryResourceResponse) (*Evidence, error) {
	access := resp.GetAccess()
	intent, err := v.intent(c, access, resp.GetIntentReceipt(), resp.GetParametersSalt())
	if err != nil {
		return nil, err
	}
	proven, pinned, err := v.answer(ctx, c, access, intent, resp.GetAnswerReceipt(), auditv1.AnswerState_ANSWER_STATE_ANSWERED)
	if err != nil {
		return nil, err
	}
	answer := proven.Record.GetAnswer()
	if len(resp.GetAnswerSalt()) != evidence.SaltSize {
		return nil, v.fail(StepContent, access, errors.New("the answer's salt has the wrong size"))
	}
	digest := evidence.AnswerDigest(resp.GetAnswerSalt(), resp.GetMediaType(), resp.GetAnswer())
	if err := evidence.CheckAnswer(intent, answer, digest); err != nil {
		return nil, v.fail(StepContent, access, err)
	}
	if err := v.content(c, access, answer, resp.GetMediaType(), resp.GetMaskedFields()); err != nil {
		return nil, err
	}
	if answer.GetRowCount() != resp.GetRowCount() || answer.GetAnswerBytes() != int64(len(resp.GetAnswer())) {
		return nil, v.fail(StepContent, access, errors.New("rows or bytes differ from the record's"))
	}
	return newEvidence(access, intent, proven, pinned), nil
}
