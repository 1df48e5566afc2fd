package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

const (
	// MaxAnswer is the largest answer to a query: with its receipts it stays below the 4 MiB that gRPC clients take by default.
	MaxAnswer = 3 << 20
	// maxChunk is the largest chunk of a side stream: chunks hold whole rows, and a row may be as large as an answer.
	maxChunk = MaxAnswer
)

// SendAnswer takes the bytes of one large answer or export from the node that holds the ticket.
func (h *Hub) SendAnswer(stream linkv1.LinkService_SendAnswerServer, region string) error {
	m, err := stream.Recv()
	if err != nil {
		return fmt.Errorf("receiving answer: %w", err)
	}
	s, c, err := h.claimSide(region, m.GetHeader())
	if err != nil {
		return err
	}
	select {
	case <-c.begun:
	case <-c.done:
		return refusal.New(auditv1.Reason_REASON_CALLER_GONE, "the access has ended")
	case <-stream.Context().Done():
		return fmt.Errorf("receiving answer: %w", stream.Context().Err())
	}
	var n int64
	if c.Intent.GetMode() == auditv1.Mode_MODE_EXPORT {
		n, err = s.relay(stream, c)
	} else {
		n, err = s.collect(stream, c)
	}
	if err != nil {
		return err
	}
	return stream.SendAndClose(&linkv1.SendAnswerResponse{ReceivedBytes: n})
}

// claimSide finds the call that a side stream belongs to. Whoever sends must hold the ticket, and only the first stream counts.
func (h *Hub) claimSide(region string, header *linkv1.SendAnswerHeader) (*session, *Call, error) {
	if header == nil {
		return nil, nil, refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the first message must be a header")
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, s := range h.provinces[region] {
		c := s.claimed(header.GetIntentIndex())
		if c == nil || !bytes.Equal(c.leaf[:], header.GetIntentHash()) {
			continue
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.sideOpen {
			return nil, nil, refusal.New(auditv1.Reason_REASON_ALREADY_EXISTS, "another stream sends this answer")
		}
		c.sideOpen = true
		return s, c, nil
	}
	return nil, nil, refusal.New(auditv1.Reason_REASON_NOT_FOUND, "no request waits for this answer")
}

// relay passes an export's chunks on as fast as the caller takes them: nothing is kept.
func (s *session) relay(stream linkv1.LinkService_SendAnswerServer, c *Call) (total int64, err error) {
	pieces := receivePieces(stream)
	for {
		var next piece
		select {
		case next = <-pieces:
		case <-c.gone:
			return total, refusal.New(auditv1.Reason_REASON_CALLER_GONE, "the caller has gone")
		case <-c.done:
			return total, refusal.New(auditv1.Reason_REASON_CALLER_GONE, "the access has ended")
		}
		chunk, err := next.chunk, next.err
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		select {
		case c.chunks <- chunk:
		case <-c.gone:
			return total, refusal.New(auditv1.Reason_REASON_CALLER_GONE, "the caller has gone")
		case <-c.done:
			return total, refusal.New(auditv1.Reason_REASON_CALLER_GONE, "the access has ended")
		case <-stream.Context().Done():
			return total, fmt.Errorf("relaying answer: %w", stream.Context().Err())
		}
		total += int64(len(chunk.GetData()))
		c.mu.Lock()
		c.relayed = total
		c.mu.Unlock()
	}
}

// collect takes the bytes of a large answer and ends the call. The memory for it is reserved before the first byte is taken.
func (s *session) collect(stream linkv1.LinkService_SendAnswerServer, c *Call) (int64, error) {
	size := c.head.Answer.GetAnswerBytes()
	if size < 0 || size > MaxAnswer {
		s.forget(c.index)
		s.hub.end(c, Result{Err: refusal.New(auditv1.Reason_REASON_ANSWER_TOO_LARGE, "the answer is too large for one message; use ExportResource"), Evidence: c.head}, auditv1.Result_RESULT_FAILED)
		return 0, refusal.New(auditv1.Reason_REASON_ANSWER_TOO_LARGE, "the answer has %d bytes, at most %d fit a message", size, MaxAnswer)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() { // ends with the collection
		select {
		case <-c.gone:
		case <-c.done:
		case <-ctx.Done():
		}
		cancel()
	}()
	if err := s.side.Acquire(ctx, size); err != nil {
		return 0, s.cutOff(c, err)
	}
	defer s.side.Release(size)
	pieces := receivePieces(stream)
	payload := make([]byte, 0, size)
	for {
		var chunk *linkv1.SendAnswerChunk
		var err error
		select {
		case p := <-pieces:
			chunk, err = p.chunk, p.err
		case <-ctx.Done():
			err = ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, s.cutOff(c, err)
		}
		if int64(len(payload)+len(chunk.GetData())) > size {
			err := s.invalid("the answer to intent %d is longer than the journal says", c.index)
			s.cancel(err)
			return 0, err
		}
		payload = append(payload, chunk.GetData()...)
	}
	digest := evidence.AnswerDigest(c.head.AnswerSalt, c.head.Answer.GetMediaType(), payload)
	if !bytes.Equal(digest, c.head.Answer.GetAnswerDigest()) {
		err := s.invalid("the answer to intent %d is not the one that the journal holds", c.index)
		s.cancel(err)
		return 0, err
	}
	s.forget(c.index)
	s.hub.end(c, Result{Evidence: c.head, Payload: payload}, auditv1.Result_RESULT_ANSWERED)
	return size, nil
}

// cutOff ends a call whose bytes did not come whole. Its record says that they left the province: if the caller has gone that is its outcome,
// otherwise the access stays interrupted until the replica attaches anew and is asked.
func (s *session) cutOff(c *Call, cause error) error {
	s.forget(c.index)
	result := auditv1.Result_RESULT_INTERRUPTED
	select {
	case <-c.gone:
		result = auditv1.Result_RESULT_ANSWERED
	default:
	}
	lost := refusal.New(auditv1.Reason_REASON_NODE_LOST, "the answer's bytes did not come whole; its journal holds the record of it")
	s.hub.end(c, Result{Err: lost, Evidence: c.head}, result)
	return fmt.Errorf("collecting answer: %w", cause)
}

// piece is what one look at a side stream brought.
type piece struct {
	chunk *linkv1.SendAnswerChunk
	err   error
}

// receivePieces reads a stream in a goroutine of its own, so that its reader can give up: a node that sends nothing must not hold memory. The
// goroutine ends with the RPC.
func receivePieces(stream linkv1.LinkService_SendAnswerServer) <-chan piece {
	pieces := make(chan piece)
	go func() {
		for {
			chunk, err := nextChunk(stream)
			select {
			case pieces <- piece{chunk, err}:
			case <-stream.Context().Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return pieces
}

func nextChunk(stream linkv1.LinkService_SendAnswerServer) (*linkv1.SendAnswerChunk, error) {
	m, err := stream.Recv()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("receiving answer: %w", err)
	}
	chunk := m.GetChunk()
	if chunk == nil || len(chunk.GetData()) > maxChunk {
		return nil, refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "after the header come chunks of at most %d bytes", maxChunk)
	}
	return chunk, nil
}
