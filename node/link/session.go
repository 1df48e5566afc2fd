package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"google.golang.org/grpc"
)

var (
	// errRenewed ends a stream whose SVID was renewed, errStopping one whose node is stopping.
	errRenewed  = errors.New("SVID was renewed")
	errStopping = errors.New("the node is stopping")
)

// drainTimeout bounds how long a stream that is given up on purpose waits for answers under way.
const drainTimeout = 20 * time.Second

// session is one attached stream.
type session struct {
	client  *Client
	ctx     context.Context // of the stream; a session is the stream's own struct and lives exactly as long
	cancel  context.CancelCauseFunc
	api     linkv1.LinkServiceClient
	stream  linkv1.LinkService_AttachClient
	resumed int64 // size of the journal when the stream began

	follower *translog.Follower // the receiver's
	sentSize int64              // the sender's

	slots   chan struct{}  // one token per ticket under way
	workers sync.WaitGroup // handlers and side streams
	replies sync.WaitGroup // records added to the journal and neither committed nor failed
	joining atomic.Bool    // set by whoever comes first: the handshake as it goes on to be given tickets, or a stop before that

	wake    chan struct{} // holds one
	control chan *linkv1.AttachRequest

	mu      sync.Mutex
	queue   []batch
	leaving error // why the stream is being given up on purpose; nil while it is not
}

// batch is what one commit of the journal holds for this stream.
type batch struct {
	commit  *segment.Commit
	replies []*Reply
}

// Reply is the tag of a record in the journal: what goes to the exchange once the record is durable.
type Reply struct {
	session *session
	intent  intent
	Salt    []byte // of the answer digest
	Payload []byte // nil for refusals and exports
	Large   bool   // the payload goes on a stream of its own even if it is small

	index  int64  // in the journal
	record []byte // its bytes
}

// intent is what a side stream says about the ticket it answers.
type intent struct {
	index int64
	hash  translog.Hash
}

// Next returns a further reply to the same ticket: an export has two.
func (r *Reply) Next() *Reply { return &Reply{session: r.session, intent: r.intent} }

// Adding is to be called before the reply is given to the journal; Failed after the journal did not take it.
func (r *Reply) Adding() { r.session.replies.Add(1) }

// Failed takes back what Adding said.
func (r *Reply) Failed(err error) {
	r.session.replies.Done()
	r.session.cancel(err)
}

// runSession attaches on a connection and serves until the stream ends.
func (c *Client) runSession(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &session{
		client: c, ctx: ctx, cancel: cancel, api: linkv1.NewLinkServiceClient(conn),
		slots: make(chan struct{}, c.cfg.MaxOutstanding),
		wake:  make(chan struct{}, 1), control: make(chan *linkv1.AttachRequest, 4),
	}
	var early sync.WaitGroup
	defer early.Wait()
	defer cancel(nil)
	early.Go(s.stopEarly)
	renewed := c.cfg.Renewed() // before the handshake uses the SVID, so that no renewal is missed
	var err error
	if s.stream, err = s.api.Attach(ctx); err != nil {
		return err
	}
	if err := s.handshake(); err != nil {
		return err
	}
	c.cfg.Logger.Info("attached to the exchange", "tree_size", s.follower.Checkpoint().Size, "journal_size", s.resumed)
	c.attached.Store(true)
	if c.cfg.Attached != nil {
		s.workers.Go(func() { c.cfg.Attached(ctx, conn) })
	}
	err = s.serve(renewed)
	c.attached.Store(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepted = s.follower.Checkpoint()
	return err
}

// serve runs the stream and ends its work before it returns.
func (s *session) serve(renewed <-chan struct{}) error {
	var loops sync.WaitGroup
	loops.Go(func() { s.cancel(s.send()) })
	loops.Go(func() { s.watch(renewed) })
	err := s.receive()
	s.cancel(err)
	loops.Wait() // from here on nobody starts workers
	s.workers.Wait()
	s.replies.Wait()
	if cause := context.Cause(s.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// stopEarly ends a handshake when the node is stopping. Once the exchange may send tickets the stream is given up as watch does it.
func (s *session) stopEarly() {
	select {
	case <-s.client.drain:
		if s.joining.CompareAndSwap(false, true) {
			s.cancel(errStopping)
		}
	case <-s.ctx.Done():
	}
}

// watch gives the stream up when the node is stopping or its SVID was renewed: it asks for no more tickets, and the exchange, which alone knows
// which of them are still on their way, ends the stream when all have been answered.
func (s *session) watch(renewed <-chan struct{}) {
	var cause error
	select {
	case <-renewed:
		cause = errRenewed
	case <-s.client.drain:
		cause = errStopping
	case <-s.ctx.Done():
		return
	}
	s.mu.Lock()
	s.leaving = cause
	s.mu.Unlock()
	select {
	case s.control <- &linkv1.AttachRequest{Message: &linkv1.AttachRequest_Drain{Drain: &linkv1.Drain{Reason: auditv1.Reason_REASON_SHUTTING_DOWN}}}:
	case <-s.ctx.Done():
		return
	}
	timeout := time.NewTimer(drainTimeout)
	defer timeout.Stop()
	select {
	case <-timeout.C:
		s.cancel(cause)
	case <-s.ctx.Done():
	}
}

// ended is why the exchange ended the stream without an error.
func (s *session) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving != nil {
		return s.leaving
	}
	return errors.New("the exchange ended the stream")
}

// receive takes what the exchange sends.
func (s *session) receive() error {
	for {
		m, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			return s.ended()
		}
		if err != nil {
			return err
		}
		switch m := m.GetMessage().(type) {
		case *linkv1.AttachResponse_Tickets:
			err = s.takeTickets(m.Tickets)
		case *linkv1.AttachResponse_Inquiry:
			err = s.takeInquiry(m.Inquiry)
		case *linkv1.AttachResponse_Drain:
			// The exchange ends the stream itself when it has what it waits for.
		default:
			err = fmt.Errorf("the exchange sent a message out of order")
		}
		if err != nil {
			return err
		}
	}
}
