package link

import (
	"context"
	"fmt"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"golang.org/x/mod/sumdb/note"
)

// handshake brings both sides to a common view of both logs: Hello up, Welcome down, Resume up.
func (s *session) handshake(ctx context.Context, messages <-chan received) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	first, err := next(ctx, messages)
	if err != nil {
		return err
	}
	hello := first.GetHello()
	switch {
	case hello == nil:
		return refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the first message must be a hello")
	case hello.GetVersion() != Version:
		return refusal.New(auditv1.Reason_REASON_VERSION_MISMATCH, "the node speaks version %d of the link, the exchange version %d: update the older one", hello.GetVersion(), Version)
	case hello.GetMaxOutstanding() < 1 || hello.GetMaxOutstanding() > maxOutstanding:
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "max_outstanding", "max_outstanding must be from 1 to %d", maxOutstanding)
	case len(hello.GetReplica()) == 0 || len(hello.GetReplica()) > 64:
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "replica", "the name of the replica must have 1 to 64 bytes")
	case ident.ContainsCitizenID(hello.GetReplica()):
		// It is logged and shown to everybody.
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "replica", "the name of the replica must not contain an identity number")
	}
	s.replica, s.origin, s.maxOutstanding = hello.GetReplica(), hello.GetJournalOrigin(), int(hello.GetMaxOutstanding())
	verifier, ok := s.hub.cfg.Journal(s.region, s.origin)
	if !ok {
		return refusal.About(auditv1.Reason_REASON_NOT_FOUND, "journal_origin", "no key of this journal is registered for province %s: register the verifier key that `node init` printed", s.region)
	}
	if err := s.hub.displace(ctx, s.region, s.origin); err != nil {
		return err
	}
	log, err := s.resumeLog(hello.GetAccepted())
	if err != nil {
		return err
	}
	remembered, err := s.remembered(ctx, verifier)
	if err != nil {
		return err
	}
	welcome := &linkv1.Welcome{
		Version: Version, Log: log,
		JournalAccepted: &linkv1.TreeState{Size: remembered.Size, RootHash: remembered.Root[:]},
	}
	if err := s.stream.Send(&linkv1.AttachResponse{Message: &linkv1.AttachResponse_Welcome{Welcome: welcome}}); err != nil {
		return fmt.Errorf("welcoming node: %w", err)
	}
	second, err := next(ctx, messages)
	if err != nil {
		return err
	}
	return s.followJournal(verifier, remembered, second.GetJournalResume())
}

func next(ctx context.Context, messages <-chan received) (*linkv1.AttachRequest, error) {
	select {
	case r := <-messages:
		if r.err != nil {
			return nil, fmt.Errorf("receiving from node: %w", r.err)
		}
		return r.message, nil
	case <-ctx.Done():
		return nil, refusal.New(auditv1.Reason_REASON_DEADLINE_EXCEEDED, "the handshake was not finished within %v", handshakeTimeout)
	}
}

// resumeLog proves to the node that the exchange's log extends what the node accepted before.
func (s *session) resumeLog(accepted *linkv1.TreeState) (*linkv1.LogResume, error) {
	checkpoint, edge := s.hub.cfg.Log().State()
	size := accepted.GetSize()
	if size < 0 || size > edge.Size {
		// The node remembers a larger tree than this log has: the log was restored from an old backup, or is another one. Going on
		// would sign a second history. What the node says is not signed by us, so that no node can stop the exchange by saying it: people
		// have to look, at once.
		s.hub.cfg.Logger.Error("a node has accepted more of the access log than this exchange has: was the log rolled back?", "region", s.region, "replica", s.replica, "node_accepted", size, "records", edge.Size)
		return nil, refusal.New(auditv1.Reason_REASON_RULE_VIOLATED, "the node has accepted a checkpoint of size %d and this exchange's log has only %d records: the log was rolled back or replaced; do not continue it, restore the newest copy", size, edge.Size)
	}
	r := &linkv1.LogResume{Checkpoint: checkpoint, EdgeHashes: evidence.HashesToBytes(edge.Hashes)}
	if size > 0 {
		proof, err := s.hub.cfg.Log().Consistency(size, edge.Size)
		if err != nil {
			return nil, fmt.Errorf("proving consistency to node: %w", err)
		}
		r.ConsistencyHashes = evidence.HashesToBytes(proof)
	}
	s.sentSize, s.attachedAt = edge.Size, edge.Size
	return r, nil
}

func (s *session) remembered(ctx context.Context, v note.Verifier) (translog.Checkpoint, error) {
	signed, err := s.hub.cfg.Remembered.Accepted(ctx, s.origin)
	if err != nil {
		return translog.Checkpoint{}, fmt.Errorf("reading remembered journal checkpoint: %w", err)
	}
	if signed == nil {
		return translog.Follow(v).Checkpoint(), nil
	}
	cp, err := translog.OpenCheckpoint(signed, v)
	if err != nil {
		// The key was replaced under the same origin: that would let a province start its journal afresh unseen.
		return translog.Checkpoint{}, refusal.About(auditv1.Reason_REASON_RULE_VIOLATED, "journal_origin", "the journal's registered key is not the one that signed its earlier checkpoints; a new key needs a new replica name")
	}
	return cp, nil
}

// followJournal checks that the journal extends what the exchange accepted before.
func (s *session) followJournal(v note.Verifier, remembered translog.Checkpoint, r *linkv1.LogResume) error {
	if r == nil {
		return refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the second message must say how the journal resumes")
	}
	consistency, err := evidence.HashesFromBytes(r.GetConsistencyHashes())
	if err != nil {
		return refusal.About(auditv1.Reason_REASON_MESSAGE_MALFORMED, "consistency_hashes", "%v", err)
	}
	edge, err := evidence.HashesFromBytes(r.GetEdgeHashes())
	if err != nil {
		return refusal.About(auditv1.Reason_REASON_MESSAGE_MALFORMED, "edge_hashes", "%v", err)
	}
	s.follower, err = translog.Resume(v, remembered, r.GetCheckpoint(), consistency, edge)
	if err != nil {
		s.hub.cfg.Logger.Error("journal does not extend what was accepted", "region", s.region, "replica", s.replica, "remembered", remembered.Size, "error", err)
		return refusal.About(auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, "journal_resume", "the journal does not extend the one of size %d that the exchange accepted: it was rolled back or replaced; restore its newest copy", remembered.Size)
	}
	s.signed, s.resumed = r.GetCheckpoint(), s.follower.Checkpoint()
	return nil
}
