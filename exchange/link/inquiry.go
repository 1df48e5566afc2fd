package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kuasheng/kuasheng/exchange/accesslog"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// maxInquiry is how many intents one inquiry names.
const maxInquiry = 1000

// inquired is an intent that the node was asked about.
type inquired struct {
	index int64
	leaf  translog.Hash
}

// inquire asks a replica that has just attached what its journal says about every intent that was meant for it and has no outcome: the exchange or
// the node crashed, or the link broke. Calls of this session come later in the log and are not asked about. While the log's index is too far
// behind to tell, the question waits for the session's next look around.
func (s *session) inquire(ctx context.Context, after int64) error {
	pending, err := s.hub.cfg.Log().Pending(s.origin, s.attachedAt, after, maxInquiry)
	s.asking = errors.Is(err, accesslog.ErrBehind)
	if s.asking {
		s.hub.cfg.Logger.Warn("accesses without an outcome cannot be looked for yet", "region", s.region, "replica", s.replica, "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding accesses without an outcome: %w", err)
	}
	if len(pending) == 0 {
		return nil
	}
	last := pending[len(pending)-1].Index
	pending = slices.DeleteFunc(pending, func(p accesslog.PendingIntent) bool { return s.hub.movedFrom(s.origin, p.Index) })
	if len(pending) == 0 {
		return s.inquire(ctx, last)
	}
	s.mu.Lock()
	s.lastInquiry++
	m := &linkv1.Inquiry{Id: s.lastInquiry}
	asked := make([]inquired, 0, len(pending))
	for _, p := range pending {
		asked = append(asked, inquired{p.Index, p.Leaf})
		m.Intents = append(m.Intents, &linkv1.InquiredIntent{Index: p.Index, Hash: p.Leaf[:]})
	}
	s.inquiries[m.GetId()] = asked
	s.mu.Unlock()
	return s.enqueue(ctx, &linkv1.AttachResponse{Message: &linkv1.AttachResponse_Inquiry{Inquiry: m}})
}

// takeInquiryReply appends the outcome of every access that the journal tells about, and asks on.
func (s *session) takeInquiryReply(ctx context.Context, m *linkv1.InquiryReply) error {
	s.mu.Lock()
	asked, ok := s.inquiries[m.GetId()]
	delete(s.inquiries, m.GetId())
	s.mu.Unlock()
	if !ok || len(asked) != len(m.GetFindings()) {
		return s.invalid("an inquiry reply that does not fit what was asked")
	}
	for i, f := range m.GetFindings() {
		outcome, err := s.recovered(asked[i], f)
		if err != nil {
			return err
		}
		s.hub.cfg.Log().LateOutcome(outcome)
	}
	return s.inquire(ctx, asked[len(asked)-1].index)
}

// recovered turns what the journal says about one intent into its outcome.
func (s *session) recovered(asked inquired, f *linkv1.InquiryFinding) (*auditv1.Outcome, error) {
	o := &auditv1.Outcome{IntentIndex: asked.index, JournalOrigin: s.origin}
	if f.GetIntentIndex() != asked.index {
		return nil, s.invalid("an inquiry reply about intent %d where %d was asked", f.GetIntentIndex(), asked.index)
	}
	if len(f.GetRecord()) == 0 {
		o.Result, o.Reason = auditv1.Result_RESULT_RECOVERED_NOT_ANSWERED, auditv1.Reason_REASON_NODE_LOST
		return o, nil
	}
	path, err := evidence.HashesFromBytes(f.GetInclusionHashes())
	if err != nil {
		return nil, s.invalid("inclusion_hashes: %v", err)
	}
	leaf := translog.LeafHash(f.GetRecord())
	if err := translog.VerifyInclusion(f.GetIndex(), s.resumed.Size, leaf, path, s.resumed.Root); err != nil {
		return nil, s.invalid("the journal's record of intent %d is not proven: %v", asked.index, err)
	}
	record, err := evidence.DecodeRecord(f.GetRecord())
	if err != nil {
		return nil, s.invalid("the journal's record of intent %d: %v", asked.index, err)
	}
	answer := record.GetAnswer()
	if !bytes.Equal(answer.GetIntentHash(), asked.leaf[:]) {
		return nil, s.invalid("the journal's record of intent %d cites another one", asked.index)
	}
	o.JournalIndex, o.AnswerHash, o.Reason = f.GetIndex(), leaf[:], answer.GetReason()
	o.RowCount, o.FieldsMasked, o.AnswerBytes = answer.GetRowCount(), answer.GetFieldsMasked(), answer.GetAnswerBytes()
	switch answer.GetState() {
	case auditv1.AnswerState_ANSWER_STATE_REFUSED:
		o.Result = auditv1.Result_RESULT_REFUSED_BY_NODE
	case auditv1.AnswerState_ANSWER_STATE_FAILED:
		o.Result = auditv1.Result_RESULT_FAILED
	case auditv1.AnswerState_ANSWER_STATE_STREAM_CUT:
		o.Result = auditv1.Result_RESULT_CUT
	default:
		o.Result = auditv1.Result_RESULT_RECOVERED_ANSWERED
	}
	return o, nil
}
