package node

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/node/journal"
	"github.com/kuasheng/kuasheng/node/link"
	"github.com/kuasheng/kuasheng/node/policy"
	"github.com/kuasheng/kuasheng/node/source"
	"github.com/kuasheng/kuasheng/node/ticket"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	mediaJSON  = "application/json"
	mediaLines = "application/jsonl"
	// maxAnswer is the largest answer in one piece that the exchange takes.
	maxAnswer = 3 << 20
)

// handler answers tickets: steps 5 and 6 of the life of a query. Tickets run side by side, each in its own goroutine.
type handler struct {
	origin  string // of the exchange's log
	tickets *ticket.Checker
	journal *journal.Journal
	serving func() *serving // what the node's file says now
	metrics *metrics
	logger  *slog.Logger
	now     func() time.Time
}

// serving is what one version of the node's file says. It never changes; a changed file makes a new one.
type serving struct {
	sources *source.Set
	policy  *policy.Policy
	codes   map[string]resourceInfo // by resource name
}

type resourceInfo struct {
	code          string
	subject       string // name of the parameter that names the subject; empty where none does
	subjectFormat string
}

// Handle answers one ticket whose record the exchange's log proves.
func (h *handler) Handle(ctx context.Context, t *linkv1.Ticket, log translog.Checkpoint, reply *link.Reply) {
	a := &auditv1.Answer{
		ExchangeOrigin: h.origin, ExchangeTreeSize: log.Size, ExchangeRootHash: log.Root[:],
		IntentIndex: t.GetIndex(),
	}
	hash := translog.LeafHash(t.GetRecord())
	a.IntentHash = hash[:]
	ctx, span := startSpan(ctx, t.GetTraceparent())
	defer span.End()

	// 5. Ticket and veto.
	accepted, err := h.tickets.Check(t)
	if err != nil {
		h.refuse(a, err, reply)
		return
	}
	s := h.serving()
	info, ok := s.codes[accepted.Intent.GetResource()]
	if !ok {
		h.refuse(a, refusal.New(auditv1.Reason_REASON_RESOURCE_NOT_SERVED, ""), reply)
		return
	}
	if subject, ok := accepted.Parameters[info.subject]; ok && info.subject != "" {
		a.SubjectPseudonym = s.policy.Pseudonym(info.subjectFormat, subject)
	}
	if err := s.policy.Veto(info.code, accepted.Intent); err != nil {
		h.refuse(a, err, reply)
		return
	}

	// 6. Query, record, answer.
	ctx, cancel := context.WithTimeout(ctx, accepted.Timeout)
	defer cancel()
	req := source.Request{Resource: info.code, Fields: accepted.Intent.GetFields(), Parameters: accepted.Parameters}
	if accepted.Intent.GetMode() == auditv1.Mode_MODE_EXPORT {
		h.export(ctx, s, a, accepted, req, reply)
		return
	}
	h.query(ctx, s, a, req, reply)
}

// Distrust refuses a ticket whose proof does not hold.
func (h *handler) Distrust(t *linkv1.Ticket, cause error, reply *link.Reply) {
	hash := translog.LeafHash(t.GetRecord())
	a := &auditv1.Answer{ExchangeOrigin: h.origin, IntentIndex: t.GetIndex(), IntentHash: hash[:]}
	reason := auditv1.Reason_REASON_TICKET_PROOF_INVALID
	if errors.Is(cause, translog.ErrCheckpoint) {
		reason = auditv1.Reason_REASON_TICKET_SIGNATURE_INVALID
	}
	h.refuse(a, refusal.New(reason, ""), reply)
}

func (h *handler) query(ctx context.Context, s *serving, a *auditv1.Answer, req source.Request, reply *link.Reply) {
	started := h.now()
	answer, err := s.sources.Query(ctx, req)
	a.SourceDuration = durationpb.New(h.now().Sub(started))
	if err == nil && len(answer.JSON) > maxAnswer {
		err = source.ErrAnswerTooLarge
	}
	if err != nil {
		h.fail(a, err, reply)
		return
	}
	reply.Salt, reply.Payload = evidence.NewSalt(), answer.JSON
	a.State = auditv1.AnswerState_ANSWER_STATE_ANSWERED
	a.MediaType = mediaJSON
	a.AnswerDigest = evidence.AnswerDigest(reply.Salt, mediaJSON, answer.JSON)
	a.AnswerBytes = int64(len(answer.JSON))
	a.FieldsReleased, a.FieldsMasked, a.RowCount = req.Fields, answer.Masked, int64(answer.Rows)
	h.add(a, reply)
}

