package link

import (
	"fmt"

	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"github.com/kuasheng/kuasheng/node/journal"
)

const (
	// inlineAnswer is the largest answer that travels inside a batch: a larger one would keep the others waiting.
	inlineAnswer = 16 << 10
	// inlineBytes bounds the answers of one message, which with the records of merged commits (below 1 MiB and one more of at most 1 MiB) and
	// the proof stays below the 4 MiB that the exchange takes.
	inlineBytes = 1 << 20
	// mergeBytes bounds how much of several waiting commits goes into one message.
	mergeBytes = 1 << 20
)

// Dispatch hands the replies of a commit to their streams, each stream its own at once: they share one proof. The journal's committer runs it.
func Dispatch(commit *segment.Commit) {
	var b batch
	var s *session
	flush := func() {
		if s != nil {
			s.push(b)
		}
	}
	for i := range commit.Entries {
		e := &commit.Entries[i]
		r, ok := e.Tag.(*Reply)
		if !ok {
			continue
		}
		if r.session != s {
			// Streams follow one another and end their work first: two in one commit are the exception.
			flush()
			s, b = r.session, batch{commit: commit}
		}
		r.index, r.record = e.Index, e.Record
		b.replies = append(b.replies, r)
	}
	flush()
}

// Failed ends the streams whose replies the journal could not write. The journal's committer runs it.
func Failed(entries []segment.Entry, err error) {
	for i := range entries {
		if r, ok := entries[i].Tag.(*Reply); ok {
			r.Failed(fmt.Errorf("%w: %w", journal.ErrUnavailable, err))
		}
	}
}

func (s *session) push(b batch) {
	s.mu.Lock()
	s.queue = append(s.queue, b)
	s.mu.Unlock()
	for range b.replies {
		s.replies.Done()
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// send writes to the stream until the session ends.
func (s *session) send() error {
	for {
		select {
		case <-s.wake:
			for {
				batches := s.pop()
				if len(batches) == 0 {
					break
				}
				if err := s.sendBatch(batches); err != nil {
					return err
				}
			}
		case m := <-s.control:
			if err := s.stream.Send(m); err != nil {
				return fmt.Errorf("sending to the exchange: %w", err)
			}
		case <-s.ctx.Done():
			return nil
		}
	}
}

func (s *session) pop() []batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.queue) && (n == 0 || size < mergeBytes) {
		for _, r := range s.queue[n].replies {
			size += len(r.record) + min(len(r.Payload), inlineAnswer)
		}
		n++
	}
	batches := s.queue[:n:n]
	s.queue = s.queue[n:]
	return batches
}

func (s *session) sendBatch(batches []batch) error {
	last := batches[len(batches)-1].commit
	m := &linkv1.AnswerBatch{Checkpoint: last.Checkpoint}
	var targets []int64
	var follow []*Reply
	inline := 0
	for _, b := range batches {
		for _, r := range b.replies {
			a := &linkv1.TicketAnswer{Index: r.index, Record: r.record, AnswerSalt: r.Salt}
			if inline += len(r.Payload); r.Large || len(r.Payload) > inlineAnswer || inline > inlineBytes {
				inline -= len(r.Payload)
				if r.Payload != nil {
					a.AnswerFollows = true
					follow = append(follow, r)
				}
			} else {
				a.Answer = r.Payload
			}
			m.Answers = append(m.Answers, a)
			targets = append(targets, r.index)
		}
	}
	size := last.Span.Size()
	proof, err := translog.ProveRange(s.sentSize, size, targets, func(level int, n int64) (translog.Hash, error) {
		if h, ok := last.Span.Node(level, n); ok {
			return h, nil
		}
		return s.client.cfg.Journal.Node(level, n)
	})
	if err != nil {
		return fmt.Errorf("proving answers: %w", err)
	}
	m.RangeHashes = evidence.JoinHashes(proof)
	if err := s.stream.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_Answers{Answers: m}}); err != nil {
		return fmt.Errorf("sending answers: %w", err)
	}
	s.sentSize = size
	for _, r := range follow {
		s.workers.Go(func() { s.sendPayload(r) })
	}
	return nil
}
