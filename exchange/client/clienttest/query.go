package clienttest

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// QueryResource implements queryv1.QueryServiceServer.
func (e *Exchange) QueryResource(ctx context.Context, req *queryv1.QueryResourceRequest) (*queryv1.QueryResourceResponse, error) {
	salt := evidence.NewSalt()
	intent, err := e.decide(ctx, &auditv1.Intent{
		Method: queryv1.QueryService_QueryResource_FullMethodName, Mode: auditv1.Mode_MODE_QUERY, Resource: req.GetResource(),
		Fields: req.GetFields(), Purpose: req.GetPurpose(), Operator: req.GetOperator(), RequestId: req.GetRequestId(),
		ParametersDigest: evidence.ParametersDigest(salt, req.GetParameters()), JournalOrigin: e.Journal.Origin(),
	})
	if err != nil {
		return nil, err
	}
	rows := make([]json.RawMessage, 0, len(e.Rows))
	for _, row := range e.Rows {
		rows = append(rows, e.row(req.GetFields(), row))
	}
	body, err := json.Marshal(map[string]any{"rows": rows})
	if err != nil {
		return nil, err
	}
	resp := &queryv1.QueryResourceResponse{
		Access: accessName(intent.GetIndex()), MediaType: "application/json", Answer: body, RowCount: int64(len(rows)),
		MaskedFields: e.masked(req.GetFields()), ParametersSalt: salt, AnswerSalt: evidence.NewSalt(), IntentReceipt: intent,
	}
	resp.AnswerReceipt, err = e.answered(intent, &auditv1.Answer{
		State: auditv1.AnswerState_ANSWER_STATE_ANSWERED, FieldsReleased: req.GetFields(), FieldsMasked: resp.GetMaskedFields(),
		RowCount: resp.GetRowCount(), AnswerBytes: int64(len(body)), MediaType: resp.GetMediaType(),
		AnswerDigest: evidence.AnswerDigest(resp.GetAnswerSalt(), resp.GetMediaType(), body),
	})
	if err != nil {
		return nil, err
	}
	if e.OnResponse != nil {
		e.OnResponse(resp)
	}
	return resp, nil
}

// row is one row as a JSON object with the fields asked for.
func (e *Exchange) row(fields []string, values map[string]string) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		value := values[f]
		if slices.Contains(e.Masked, f) {
			value = "*"
		}
		name, _ := json.Marshal(f) // a string cannot fail
		text, _ := json.Marshal(value)
		b.Write(name)
		b.WriteByte(':')
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func (e *Exchange) masked(fields []string) []string {
	var masked []string
	for _, f := range fields {
		if slices.Contains(e.Masked, f) {
			masked = append(masked, f)
		}
	}
	return masked
}

// decide puts the intent on record, permitted or refused.
func (e *Exchange) decide(ctx context.Context, intent *auditv1.Intent) (*auditv1.Receipt, error) {
	who, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	intent.Caller = &auditv1.Caller{SpiffeId: who.ID.String(), CertificateSerial: who.Serial, Region: "330000"}
	refused := e.judge(intent)
	intent.Verdict = auditv1.Verdict_VERDICT_PERMITTED
	if refused != nil {
		intent.Verdict, intent.Reason, intent.SubjectOfRefusal = auditv1.Verdict_VERDICT_REFUSED, refused.Reason, refused.Subject
	}
	if e.OnIntent != nil {
		e.OnIntent(intent)
	}
	receipt, err := e.Log.Append(func(r *auditv1.Record) { r.Kind = &auditv1.Record_Intent{Intent: intent} })
	if err != nil {
		return nil, err
	}
	if refused != nil {
		return nil, refused.Status(ExchangeDomain, accessName(receipt.GetIndex())).Err()
	}
	return receipt, nil
}

func (e *Exchange) judge(intent *auditv1.Intent) *refusal.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.resources[intent.GetResource()]; !ok {
		return refusal.New(auditv1.Reason_REASON_NOT_FOUND, "no such resource")
	}
	i := slices.IndexFunc(e.grants, func(g *grantv1.Grant) bool {
		return g.GetResource() == intent.GetResource() && g.GetRequester() == intent.GetCaller().GetSpiffeId() && g.GetState() == grantv1.GrantState_GRANT_STATE_ACTIVE
	})
	if i < 0 {
		return refusal.New(auditv1.Reason_REASON_NO_GRANT, "no grant covers the resource")
	}
	g := e.grants[i]
	intent.Grant = g.GetName()
	for _, f := range intent.GetFields() {
		if !slices.Contains(g.GetFields(), f) {
			return refusal.About(auditv1.Reason_REASON_FIELD_NOT_GRANTED, f, "the grant does not cover field %q", f)
		}
	}
	if !slices.Contains(g.GetPurposes(), intent.GetPurpose().GetCode()) {
		return refusal.New(auditv1.Reason_REASON_PURPOSE_NOT_GRANTED, "the grant does not cover the purpose")
	}
	return nil
}

// answered puts the answer on record in the journal.
func (e *Exchange) answered(intent *auditv1.Receipt, answer *auditv1.Answer) (*auditv1.Receipt, error) {
	leaf := translog.LeafHash(intent.GetRecord())
	answer.IntentHash, answer.IntentIndex, answer.ExchangeOrigin = leaf[:], intent.GetIndex(), e.Log.Origin()
	size, root := e.Log.Tree()
	answer.ExchangeTreeSize, answer.ExchangeRootHash = size, root[:]
	if e.OnAnswer != nil {
		e.OnAnswer(answer)
	}
	return e.Journal.Append(func(r *auditv1.Record) { r.Kind = &auditv1.Record_Answer{Answer: answer} })
}
