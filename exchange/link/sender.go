package link

import (
	"context"
	"fmt"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"google.golang.org/protobuf/types/known/durationpb"
)

// mergeBytes bounds how much of several waiting commits goes into one message: a message is one signature check for the node, and larger
// ones no longer save anything. One commit is never split.
const mergeBytes = 1 << 20

// send packs and sends what is queued until the session ends, or ends it with what went wrong.
func (s *session) send(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case m := <-s.control:
			if err := s.stream.Send(m); err != nil {
				s.cancel(fmt.Errorf("sending to node: %w", err))
				return
			}
		case <-ctx.Done():
			return
		}
		for {
			batches := s.pop()
			if len(batches) == 0 {
				break
			}
			err := s.sendBatch(batches)
			s.mu.Lock()
			s.sending = false
			s.mu.Unlock()
			if err != nil {
				s.cancel(err)
				return
			}
		}
	}
}

// pop takes the oldest commits that together stay under mergeBytes, at least one.
func (s *session) pop() []batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.queue) && (n == 0 || size < mergeBytes) {
		for _, c := range s.queue[n].calls {
			size += len(c.record)
			for name, value := range c.Parameters {
				size += len(name) + len(value)
			}
		}
		n++
	}
	batches := s.queue[:n:n]
	s.queue = s.queue[n:]
	if len(s.queue) == 0 {
		s.queue = nil
	}
	s.sending = n > 0
	return batches
}

func (s *session) sendBatch(batches []batch) error {
	now := s.hub.cfg.Now()
	last := batches[len(batches)-1].commit
	m := &linkv1.TicketBatch{Checkpoint: last.Checkpoint}
	var targets []int64
	for _, b := range batches {
		for _, c := range b.calls {
			if s.claim(c, now) {
				m.Tickets = append(m.Tickets, &linkv1.Ticket{
					Index: c.index, Record: c.record, ParametersSalt: c.ParametersSalt, Parameters: c.Parameters,
					Timeout: durationpb.New(nodeTimeout(c.Deadline.Sub(now))), AnswerSalt: c.AnswerSalt, Traceparent: c.Traceparent,
				})
				targets = append(targets, c.index)
			}
		}
	}
	if len(targets) == 0 {
		return nil
	}
	size := last.Span.Size()
	proof, err := translog.ProveRange(s.sentSize, size, targets, func(level int, n int64) (translog.Hash, error) {
		if h, ok := last.Span.Node(level, n); ok {
			return h, nil
		}
		return s.hub.cfg.Log().Node(level, n)
	})
	if err != nil {
		return fmt.Errorf("proving tickets: %w", err)
	}
	m.RangeHashes = evidence.JoinHashes(proof)
	if err := s.stream.Send(&linkv1.AttachResponse{Message: &linkv1.AttachResponse_Tickets{Tickets: m}}); err != nil {
		return fmt.Errorf("sending tickets: %w", err)
	}
	s.sentSize = size
	return nil
}

// claim marks a call as sent, which it counts as from here on whatever the stream does; false if it need not be sent any more.
func (s *session) claim(c *Call, now time.Time) bool {
	c.mu.Lock()
	gone := c.abandoned != auditv1.Reason_REASON_UNSPECIFIED || !now.Before(c.Deadline)
	if !gone {
		c.state = callSent
	}
	c.mu.Unlock()
	if gone {
		s.hub.end(c, Result{Err: refusal.New(auditv1.Reason_REASON_DEADLINE_EXCEEDED, "the deadline passed before the request was sent")}, auditv1.Result_RESULT_NOT_SENT)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outstanding[c.index] = c
	return true
}

// nodeTimeout is a little shorter than the caller's deadline, so that the node reports a slow source itself, with its record.
func nodeTimeout(left time.Duration) time.Duration {
	return left - min(left/10, 200*time.Millisecond)
}

// claimed returns a call that was sent and has not ended.
func (s *session) claimed(index int64) *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outstanding[index]
}

// forget takes an ended call out.
func (s *session) forget(index int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.outstanding, index)
}
