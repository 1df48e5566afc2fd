package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/kuasheng/kuasheng/exchange/decision"
	"github.com/kuasheng/kuasheng/exchange/link"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

const (
	// queryTime is the deadline of a query that states none, and the longest one that counts: a person at a window waits no longer.
	queryTime, longestQuery = 30 * time.Second, 60 * time.Second
	// exportTime is the same for exports.
	exportTime, longestExport = time.Hour, 6 * time.Hour
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
	caller, now := callerFrom(ctx), s.now()
	if err := checkTexts(a); err != nil {
		return nil, err
	}
	request := decision.Request{
		Requester: caller.ID.String(), Resource: a.resource, Fields: a.fields, Parameters: a.parameters, Purpose: a.purpose, Mode: a.mode,
	}
	permit, refused := s.decider.Decide(now, request)
	call := link.NewCall()
	call.Region, call.Parameters, call.ParametersSalt = permit.Region, a.parameters, evidence.NewSalt()
	call.Received = now
	call.Deadline, _ = ctx.Deadline()
	call.Intent = intent(caller, a, permit, call.ParametersSalt)
	call.Intent.TraceId, call.Traceparent = traceOf(ctx)
	if a.resume != nil {
		call.AnswerSalt = a.resume.GetAnswerSalt()
	}
	call.Reconsider = func(intent *auditv1.Intent) error {
		if _, err := s.authenticate(ctx, a.method); err != nil {
			return err
		}
		again, err := s.decider.Reconsider(s.now(), request)
		rests(intent, again)
		return err
	}
	if refused == nil {
		if refused = s.start(ctx, call); refused == nil {
			return call, nil
		}
		s.decider.Return(permit)
	}
	return nil, s.refuseIntent(ctx, call.Intent, refused)
}

// start puts the intent on record, waiting a moment for a province whose node has just gone. What was granted may have been revoked while it
// waited, so the decision is made again.
func (s *queryService) start(ctx context.Context, call *link.Call) error {
	r := s.hub.Begin(call)
	if r != nil && r.Reason == auditv1.Reason_REASON_NODE_NOT_ATTACHED && s.hub.Await(ctx, call.Region) {
		if err := call.Reconsider(call.Intent); err != nil {
			return err
		}
		r = s.hub.Begin(call)
	}
	if r != nil {
		return r
	}
	return nil
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
	asked := intent.GetFields()
	fields := make([]string, min(len(asked), maxFieldsRefused))
	for i := range fields {
		fields[i] = decision.Recordable(asked[i])
	}
	intent.Fields = fields
	index, err := s.putRefusal(ctx, intent, r)
	if err != nil {
		return err
	}
	return &recorded{cause: r, index: index}
}

func intent(caller Caller, a ask, p decision.Permit, salt []byte) *auditv1.Intent {
	i := &auditv1.Intent{
		Caller: caller.Record(), Method: a.method, Verdict: auditv1.Verdict_VERDICT_PERMITTED, Mode: a.mode,
		Resource: wellFormedResource(a.resource), Fields: a.fields, Purpose: a.purpose,
		Operator: a.operator, RequestId: a.requestID, ParametersDigest: evidence.ParametersDigest(salt, a.parameters), FromRow: a.resume.GetRows(),
	}
	rests(i, p)
	return i
}

// rests writes into an intent what its decision rests on.
func rests(i *auditv1.Intent, p decision.Permit) {
	i.Grant, i.ResourceRevision, i.GrantRevision = p.Grant.GetName(), p.Resource.GetRevision(), p.Grant.GetRevision()
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
