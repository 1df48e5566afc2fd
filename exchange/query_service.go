package exchange

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/exchange/decision"
	"github.com/kuasheng/kuasheng/exchange/link"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

const (
	// queryTime is the deadline of a query that states none, and the longest one that counts: a person at a window waits no longer.
	queryTime, longestQuery = 30 * time.Second, 60 * time.Second
	// exportTime is the same for exports.
	exportTime, longestExport = time.Hour, 6 * time.Hour
	// maxParameters bounds the parameters of one request together, and with it the messages on the link.
	maxParameters = 16 << 10
)

// queryService answers applications.
type queryService struct {
	queryv1.UnimplementedQueryServiceServer
	*Server
}

// ask is what query and export have in common.
type ask struct {
	method     string
	mode       auditv1.Mode
	resource   string
	fields     []string
	parameters map[string]string
	purpose    *grantv1.Purpose
	operator   string
	requestID  string
	resume     *queryv1.ExportResume
}

// QueryResource is the life of a query, DESIGN.md section 3.
func (s *queryService) QueryResource(ctx context.Context, req *queryv1.QueryResourceRequest) (*queryv1.QueryResourceResponse, error) {
	// 1. A well-formed request of an authenticated application.
	a := ask{
		method: queryv1.QueryService_QueryResource_FullMethodName, mode: auditv1.Mode_MODE_QUERY, resource: req.GetResource(), fields: req.GetFields(),
		parameters: req.GetParameters(), purpose: req.GetPurpose(), operator: req.GetOperator(), requestID: req.GetRequestId(),
	}
	ctx, cancel := context.WithTimeout(ctx, timeLeft(ctx, queryTime, longestQuery))
	defer cancel()

	// 2. Decide. 3. Put the intent on record. 4. On its way.
	call, err := s.begin(ctx, a)
	if err != nil {
		return nil, err
	}

	// 5, 6 and 7 happen in the province and on the link.
	call, err = call.Wait(ctx)
	if err != nil && s.hub.Abandon(call, goneReason(ctx)) {
		return nil, s.abandoned(call, goneReason(ctx))
	}
	<-call.Done()
	result := call.Result()
	if result.Err != nil {
		return nil, refusedCall(call, result)
	}

	// 8. Answer with both receipts. The outcome is on its way into the next commit.
	receipt, err := call.Receipt()
	if err != nil {
		return nil, err
	}
	return &queryv1.QueryResourceResponse{
		Access: accessName(receipt.GetIndex()), MediaType: result.Answer.GetMediaType(), Answer: result.Payload,
		RowCount: result.Answer.GetRowCount(), MaskedFields: result.Answer.GetFieldsMasked(),
		ParametersSalt: call.ParametersSalt, AnswerSalt: result.AnswerSalt,
		IntentReceipt: receipt, AnswerReceipt: result.Receipt,
	}, nil
}

// begin takes a request from its decision to its intent on record. Errors are refusals on record, or say that there could be none.
func (s *queryService) begin(ctx context.Context, a ask) (*link.Call, error) {
	now := s.now()
	caller := callerFrom(ctx)
	if err := checkTexts(a); err != nil {
		return nil, err
	}
	permit, refused := s.decider.Decide(now, decision.Request{
		Requester: caller.ID.String(), Resource: a.resource, Fields: a.fields, Parameters: a.parameters, Purpose: a.purpose, Mode: a.mode,
	})
	deadline, _ := ctx.Deadline()
	call := link.NewCall()
	call.Region, call.Parameters, call.ParametersSalt = permit.Region, a.parameters, evidence.NewSalt()
	call.Received, call.Deadline = now, deadline
	call.Intent = intent(caller, a, permit, call.ParametersSalt)
	call.Intent.TraceId, call.Traceparent = traceOf(ctx)
	if a.resume != nil {
		call.AnswerSalt = a.resume.GetAnswerSalt()
	}
	if refused == nil {
		r := s.hub.Begin(call)
		if r != nil && r.Reason == auditv1.Reason_REASON_NODE_NOT_ATTACHED && s.hub.Await(ctx, permit.Region) {
			r = s.hub.Begin(call)
		}
		if r == nil {
			return call, nil
		}
		s.decider.Return(permit)
		refused = r
	}
	return nil, s.refuseIntent(ctx, call.Intent, refused)
}

