package link

import (
	"context"
	"sync"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Call is one permitted request on its way to a province and back. Its fields up to Deadline are set before it is reserved and not changed
// afterwards, except for the intent's journal origin when the call moves to another replica.
type Call struct {
	Region         string
	Intent         *auditv1.Intent
	ParametersSalt []byte
	Parameters     map[string]string
	AnswerSalt     []byte // of the first part of a resumed export
	Traceparent    string // for the node's traces
	Received       time.Time
	Deadline       time.Time
	// Reconsider decides again, after the call has waited, and writes into the intent what the decision rests on now.
	Reconsider func(*auditv1.Intent) error

	begun  chan struct{} // closed when the node's first record has come and its bytes follow on a side stream
	chunks chan *linkv1.SendAnswerChunk
	done   chan struct{}
	gone   chan struct{} // closed when the caller no longer waits

	mu        sync.Mutex
	state     callState
	session   *session
	abandoned auditv1.Reason // why the caller no longer waits; unspecified while it does
	sideOpen  bool           // a side stream has claimed the call
	index     int64          // valid from queued on
	record    []byte
	leaf      translog.Hash
	commit    *segment.Commit
	head      Evidence // the node's record that began an answer whose bytes follow
	relayed   int64    // bytes handed to the caller by a side stream
	result    Result
}

type callState int

const (
	callReserved callState = iota // intent not yet durable
	callQueued                    // intent durable, nothing sent
	callSent                      // may have reached the node
	callEnded
)

// Evidence is a node's record with its proof.
type Evidence struct {
	Answer     *auditv1.Answer
	Leaf       translog.Hash
	Receipt    *auditv1.Receipt
	AnswerSalt []byte
}

// Result is how a call ended.
type Result struct {
	Err    *refusal.Error // nil for an answer
	Domain string         // hop that refused; empty for the exchange
	Evidence
	Payload []byte
	next    *Call // the call that replaces this one at another replica
}

// NewCall makes a call; the caller fills in its exported fields.
func NewCall() *Call {
	return &Call{begun: make(chan struct{}), chunks: make(chan *linkv1.SendAnswerChunk), done: make(chan struct{}), gone: make(chan struct{})}
}

// Done is closed when the call has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// Result is how it ended; call it after Done.
func (c *Call) Result() Result { return c.result }

// Begun is closed when an export has begun.
func (c *Call) Begun() <-chan struct{} { return c.begun }

// Head is the node's record of the beginning; call it after Begun.
func (c *Call) Head() Evidence { return c.head }

// Chunks carries an export's rows. It is never closed: Done tells the end.
func (c *Call) Chunks() <-chan *linkv1.SendAnswerChunk { return c.chunks }

// Index is the intent's place in the log, and whether it has one yet.
func (c *Call) Index() (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index, c.commit != nil
}

// over reports whether the call has ended.
func (c *Call) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == callEnded
}

// Wait waits until the call has ended, or the replica that it moved to has. It returns the call that counts. If ctx ends first the caller
// has gone: see Hub.Abandon.
func (c *Call) Wait(ctx context.Context) (*Call, error) {
	for {
		select {
		case <-c.done:
			if c.result.next == nil {
				return c, nil
			}
			c = c.result.next
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
}

// WaitBegun is Wait for an export: it returns as soon as the rows may come, or the call has ended without.
func (c *Call) WaitBegun(ctx context.Context) (*Call, error) {
	for {
		select {
		case <-c.begun:
			return c, nil
		case <-c.done:
			if c.result.next == nil {
				return c, nil
			}
			c = c.result.next
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
}

// Receipt proves the intent; call it after Begun or Done, and only when Index says that there is one.
func (c *Call) Receipt() (*auditv1.Receipt, error) {
	path, err := c.commit.Span.Inclusion(c.index)
	if err != nil {
		return nil, err
	}
	return newReceipt(c.record, c.index, path, c.commit.Checkpoint), nil
}

// outcome is the record of how the call ended; the caller holds c.mu.
func (c *Call) outcome(now time.Time, result auditv1.Result, reason auditv1.Reason, e Evidence, bytes int64) *auditv1.Outcome {
	o := &auditv1.Outcome{
		IntentIndex: c.index, Result: result, Reason: reason, JournalOrigin: c.Intent.GetJournalOrigin(),
		AnswerBytes: bytes, Duration: durationpb.New(now.Sub(c.Received)),
	}
	if e.Answer != nil {
		o.JournalIndex, o.AnswerHash = e.Receipt.GetIndex(), e.Leaf[:]
		o.RowCount, o.FieldsMasked = e.Answer.GetRowCount(), e.Answer.GetFieldsMasked()
	}
	return o
}
