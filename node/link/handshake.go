package link

import (
	"errors"
	"fmt"

	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

var (
	// errHistory means that the exchange shows another history than before: restored from an old backup, or keeping two.
	errHistory = errors.New("the exchange's log contradicts what this node has accepted")
	// errJournalBehind means that this node's own journal was rolled back or replaced.
	errJournalBehind = errors.New("this node's journal was rolled back or replaced")
)

// handshake brings both sides to a common view of both logs. A node that is shown a log that does not extend the one it accepted attaches to
// nobody: either the exchange was restored from an old backup, or it keeps two histories.
func (s *session) handshake() error {
	accepted := s.client.accepted
	hello := &linkv1.Hello{
		Version: Version, Replica: s.client.cfg.Replica, JournalOrigin: s.client.cfg.Journal.Verifier().Name(),
		Accepted:       &linkv1.TreeState{Size: accepted.Size, RootHash: accepted.Root[:]},
		MaxOutstanding: int32(s.client.cfg.MaxOutstanding), Software: s.client.cfg.Software,
	}
	if err := s.stream.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_Hello{Hello: hello}}); err != nil {
		return s.status(err)
	}
	m, err := s.stream.Recv()
	if err != nil {
		return err
	}
	welcome := m.GetWelcome()
	switch {
	case welcome == nil:
		return fmt.Errorf("the exchange's first message is not a welcome")
	case welcome.GetVersion() != Version:
		return fmt.Errorf("the exchange speaks version %d of the link, this node version %d: update the older one", welcome.GetVersion(), Version)
	}
	if s.follower, err = follow(s, accepted, welcome.GetLog()); err != nil {
		return fmt.Errorf("%w: it does not extend the tree of size %d that this node accepted; do not go on before it is known why: %w", errHistory, accepted.Size, err)
	}
	return s.resumeJournal(welcome.GetJournalAccepted())
}

func follow(s *session, accepted translog.Checkpoint, r *linkv1.LogResume) (*translog.Follower, error) {
	consistency, err := evidence.HashesFromBytes(r.GetConsistencyHashes())
	if err != nil {
		return nil, err
	}
	edge, err := evidence.HashesFromBytes(r.GetEdgeHashes())
	if err != nil {
		return nil, err
	}
	return translog.Resume(s.client.cfg.ExchangeKey, accepted, r.GetCheckpoint(), consistency, edge)
}

// resumeJournal proves to the exchange that the journal extends what it accepted before.
func (s *session) resumeJournal(accepted *linkv1.TreeState) error {
	checkpoint, edge := s.client.cfg.Journal.State()
	size := accepted.GetSize()
	if size < 0 || size > edge.Size {
		return fmt.Errorf("%w: the exchange has accepted %d records of it and it holds %d; restore its newest copy", errJournalBehind, size, edge.Size)
	}
	r := &linkv1.LogResume{Checkpoint: checkpoint, EdgeHashes: evidence.HashesToBytes(edge.Hashes)}
	if size > 0 {
		proof, err := s.client.cfg.Journal.Consistency(size, edge.Size)
		if err != nil {
			return fmt.Errorf("proving consistency of the journal: %w", err)
		}
		r.ConsistencyHashes = evidence.HashesToBytes(proof)
	}
	s.resumed, s.sentSize = edge.Size, edge.Size
	if !s.joining.CompareAndSwap(false, true) {
		return errStopping
	}
	return s.status(s.stream.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_JournalResume{JournalResume: r}}))
}

// status returns the error that ended the stream: Send says only that it ended.
func (s *session) status(err error) error {
	if err == nil {
		return nil
	}
	if _, recv := s.stream.Recv(); recv != nil {
		return recv
	}
	return err
}