// refuse records that the node will not answer, and says so to the exchange. The reason goes with it and the words of the province's policy, and no
// words of ours: they might quote what they should not.
func (h *handler) refuse(a *auditv1.Answer, err error, reply *link.Reply) {
	r, ok := refusal.Of(err)
	if !ok {
		h.fail(a, err, reply)
		return
	}
	a.State, a.Reason, a.SubjectOfRefusal = auditv1.AnswerState_ANSWER_STATE_REFUSED, r.Reason, r.Subject
	if r.Reason == auditv1.Reason_REASON_POLICY_DENIED {
		a.PolicyReason = r.Detail
	}
	if strings.HasPrefix(refusal.Name(r.Reason), "TICKET_") {
		h.logger.Error("ticket refused", "intent", a.GetIntentIndex(), "reason", refusal.Name(r.Reason), "detail", r.Detail)
	}
	h.add(a, reply)
}

// fail records that the node could not answer.
func (h *handler) fail(a *auditv1.Answer, err error, reply *link.Reply) {
	a.State = auditv1.AnswerState_ANSWER_STATE_FAILED
	a.Reason, a.SubjectOfRefusal = sourceReason(err)
	switch a.Reason {
	case auditv1.Reason_REASON_MAPPING_BROKEN, auditv1.Reason_REASON_INTERNAL:
		h.logger.Error("query failed", "intent", a.GetIntentIndex(), "reason", refusal.Name(a.Reason), "error", err)
	case auditv1.Reason_REASON_PARAMETER_INVALID, auditv1.Reason_REASON_PARAMETER_MISSING, auditv1.Reason_REASON_PARAMETER_UNKNOWN, auditv1.Reason_REASON_FIELD_UNKNOWN:
		a.State = auditv1.AnswerState_ANSWER_STATE_REFUSED
	}
	h.add(a, reply)
}

// add puts the record into the journal; once it is durable the link sends the reply. If it cannot be written nothing leaves, and the
// stream ends.
func (h *handler) add(a *auditv1.Answer, reply *link.Reply) {
	h.metrics.answered(a)
	reply.Adding()
	if err := h.journal.Add(a, reply); err != nil {
		h.logger.Error("answer was not recorded and is not sent", "intent", a.GetIntentIndex(), "error", err)
		reply.Failed(err)
	}
}

// sourceReason turns a source's error into a reason and the name it is about.
func sourceReason(err error) (auditv1.Reason, string) {
	var p *source.ParameterError
	var f *source.FieldError
	switch {
	case errors.As(err, &p):
		return auditv1.Reason_REASON_PARAMETER_INVALID, p.Name
	case errors.As(err, &f):
		return auditv1.Reason_REASON_FIELD_UNKNOWN, f.Name
	case errors.Is(err, source.ErrUnknownResource):
		return auditv1.Reason_REASON_RESOURCE_NOT_SERVED, ""
	case errors.Is(err, source.ErrExportOnly), errors.Is(err, source.ErrNotExported), errors.Is(err, source.ErrNotResumable):
		return auditv1.Reason_REASON_MODE_NOT_OFFERED, ""
	case errors.Is(err, source.ErrTooManyRows):
		return auditv1.Reason_REASON_TOO_MANY_ROWS, ""
	case errors.Is(err, source.ErrAnswerTooLarge):
		return auditv1.Reason_REASON_ANSWER_TOO_LARGE, ""
	case errors.Is(err, source.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return auditv1.Reason_REASON_SOURCE_TIMEOUT, ""
	case errors.Is(err, context.Canceled):
		return auditv1.Reason_REASON_CALLER_GONE, ""
	case errors.Is(err, source.ErrBusy):
		return auditv1.Reason_REASON_SOURCE_BUSY, ""
	case errors.Is(err, source.ErrUnavailable):
		return auditv1.Reason_REASON_SOURCE_UNAVAILABLE, ""
	case errors.Is(err, source.ErrMapping):
		return auditv1.Reason_REASON_MAPPING_BROKEN, ""
	default:
		return auditv1.Reason_REASON_INTERNAL, ""
	}
}
