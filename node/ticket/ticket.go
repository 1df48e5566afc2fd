// Package ticket checks that a request may be answered: that the exchange put the permission on record before it asked.
//
// A ticket is an intent record with the proof that it stands in the exchange's log. The proof itself, one for a whole batch, is checked by the
// link against the last checkpoint that the node accepted (translog.Follower); this package checks what the record says.
package ticket

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// skew is how far the exchange's clock may be ahead of the node's.
const skew = 5 * time.Second

// Ticket is a ticket that holds.
type Ticket struct {
	Intent     *auditv1.Intent
	Time       time.Time // of the intent
	Index      int64
	Hash       translog.Hash
	Parameters map[string]string
	Timeout    time.Duration
	AnswerSalt []byte // of the first part of a resumed export; nil otherwise
}

// Checker checks tickets. It is safe for concurrent use.
type Checker struct {
	origin string // of the journal that tickets must be meant for
	age    time.Duration
	used   func(translog.Hash) (bool, error)
	now    func() time.Time

	mu      sync.Mutex
	current map[translog.Hash]struct{} // accepted since rotated
	last    map[translog.Hash]struct{} // accepted in the period before
	rotated time.Time
}

// New returns a checker for the node whose journal has the origin given. Used reports whether a ticket was answered or spent in the past; what
// was accepted in the last moments the checker remembers itself.
func New(origin string, age time.Duration, used func(translog.Hash) (bool, error), now func() time.Time) *Checker {
	return &Checker{
		origin: origin, age: age, used: used, now: now,
		current: map[translog.Hash]struct{}{}, last: map[translog.Hash]struct{}{}, rotated: now(),
	}
}

// Check accepts a ticket, once. The caller has verified that the record stands in the exchange's log.
func (c *Checker) Check(t *linkv1.Ticket) (*Ticket, error) {
	hash := translog.LeafHash(t.GetRecord())
	record, err := evidence.DecodeRecord(t.GetRecord())
	if err != nil {
		return nil, refusal.New(auditv1.Reason_REASON_TICKET_MALFORMED, "%v", err)
	}
	intent := record.GetIntent()
	age := c.now().Sub(record.GetTime().AsTime())
	switch {
	case intent == nil || intent.GetVerdict() != auditv1.Verdict_VERDICT_PERMITTED || intent.GetReason() != auditv1.Reason_REASON_UNSPECIFIED:
		return nil, refusal.New(auditv1.Reason_REASON_TICKET_NOT_PERMITTED, "the record is not a permission")
	case intent.GetJournalOrigin() != c.origin:
		return nil, refusal.New(auditv1.Reason_REASON_TICKET_MISDIRECTED, "the ticket is meant for another node")
	case intent.GetMode() != auditv1.Mode_MODE_QUERY && intent.GetMode() != auditv1.Mode_MODE_EXPORT:
		return nil, refusal.New(auditv1.Reason_REASON_TICKET_MALFORMED, "the intent has no mode")
	case age > c.age || age < -skew:
		return nil, refusal.New(auditv1.Reason_REASON_TICKET_AGED, "the intent is %v old, the node accepts up to %v; are the clocks right?", age.Round(time.Millisecond), c.age)
	case len(t.GetParametersSalt()) != evidence.SaltSize || !bytes.Equal(evidence.ParametersDigest(t.GetParametersSalt(), t.GetParameters()), intent.GetParametersDigest()):
		return nil, refusal.New(auditv1.Reason_REASON_TICKET_DIGEST_MISMATCH, "the parameters are not those of the intent")
	case len(t.GetAnswerSalt()) != 0 && (len(t.GetAnswerSalt()) != evidence.SaltSize || intent.GetFromRow() == 0):
		return nil, refusal.New(auditv1.Reason_REASON_TICKET_MALFORMED, "an answer salt belongs to a resumed export")
	case intent.GetFromRow() < 0 || intent.GetFromRow() > 0 && len(t.GetAnswerSalt()) == 0:
		return nil, refusal.New(auditv1.Reason_REASON_TICKET_MALFORMED, "a resumed export needs the salt of its first part")
	}
	if err := c.use(hash); err != nil {
		return nil, err
	}
	return &Ticket{
		Intent: intent, Time: record.GetTime().AsTime(), Index: t.GetIndex(), Hash: hash,
		Parameters: t.GetParameters(), Timeout: t.GetTimeout().AsDuration(), AnswerSalt: t.GetAnswerSalt(),
	}, nil
}

// use marks a ticket as used, or refuses it. Tickets older than age are refused before they get here, so two periods of that length
// cover everything that the journal's index may not know yet.
func (c *Checker) use(hash translog.Hash) error {
	before, err := c.used(hash)
	if err != nil {
		return fmt.Errorf("looking for earlier use of a ticket: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.rotated) > c.age+skew {
		c.last, c.current, c.rotated = c.current, map[translog.Hash]struct{}{}, now
	}
	_, inCurrent := c.current[hash]
	_, inLast := c.last[hash]
	if before || inCurrent || inLast {
		return refusal.New(auditv1.Reason_REASON_TICKET_REPLAYED, "the ticket was used before")
	}
	c.current[hash] = struct{}{}
	return nil
}
