package accesslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"golang.org/x/mod/sumdb/note"
)

var (
	// ErrUnavailable means that the log cannot be written: no record, no data.
	ErrUnavailable = errors.New("access log unavailable")
	// ErrOverloaded means that as many accesses are under way as the log takes.
	ErrOverloaded = errors.New("too many accesses under way")
)

const (
	// maxAccesses bounds the accesses between intent and durable outcome: 1,024 at a slow node of each of 35 provinces must not keep the
	// others from theirs. At 20,000 calls/s and 10 ms a call 200 are under way.
	maxAccesses = 40 << 10
	// maxWaiting bounds the records whose writers wait for them (refusals, reads).
	maxWaiting = 8192
	// maxPending is what the log's queue must take so that neither bound above ever meets a full queue: an access has at most its
	// intent and its outcome in it.
	maxPending = 2*maxAccesses + maxWaiting
	// maxPendingBytes is for as many records of ordinary size; fewer of the largest, 64 KiB, fit.
	maxPendingBytes = 256 << 20
	// maxBlockRecords and maxBlockBytes bound one commit and with it one message to a node: 1,024 tickets with at most 16 KiB of
	// parameters each, and 1 MiB of records.
	maxBlockRecords = 1024
	maxBlockBytes   = 1 << 20
)

// Config says where the log is and who signs it.
type Config struct {
	Dir         string // holds log/ and index/
	Signer      note.Signer
	Verifier    note.Verifier
	SegmentSize int64 // 0: the default of package segment
	// Dispatch gets every commit once it is durable, in order, before anybody waiting wakes. It must not block.
	Dispatch func(*segment.Commit)
	// Failed gets the entries whose outcome is unknown or that will never be written, after the log has failed or closed.
	Failed func(entries []segment.Entry, err error)
	Logger *slog.Logger
	Now    func() time.Time
}

// Log is the access log.
type Log struct {
	cfg     Config
	segment *segment.Log
	index   *index
	slots   chan struct{} // one token per access under way
	waiting chan struct{} // one token per record that somebody waits for
}

// slot is the tag of an outcome: it gives the access's token back when the outcome is durable or lost.
type slot struct{}

// Create makes an empty log; it fails where there is one.
func Create(cfg Config) error {
	if err := segment.Create(cfg.segments(nil, nil)); err != nil {
		return fmt.Errorf("creating access log: %w", err)
	}
	return nil
}

func (cfg Config) segments(commit func(*segment.Commit), fail func([]segment.Entry, error)) segment.Config {
	return segment.Config{
		Dir: filepath.Join(cfg.Dir, "log"), Origin: cfg.Verifier.Name(), Signer: cfg.Signer, Verifier: cfg.Verifier,
		SegmentSize: cfg.SegmentSize, MaxBlockRecords: maxBlockRecords, MaxBlockBytes: maxBlockBytes,
		MaxPending: maxPending, MaxPendingBytes: maxPendingBytes, OnCommit: commit, OnFail: fail, Logger: cfg.Logger,
	}
}

// Open opens the log, catches the index up and finds the accesses without an outcome. Its owner calls Close.
func Open(cfg Config) (*Log, error) {
	l := &Log{cfg: cfg, slots: make(chan struct{}, maxAccesses), waiting: make(chan struct{}, maxWaiting)}
	ix, err := openIndex(filepath.Join(cfg.Dir, "index"), cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("opening access log: %w", err)
	}
	l.index = ix
	l.segment, err = segment.Open(cfg.segments(l.committed, l.failed))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening access log: %w", err), ix.close())
	}
	if err := ix.start(l.segment); err != nil {
		return nil, errors.Join(fmt.Errorf("opening access log: %w", err), l.segment.Close(), ix.close())
	}
	return l, nil
}

// Close writes what was added, brings the index up to it and closes both.
func (l *Log) Close() error { return errors.Join(l.segment.Close(), l.index.close()) }

// Err is nil while the log can be written.
func (l *Log) Err() error { return l.segment.Err() }

// committed runs on the log's committer.
func (l *Log) committed(c *segment.Commit) {
	for i := range c.Entries {
		if _, ok := c.Entries[i].Tag.(slot); ok {
			<-l.slots
		}
	}
	if l.cfg.Dispatch != nil {
		l.cfg.Dispatch(c)
	}
	l.index.offer(c)
}

