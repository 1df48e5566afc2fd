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
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// maxOutstanding is the most tickets that a replica may be given before it has answered the first.
	maxOutstanding = 4096
	// handshakeTimeout bounds how long an attaching node may take; it reads one proof from disk.
	handshakeTimeout = 20 * time.Second
	// recheck is how often a session asks whether its node may still be attached: a removed member, an expired SVID.
	recheck = 2 * time.Second
	// patience is how long after its deadline a ticket may stay unanswered. A node that works answers before; one that hangs would keep the
	// places of all the tickets it never answers.
	patience = 30 * time.Second
	// drainCheck is how often a session whose node is stopping looks whether everything has been answered.
	drainCheck = 5 * time.Millisecond
	// remember is how often the last accepted checkpoint of a journal is stored. What is accepted in between is cited by outcomes in the log.
	remember = time.Second
)

// session is one attached replica.
type session struct {
	hub            *Hub
	stream         linkv1.LinkService_AttachServer
	region         string
	domain         string
	origin         string
	replica        string
	maxOutstanding int

	follower   *translog.Follower          // the receiver's
	resumed    translog.Checkpoint         // of the journal when the replica attached
	asking     bool                        // the receiver's: an inquiry could not be made yet
	sentSize   int64                       // the sender's: tree size of the last batch sent
	attachedAt int64                       // tree size when the replica attached; set by the handshake
	control    chan *linkv1.AttachResponse // messages of the receiver to the sender, which alone writes to the stream
	incoming   []*Call                     // the log's committer's: calls of the commit being dispatched

	reserved atomic.Int64 // calls reserved and not ended
	shares   shares       // of these, by resource and application
	side     *semaphore.Weighted
	draining atomic.Bool // no new calls
	ended    chan struct{}
	cancel   context.CancelCauseFunc

	wake chan struct{} // holds one: the queue is not empty

	mu          sync.Mutex
	closed      bool
	queue       []batch
	sending     bool            // the sender has taken calls and not sent them yet
	outstanding map[int64]*Call // sent, by intent index
	inquiries   map[int64][]inquired
	lastInquiry int64
	signed      []byte // last accepted checkpoint of the journal
}

// batch is what one commit holds for this replica.
type batch struct {
	commit *segment.Commit
	calls  []*Call
}

// Attach serves one replica until its stream ends. Authorize is asked now and then whether the node may stay.
func (h *Hub) Attach(stream linkv1.LinkService_AttachServer, region string, authorize func() error) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	s := &session{
		hub: h, stream: stream, region: region, domain: h.cfg.Domain(region), ended: make(chan struct{}), cancel: cancel,
		shares: shares{taken: map[string]int{}}, side: semaphore.NewWeighted(maxSideBytes),
		wake: make(chan struct{}, 1), control: make(chan *linkv1.AttachResponse, 1), outstanding: map[int64]*Call{}, inquiries: map[int64][]inquired{},
	}
	messages := make(chan received)
	go s.receive(ctx, messages)
	if err := s.handshake(ctx, messages); err != nil {
		return err
	}
	logger := h.cfg.Logger.With("region", s.region, "replica", s.replica)
	if err := h.join(ctx, s); err != nil {
		return err
	}
	logger.Info("node attached", "journal_size", s.follower.Checkpoint().Size)
	err := s.serve(ctx, messages, authorize)
	h.leave(s, err)
	if err != nil {
		logger.Warn("node detached", "error", err)
	} else {
		logger.Info("node detached")
	}
	return err
}

type received struct {
	message *linkv1.AttachRequest
	err     error
}

