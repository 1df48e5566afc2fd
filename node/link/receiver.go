package link

import (
	"context"
	"fmt"

	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// takeTickets checks that a batch is in the exchange's log and starts the work of each ticket. If the proof does not hold, no ticket of the
// batch is answered: each refusal goes on record, and the stream ends, because nothing more on it can be told from a lie.
func (s *session) takeTickets(m *linkv1.TicketBatch) error {
	leaves := make([]translog.Leaf, len(m.GetTickets()))
	for i, t := range m.GetTickets() {
		leaves[i] = translog.Leaf{Index: t.GetIndex(), Hash: translog.LeafHash(t.GetRecord())}
	}
	proof, err := evidence.SplitHashes(m.GetRangeHashes())
	if err == nil {
		_, err = s.follower.Accept(m.GetCheckpoint(), leaves, proof)
	}
	if err != nil {
		for i, t := range m.GetTickets() {
			s.client.cfg.Handler.Distrust(t, err, &Reply{session: s, intent: intent{t.GetIndex(), leaves[i].Hash}})
		}
		return fmt.Errorf("the exchange's proof does not hold: %w", err)
	}
	log := s.follower.Checkpoint()
	for i, t := range m.GetTickets() {
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
		reply := &Reply{session: s, intent: intent{t.GetIndex(), leaves[i].Hash}}
		s.workers.Go(func() {
			defer func() { <-s.slots }()
			s.client.cfg.Handler.Handle(s.ctx, t, log, reply)
		})
	}
	return nil
}

// takeInquiry says what the journal holds about intents that the exchange has no outcome of.
func (s *session) takeInquiry(m *linkv1.Inquiry) error {
	hashes := make([][]byte, len(m.GetIntents()))
	for i, in := range m.GetIntents() {
		hashes[i] = in.GetHash()
	}
	intents, err := evidence.HashesFromBytes(hashes)
	if err != nil {
		return fmt.Errorf("the exchange's inquiry: %w", err)
	}
	found, err := s.client.cfg.Journal.Find(intents, s.resumed)
	if err != nil {
		return fmt.Errorf("answering an inquiry: %w", err)
	}
	reply := &linkv1.InquiryReply{Id: m.GetId()}
	for i, f := range found {
		reply.Findings = append(reply.Findings, &linkv1.InquiryFinding{
			IntentIndex: m.GetIntents()[i].GetIndex(), Record: f.Record, Index: f.Index, InclusionHashes: evidence.HashesToBytes(f.Inclusion),
		})
	}
	select {
	case s.control <- &linkv1.AttachRequest{Message: &linkv1.AttachRequest_InquiryReply{InquiryReply: reply}}:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}
