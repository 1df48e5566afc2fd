package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
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
	draining atomic.Bool  // no new calls
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
	sender := make(chan error, 1)
	go func() { sender <- s.send(ctx) }()
	err := s.dispatch(ctx, messages, authorize)
	s.cancel(err)
	<-sender
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

// join makes the replica known. One of the same journal that has not noticed its end yet is closed first and waited for: two sessions of one
// journal would be two followers of it.
func (h *Hub) join(ctx context.Context, s *session) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return refusal.New(auditv1.Reason_REASON_SHUTTING_DOWN, "the exchange is stopping")
	}
	for _, other := range h.provinces[s.region] {
		if other.origin == s.origin {
			return refusal.New(auditv1.Reason_REASON_ALREADY_EXISTS, "another replica with journal %q has just attached; each replica needs a journal of its own", s.origin)
		}
	}
	if len(h.provinces[s.region]) >= maxReplicas {
		return refusal.New(auditv1.Reason_REASON_OVERLOADED, "province %s has %d replicas attached already", s.region, maxReplicas)
	}
	h.provinces[s.region] = append(h.provinces[s.region], s)
	h.noteArrival()
	return nil
}

// displace ends a session of the same journal and waits until it has gone.
func (h *Hub) displace(ctx context.Context, region, origin string) error {
	h.mu.RLock()
	var old *session
	for _, s := range h.provinces[region] {
		if s.origin == origin {
			old = s
		}
	}
	h.mu.RUnlock()
	if old == nil {
		return nil
	}
	old.cancel(refusal.New(auditv1.Reason_REASON_NODE_LOST, "the replica attached anew"))
	select {
	case <-old.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the replica's earlier stream to end: %w", context.Cause(ctx))
	}
}

// leave takes a session out: unsent calls move on, sent ones are interrupted. The session stays known until that is done, so that one that
// follows it (see displace) finds everything before it in the log and the last checkpoint stored.
func (h *Hub) leave(s *session, cause error) {
	s.draining.Store(true)
	h.noteDeparture(s.region)
	s.mu.Lock()
	s.closed = true
	queue, outstanding := s.queue, s.outstanding
	s.queue, s.outstanding = nil, nil
	s.mu.Unlock()
	for _, b := range queue {
		h.moveAll(b.calls)
	}
	lost := refusal.New(auditv1.Reason_REASON_NODE_LOST, "the node was lost after the request had been sent; its journal will tell whether it answered")
	if r, ok := refusal.Of(cause); ok && r.Reason != auditv1.Reason_REASON_NODE_LOST {
		lost = refusal.New(r.Reason, "the link to the node was closed: %s", r.Detail)
	}
	for _, c := range outstanding {
		h.end(c, Result{Err: lost, Evidence: c.Head()}, auditv1.Result_RESULT_INTERRUPTED)
	}
	s.store(context.Background())
	h.forget(s)
	close(s.ended)
}

// forget makes a session unknown.
func (h *Hub) forget(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(h.provinces[s.region]), func(other *session) bool { return other == s })
	if len(kept) == 0 {
		delete(h.provinces, s.region)
	} else {
		h.provinces[s.region] = kept
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

// Drain tells every node that the exchange is stopping and takes no more calls; calls under way go on.
func (h *Hub) Drain() {
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
}

// Close ends every session and waits until they have gone or ctx ends.
func (h *Hub) Close(ctx context.Context) {
	h.Drain()
	h.mu.RLock()
	var all []*session
	for _, list := range h.provinces {
		all = append(all, list...)
	}
	h.mu.RUnlock()
	for _, s := range all {
		s.cancel(refusal.New(auditv1.Reason_REASON_SHUTTING_DOWN, "the exchange is stopping"))
	}
	for _, s := range all {
		select {
		case <-s.ended:
		case <-ctx.Done():
			return
		}
	}
	h.moves.Wait() // bounded by graceTime
}

// Idle reports whether no call is under way.
func (h *Hub) Idle() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, list := range h.provinces {
		for _, s := range list {
			if s.reserved.Load() > 0 {
				return false
			}
		}
	}
	return true
}
