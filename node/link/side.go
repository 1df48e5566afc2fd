package link

import (
	"context"
	"errors"
	"fmt"
	"io"

	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
)

// chunk is the size of a side stream's messages for answers in one piece.
const chunk = 128 << 10

// sendPayload sends one large answer on a stream of its own. If that fails the exchange ends the call; the journal holds the answer's
// record either way.
func (s *session) sendPayload(r *Reply) {
	side, err := r.Stream(s.ctx)
	for rest := r.Payload; err == nil && len(rest) > 0; {
		n := min(len(rest), chunk)
		err = side.Send(rest[:n], 0)
		rest = rest[n:]
	}
	if err == nil {
		err = side.Close()
	}
	if err != nil && s.ctx.Err() == nil {
		s.client.cfg.Logger.Warn("large answer was not taken", "intent", r.intent.index, "error", err)
	}
}

// SideStream carries the bytes of one answer.
type SideStream struct {
	stream linkv1.LinkService_SendAnswerClient
	cancel context.CancelFunc
}

// Stream opens the side stream of a ticket.
func (r *Reply) Stream(ctx context.Context) (*SideStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := r.session.api.SendAnswer(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("opening a side stream: %w", err)
	}
	header := &linkv1.SendAnswerHeader{IntentIndex: r.intent.index, IntentHash: r.intent.hash[:]}
	side := &SideStream{stream: stream, cancel: cancel}
	return side, side.send(&linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Header{Header: header}})
}

// Send sends bytes; it waits while the caller at the far end does not take them.
func (side *SideStream) Send(data []byte, rows int64) error {
	return side.send(&linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Chunk{Chunk: &linkv1.SendAnswerChunk{Data: data, RowCount: rows}}})
}

func (side *SideStream) send(m *linkv1.SendAnswerRequest) error {
	err := side.stream.Send(m)
	if errors.Is(err, io.EOF) {
		// The exchange ended the stream; Recv says why.
		_, err = side.stream.CloseAndRecv()
		if err == nil {
			err = errors.New("the exchange ended the side stream early")
		}
	}
	if err != nil {
		side.cancel()
		return fmt.Errorf("sending on a side stream: %w", err)
	}
	return nil
}

// Close says that all bytes were sent and waits until they were taken.
func (side *SideStream) Close() error {
	defer side.cancel()
	if _, err := side.stream.CloseAndRecv(); err != nil {
		return fmt.Errorf("ending a side stream: %w", err)
	}
	return nil
}

// Abort ends the stream early: what was sent is not the whole.
func (side *SideStream) Abort() { side.cancel() }
