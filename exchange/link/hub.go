package link

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kuasheng/kuasheng/exchange/accesslog"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/proto"
)

// Version is the version of the link's protocol.
const Version = 1

const (
	// maxReplicas bounds the replicas of one province: each costs a stream, two goroutines and its queue.
	maxReplicas = 16
	// maxSideBytes bounds what the large answers of one replica may hold in memory at once. Each has its own: one that sends slowly takes nothing
	// from others.
	maxSideBytes = 8 << 20
)

// Remembered keeps, over restarts, the last checkpoint accepted of each journal: a journal that was rolled back is then noticed.
type Remembered interface {
	// Accepted returns nil where nothing is remembered.
	Accepted(ctx context.Context, origin string) (signed []byte, err error)
	Remember(ctx context.Context, origin string, signed []byte) error
}

// Config is what a Hub needs.
type Config struct {
	// Log is asked for with each use: the log needs the hub's Dispatch before it can be opened.
	Log func() *accesslog.Log
	// Journal returns the registered key of a province's journal; ok is false where there is none.
	Journal    func(region, origin string) (v note.Verifier, ok bool)
	Remembered Remembered
	Domain     func(region string) string // trust domain of a province, for the domain of its refusals
	Logger     *slog.Logger
	Now        func() time.Time
}

// Hub knows the attached replicas.
type Hub struct {
	cfg Config

	awaiting atomic.Int64
	moves    sync.WaitGroup // calls on their way to another replica

	mu        sync.RWMutex
	provinces map[string][]*session
	moved     map[string]map[int64]*Call // by journal and intent: calls that its sessions left unsent; see movedFrom
	departed  map[string]time.Time       // when a province's replica last went or began to drain
	arrived   chan struct{}              // closed and replaced when a replica attaches
	stopping  bool
}

// NewHub returns a hub without replicas.
func NewHub(cfg Config) *Hub {
	return &Hub{cfg: cfg, provinces: map[string][]*session{}, moved: map[string]map[int64]*Call{}, departed: map[string]time.Time{}, arrived: make(chan struct{})}
}

// Attached lists the replicas of a province that are attached now.
func (h *Hub) Attached(region string) []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	names := make([]string, 0, len(h.provinces[region]))
	for _, s := range h.provinces[region] {
		names = append(names, s.replica)
	}
	return names
}

// reserve picks the replica of the province with the fewest calls outstanding and writes its journal into the call's intent.
func (h *Hub) reserve(c *Call) *refusal.Error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.stopping {
		return refusal.New(auditv1.Reason_REASON_SHUTTING_DOWN, "the exchange is stopping; try again in a few seconds")
	}
	var best *session
	var all int64
	for _, s := range h.provinces[c.Region] {
		all += s.reserved.Load()
		if s.draining.Load() {
			continue
		}
		if best == nil || s.reserved.Load() < best.reserved.Load() {
			best = s
		}
	}
	if best == nil {
		return refusal.New(auditv1.Reason_REASON_NODE_NOT_ATTACHED, "no node of province %s is attached; try again later", c.Region)
	}
	if best.reserved.Add(1) > int64(best.maxOutstanding) || all >= maxProvince {
		best.reserved.Add(-1)
		return refusal.New(auditv1.Reason_REASON_NODE_BUSY, "the nodes of province %s have as many calls outstanding as they accept; try again later", c.Region)
	}
	if !best.shares.take(max(1, best.maxOutstanding/shareOf), c.Intent.GetResource(), c.Intent.GetCaller().GetSpiffeId()) {
		best.reserved.Add(-1)
		return refusal.New(auditv1.Reason_REASON_NODE_BUSY, "this application or this resource has its share of the calls that the nodes of province %s accept; try again later", c.Region)
	}
	c.session = best
	c.Intent.JournalOrigin = best.origin
	return nil
}