func (l *Log) failed(entries []segment.Entry, err error) {
	for i := range entries {
		if _, ok := entries[i].Tag.(slot); ok {
			<-l.slots
		}
	}
	if l.cfg.Failed != nil {
		l.cfg.Failed(entries, err)
	}
}

// Begin takes the slot of one access. Every access that began ends with one Outcome or with Abandon.
func (l *Log) Begin() error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
		return ErrOverloaded
	}
}

// Abandon gives back the slot of an access whose intent was never added.
func (l *Log) Abandon() { <-l.slots }

// Intent adds the intent of an access that began. It does not wait: tag comes out of Dispatch or Failed. After an error nothing was added.
func (l *Log) Intent(intent *auditv1.Intent, tag any) error {
	r := evidence.NewRecord(l.cfg.Now())
	r.Kind = &auditv1.Record_Intent{Intent: intent}
	return l.add(r, tag)
}

// Outcome adds the outcome of an access that began and does not wait. If the log has failed the access stays without one until the node's
// journal tells, after a restart.
func (l *Log) Outcome(outcome *auditv1.Outcome) {
	r := evidence.NewRecord(l.cfg.Now())
	r.Kind = &auditv1.Record_Outcome{Outcome: outcome}
	if err := l.add(r, slot{}); err != nil {
		<-l.slots
		if l.Err() == nil {
			l.cfg.Logger.Error("outcome was not recorded", "intent", outcome.GetIntentIndex(), "error", err)
		}
	}
}

// LateOutcome adds a further outcome of an access that has one already, if there is a slot for it. If there is none the access stays pending
// and is asked about again when its node attaches next: the caller, who reads a node's stream, must not wait for slots that only this stream
// may free.
func (l *Log) LateOutcome(outcome *auditv1.Outcome) {
	if l.Begin() == nil {
		l.Outcome(outcome)
	}
}

// Refuse puts a refused request on record and waits until it is durable.
func (l *Log) Refuse(ctx context.Context, intent *auditv1.Intent) (index int64, err error) {
	intent.Verdict = auditv1.Verdict_VERDICT_REFUSED
	r := evidence.NewRecord(l.cfg.Now())
	r.Kind = &auditv1.Record_Intent{Intent: intent}
	return l.append(ctx, r)
}

// Read puts a look at the log on record and waits until it is durable.
func (l *Log) Read(ctx context.Context, read *auditv1.AuditRead) (index int64, err error) {
	r := evidence.NewRecord(l.cfg.Now())
	r.Kind = &auditv1.Record_AuditRead{AuditRead: read}
	return l.append(ctx, r)
}

func (l *Log) append(ctx context.Context, r *auditv1.Record) (int64, error) {
	select {
	case l.waiting <- struct{}{}:
	case <-ctx.Done():
		return 0, fmt.Errorf("waiting for the access log: %w", ctx.Err())
	}
	defer func() { <-l.waiting }()
	b, err := evidence.EncodeRecord(r)
	if err != nil {
		return 0, err
	}
	// The record is wanted even if the caller has gone: a refusal is evidence.
	_, index, err := l.segment.Append(context.WithoutCancel(ctx), b)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return index, nil
}

func (l *Log) add(r *auditv1.Record, tag any) error {
	b, err := evidence.EncodeRecord(r)
	if err != nil {
		return err
	}
	if _, _, err := l.segment.Add(b, tag); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// Checkpoint is the signed checkpoint of the last commit.
func (l *Log) Checkpoint() []byte { return l.segment.Checkpoint() }

// State is the signed checkpoint of the last commit and the compact range of its tree.
func (l *Log) State() (checkpoint []byte, edge translog.Edge) { return l.segment.State() }

// Size is the number of durable records.
func (l *Log) Size() int64 { return l.segment.Size() }

// Inclusion proves that the leaf at index is in the tree of a size.
func (l *Log) Inclusion(index, size int64) ([]translog.Hash, error) {
	return l.segment.Inclusion(index, size)
}

// Consistency proves that one tree is a prefix of another.
func (l *Log) Consistency(oldSize, newSize int64) ([]translog.Hash, error) {
	return l.segment.Consistency(oldSize, newSize)
}

// Node is the hash of a perfect subtree.
func (l *Log) Node(level int, n int64) (translog.Hash, error) { return l.segment.Node(level, n) }

// Record reads the bytes of one record.
func (l *Log) Record(index int64) ([]byte, error) { return l.segment.Record(index) }

// Verifier is the log's public key.
func (l *Log) Verifier() note.Verifier { return l.cfg.Verifier }