// refuseIntent puts a refused request on record with all that was understood of it.
func (s *queryService) refuseIntent(ctx context.Context, intent *auditv1.Intent, refused error) error {
	r, ok := refusal.Of(refused)
	if !ok {
		return refused
	}
	if r.Reason == auditv1.Reason_REASON_LOG_UNAVAILABLE {
		return r
	}
	intent.Reason, intent.SubjectOfRefusal, intent.JournalOrigin = r.Reason, clipText(r.Subject), ""
	fields := make([]string, len(intent.GetFields()))
	for i, name := range intent.GetFields() {
		fields[i] = decision.Recordable(name)
	}
	intent.Fields = fields
	index, err := s.log.Refuse(ctx, intent)
	if err != nil {
		return err
	}
	return &recorded{cause: r, index: index}
}

func intent(caller Caller, a ask, p decision.Permit, salt []byte) *auditv1.Intent {
	return &auditv1.Intent{
		Caller: caller.Record(), Method: a.method, Verdict: auditv1.Verdict_VERDICT_PERMITTED, Mode: a.mode,
		Resource: wellFormedResource(a.resource), Grant: p.Grant.GetName(), Fields: a.fields, Purpose: a.purpose,
		Operator: a.operator, RequestId: a.requestID, ParametersDigest: evidence.ParametersDigest(salt, a.parameters),
		FromRow: a.resume.GetRows(), ResourceRevision: p.Resource.GetRevision(), GrantRevision: p.Grant.GetRevision(),
	}
}

// checkTexts refuses what must not reach a log: every text of the request that goes on record is searched for identity numbers.
func checkTexts(a ask) error {
	size := 0
	for name, value := range a.parameters {
		size += len(name) + len(value)
	}
	if size > maxParameters {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "parameters", "the parameters have %d bytes together, at most %d", size, maxParameters)
	}
	texts := []struct{ name, text string }{
		{"resource", a.resource}, {"fields", strings.Join(a.fields, "\n")}, {"operator", a.operator}, {"request_id", a.requestID},
		{"purpose.code", a.purpose.GetCode()}, {"purpose.service_item", a.purpose.GetServiceItem()}, {"purpose.case_number", a.purpose.GetCaseNumber()}, {"purpose.cause", a.purpose.GetCause()},
	}
	for _, t := range texts {
		if ident.ContainsCitizenID(t.text) {
			return refusal.About(auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT, t.name, "%s goes on record and must not contain an identity number; put it into parameters", t.name)
		}
	}
	if _, err := ident.ParseResourceName(a.resource); err != nil {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "resource", "not the name of a resource, such as provinces/410000/resources/307410000001-000001")
	}
	if _, err := ident.ParseServiceItem(a.purpose.GetServiceItem()); err != nil {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "purpose.service_item", "not a service item code: %v", err)
	}
	return nil
}

// timeLeft is the time that a call may take: a little less than its caller waits, so that the answer to a deadline that passes, with the name of
// the access, still arrives.
func timeLeft(ctx context.Context, fallback, longest time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return fallback
	}
	left := min(time.Until(deadline), longest)
	return left - min(left/10, 100*time.Millisecond)
}

func goneReason(ctx context.Context) auditv1.Reason {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return auditv1.Reason_REASON_DEADLINE_EXCEEDED
	}
	return auditv1.Reason_REASON_CALLER_GONE
}

// abandoned is the error of a call whose caller did not wait for its end.
func (s *queryService) abandoned(call *link.Call, reason auditv1.Reason) error {
	r := refusal.New(reason, "the province had not answered by then; the access stands on record and its outcome will tell whether it did")
	if index, ok := call.Index(); ok {
		return &recorded{cause: r, index: index}
	}
	return s.toStatus(r, "", "")
}

// refusedCall is the error of a call that ended without an answer.
func refusedCall(call *link.Call, result link.Result) error {
	if index, ok := call.Index(); ok {
		return &recorded{cause: result.Err, domain: result.Domain, index: index}
	}
	return result.Err
}