// Dispatch hands the calls of a commit to their sessions. The log's committer runs it.
func (h *Hub) Dispatch(commit *segment.Commit) {
	var touched []*session
	for i := range commit.Entries {
		e := &commit.Entries[i]
		c, ok := e.Tag.(*Call)
		if !ok {
			continue
		}
		leaf, _ := commit.Span.Node(0, e.Index)
		c.mu.Lock()
		c.state, c.index, c.record, c.leaf, c.commit = callQueued, e.Index, e.Record, leaf, commit
		c.mu.Unlock()
		if len(c.session.incoming) == 0 {
			touched = append(touched, c.session)
		}
		c.session.incoming = append(c.session.incoming, c)
	}
	for _, s := range touched {
		calls := s.incoming
		s.incoming = nil
		if !s.push(commit, calls) {
			h.moveAll(calls) // the replica has gone between reservation and commit
		}
	}
}

// Failed ends the calls whose intents the log could not write. The log's committer runs it.
func (h *Hub) Failed(entries []segment.Entry, _ error) {
	for i := range entries {
		if c, ok := entries[i].Tag.(*Call); ok {
			h.cfg.Log().Abandon()
			h.end(c, Result{Err: refusal.New(auditv1.Reason_REASON_LOG_UNAVAILABLE, "the access log cannot be written; nothing was sent")}, auditv1.Result_RESULT_UNSPECIFIED)
		}
	}
}

// Abandon says that the caller no longer waits. What has not been sent will not be; what has been sent is interrupted, and completed by the
// node's answer when it comes. It reports false if the call had ended already: then its Result stands.
func (h *Hub) Abandon(c *Call, reason auditv1.Reason) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == callEnded {
		return false
	}
	if c.abandoned == auditv1.Reason_REASON_UNSPECIFIED {
		c.abandoned = reason
		close(c.gone)
		if c.state == callSent {
			h.cfg.Log().Outcome(c.outcome(h.cfg.Now(), auditv1.Result_RESULT_INTERRUPTED, reason, c.head, c.relayed))
		}
	}
	return true
}

// end ends a call, once: it frees the reservation, writes the outcome (unless result is unspecified) and wakes whoever waits.
func (h *Hub) end(c *Call, r Result, result auditv1.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == callEnded {
		return
	}
	wasSent := c.state == callSent
	c.state, c.result = callEnded, r
	c.session.giveBack(c)
	if result != auditv1.Result_RESULT_UNSPECIFIED {
		h.record(c, r, result, wasSent)
	}
	close(c.done)
}

// record writes the outcome; the caller holds c.mu.
func (h *Hub) record(c *Call, r Result, result auditv1.Result, wasSent bool) {
	reason := auditv1.Reason_REASON_UNSPECIFIED
	if r.Err != nil {
		reason = r.Err.Reason
	}
	bytes := c.relayed
	if r.Payload != nil {
		bytes = int64(len(r.Payload))
	}
	now := h.cfg.Now()
	switch {
	case c.abandoned == auditv1.Reason_REASON_UNSPECIFIED:
		h.cfg.Log().Outcome(c.outcome(now, result, reason, r.Evidence, bytes))
	case !wasSent:
		h.cfg.Log().Outcome(c.outcome(now, auditv1.Result_RESULT_NOT_SENT, c.abandoned, Evidence{}, 0))
	case result == auditv1.Result_RESULT_ANSWERED:
		// It was recorded as interrupted when the caller went; now the journal says that data left the province.
		h.cfg.Log().LateOutcome(c.outcome(now, auditv1.Result_RESULT_RECOVERED_ANSWERED, c.abandoned, r.Evidence, bytes))
	case result != auditv1.Result_RESULT_INTERRUPTED:
		h.cfg.Log().LateOutcome(c.outcome(now, result, reason, r.Evidence, bytes))
	}
}