// receive reads the stream in a goroutine of its own, so that the session can wait for other things too. It ends with the RPC.
func (s *session) receive(ctx context.Context, to chan<- received) {
	for {
		m, err := s.stream.Recv()
		select {
		case to <- received{m, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// serve runs sender and receiver until one of them ends.
func (s *session) serve(ctx context.Context, messages <-chan received, authorize func() error) error {
	var sender sync.WaitGroup
	sender.Go(func() { s.send(ctx) })
	err := s.dispatch(ctx, messages, authorize)
	s.cancel(err)
	sender.Wait()
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

func (s *session) dispatch(ctx context.Context, messages <-chan received, authorize func() error) error {
	check := time.NewTicker(recheck)
	defer check.Stop()
	store := time.NewTicker(remember)
	defer store.Stop()
	if err := s.inquire(ctx, -1); err != nil {
		return err
	}
	var drained <-chan time.Time // ticks once the node has asked for no more
	for {
		select {
		case r := <-messages:
			if errors.Is(r.err, io.EOF) {
				return nil
			}
			if r.err != nil {
				return lostStream(r.err)
			}
			if err := s.take(ctx, r.message); err != nil {
				return err
			}
			if s.draining.Load() && drained == nil {
				tick := time.NewTicker(drainCheck)
				defer tick.Stop()
				drained = tick.C
			}
		case <-drained:
			if s.idle() {
				return nil // the end of the stream tells the node that nothing is on its way any more
			}
		case <-check.C:
			if err := authorize(); err != nil {
				return err
			}
			if s.silent() {
				return refusal.New(auditv1.Reason_REASON_NODE_LOST, "the node has not answered a ticket %v after its deadline", patience)
			}
			if s.asking {
				if err := s.inquire(ctx, -1); err != nil {
					return err
				}
			}
		case <-store.C:
			s.store(ctx)
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return nil // the node gave the stream up
		}
	}
}

// silent reports whether the node has let a ticket's deadline pass for too long.
func (s *session) silent() bool {
	latest := s.hub.cfg.Now().Add(-patience)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.outstanding {
		if c.Deadline.Before(latest) {
			return true
		}
	}
	return false
}

// idle reports whether nothing that was meant for the node is under way.
func (s *session) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) == 0 && !s.sending && len(s.outstanding) == 0 && len(s.inquiries) == 0
}

// lostStream is the end of a stream that the node gave up: on purpose, which is no error, or not.
func lostStream(err error) error {
	if status.Code(err) == codes.Canceled {
		return nil
	}
	return fmt.Errorf("receiving from node: %w", err)
}

func (s *session) take(ctx context.Context, m *linkv1.AttachRequest) error {
	switch m := m.GetMessage().(type) {
	case *linkv1.AttachRequest_Answers:
		return s.takeAnswers(m.Answers)
	case *linkv1.AttachRequest_InquiryReply:
		return s.takeInquiryReply(ctx, m.InquiryReply)
	case *linkv1.AttachRequest_Drain:
		s.draining.Store(true)
		s.hub.noteDeparture(s.region)
		s.moveQueued()
		return nil
	default:
		return refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "a message out of order: after the handshake a node sends answers, inquiry replies and drain")
	}
}

// enqueue gives the sender a message that belongs to no commit.
func (s *session) enqueue(ctx context.Context, m *linkv1.AttachResponse) error {
	select {
	case s.control <- m:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// push queues the calls of a commit; false if the session has ended or drains, and the calls must move.
func (s *session) push(commit *segment.Commit, calls []*Call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.draining.Load() {
		return false
	}
	s.queue = append(s.queue, batch{commit, calls})
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// moveQueued takes what has not been sent away to other replicas.
func (s *session) moveQueued() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, b := range queue {
		s.hub.moveAll(b.calls)
	}
}

// store remembers the last accepted checkpoint of the journal.
func (s *session) store(ctx context.Context) {
	s.mu.Lock()
	signed := s.signed
	s.signed = nil
	s.mu.Unlock()
	if signed == nil {
		return
	}
	if err := s.hub.cfg.Remembered.Remember(ctx, s.origin, signed); err != nil {
		s.hub.cfg.Logger.Error("journal checkpoint was not stored", "region", s.region, "replica", s.replica, "error", err)
		s.mu.Lock()
		if s.signed == nil {
			s.signed = signed // the next try takes it, unless there is a newer one by then
		}
		s.mu.Unlock()
	}
}