// moveAll gives calls that were never sent to another replica, each under a new intent that names it: a ticket is good for one replica only,
// otherwise it could be used once at each. It happens aside, because a replica may have to be awaited; Close waits for it.
func (h *Hub) moveAll(calls []*Call) {
	if len(calls) == 0 {
		return
	}
	h.noteMoves(calls)
	for _, c := range calls {
		h.moves.Go(func() { h.move(c) })
	}
}

// noteMoves remembers calls that a session has left unsent, and forgets those of sessions before it that have ended since.
func (h *Hub) noteMoves(calls []*Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	left := calls[0].session
	moved := h.moved[left.origin]
	if moved == nil {
		moved = map[int64]*Call{}
		h.moved[left.origin] = moved
	}
	maps.DeleteFunc(moved, func(_ int64, c *Call) bool { return c.session != left && c.over() })
	for _, c := range calls {
		moved[c.index] = c
	}
}

// movedFrom reports whether a session of a journal left an intent unsent. Whoever moves the call writes its outcome, and the node, should it
// attach again in the meantime, must not be asked as well.
func (h *Hub) movedFrom(origin string, index int64) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.moved[origin][index] != nil
}

func (h *Hub) move(old *Call) {
	next, err := h.resume(old)
	if err != nil {
		h.end(old, Result{Err: err}, auditv1.Result_RESULT_NOT_SENT)
		return
	}
	h.end(old, Result{Err: refusal.New(auditv1.Reason_REASON_NODE_LOST, "the replica had gone before the request was sent"), next: next}, auditv1.Result_RESULT_REPLACED)
}

// resume begins a call anew for another replica. Time has passed since it was permitted, so it is decided on again.
func (h *Hub) resume(old *Call) (*Call, *refusal.Error) {
	old.mu.Lock()
	abandoned := old.abandoned != auditv1.Reason_REASON_UNSPECIFIED
	old.mu.Unlock()
	if abandoned || !h.cfg.Now().Before(old.Deadline) {
		return nil, refusal.New(auditv1.Reason_REASON_DEADLINE_EXCEEDED, "the deadline passed before the request was sent")
	}
	ctx, cancel := context.WithDeadline(context.Background(), old.Deadline)
	defer cancel()
	h.Await(ctx, old.Region) // if nobody comes, Begin says so
	next := NewCall()
	next.Region, next.Intent, next.Reconsider = old.Region, proto.CloneOf(old.Intent), old.Reconsider
	next.ParametersSalt, next.Parameters, next.AnswerSalt, next.Traceparent = old.ParametersSalt, old.Parameters, old.AnswerSalt, old.Traceparent
	next.Received, next.Deadline = old.Received, old.Deadline
	next.Intent.ReplacesPlusOne = old.index + 1
	if err := next.Reconsider(next.Intent); err != nil {
		if r, ok := refusal.Of(err); ok {
			return nil, r
		}
		return nil, refusal.New(auditv1.Reason_REASON_NOT_ENTITLED, "the caller may not ask any more: %v", err)
	}
	return next, h.Begin(next)
}

// Begin takes a call in: a slot of the log, a replica, the intent. After an error nothing was added, and the refusal is the caller's to
// record.
func (h *Hub) Begin(c *Call) *refusal.Error {
	if err := h.cfg.Log().Begin(); err != nil {
		return refusal.New(auditv1.Reason_REASON_OVERLOADED, "the exchange has as many accesses under way as it accepts; try again later")
	}
	if err := h.reserve(c); err != nil {
		h.cfg.Log().Abandon()
		return err
	}
	if err := h.cfg.Log().Intent(c.Intent, c); err != nil {
		c.session.giveBack(c)
		h.cfg.Log().Abandon()
		h.cfg.Logger.Error("intent was not recorded", "error", err)
		return refusal.New(auditv1.Reason_REASON_LOG_UNAVAILABLE, "the access log cannot be written; nothing was sent")
	}
	return nil
}

func newReceipt(record []byte, index int64, path []translog.Hash, checkpoint []byte) *auditv1.Receipt {
	return evidence.NewReceipt(record, index, path, checkpoint)
}
