package journal

import (
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

// ErrUnavailable means that the journal cannot be written: no record, no data.
var ErrUnavailable = errors.New("journal unavailable")

const (
	// maxPending bounds the records waiting for a commit: the tickets that a node accepts at once, each with at most two records.
	maxPending = 2 * 4096
	// maxBlockRecords and maxBlockBytes bound one commit and with it one message to the exchange.
	maxBlockRecords = 1024
	maxBlockBytes   = 1 << 20
)

// Config says where the journal is and who signs it.
type Config struct {
	Dir         string // holds log/ and index/
	Signer      note.Signer
	Verifier    note.Verifier
	SegmentSize int64 // 0: the default of package segment
	// Committed gets every commit once it is durable, in order. It must not block.
	Committed func(*segment.Commit)
	// Failed gets the entries whose outcome is unknown or that will never be written.
	Failed func(entries []segment.Entry, err error)
	Logger *slog.Logger
	Now    func() time.Time
}

// Journal is a node's log.
type Journal struct {
	cfg     Config
	segment *segment.Log
	index   *index
}

func (cfg Config) segments(commit func(*segment.Commit)) segment.Config {
	return segment.Config{
		Dir: filepath.Join(cfg.Dir, "log"), Origin: cfg.Verifier.Name(), Signer: cfg.Signer, Verifier: cfg.Verifier,
		SegmentSize: cfg.SegmentSize, MaxBlockRecords: maxBlockRecords, MaxBlockBytes: maxBlockBytes, MaxPending: maxPending,
		OnCommit: commit, OnFail: cfg.Failed, Logger: cfg.Logger,
	}
}

// Create makes an empty journal; it fails where there is one.
func Create(cfg Config) error {
	if err := segment.Create(cfg.segments(nil)); err != nil {
		return fmt.Errorf("creating journal: %w", err)
	}
	return nil
}

// Open opens the journal, catches its index up and ends on record the exports that a crash cut. Its owner calls Close.
func Open(cfg Config) (*Journal, error) {
	j := &Journal{cfg: cfg}
	var err error
	// The log first: its lock proves that no other process is using the index.
	j.segment, err = segment.Open(cfg.segments(func(c *segment.Commit) {
		if cfg.Committed != nil {
			cfg.Committed(c)
		}
		j.index.offer()
	}))
	if err != nil {
		return nil, fmt.Errorf("opening journal: %w", err)
	}
	ix, err := openIndex(filepath.Join(cfg.Dir, "index"), cfg.Logger)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal: %w", err), j.segment.Close())
	}
	j.index = ix
	if err := ix.start(j.segment); err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal: %w", err), j.segment.Close(), ix.close())
	}
	if err := j.cutOpenExports(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal: %w", err), j.Close())
	}
	return j, nil
}

// Close writes what was added and closes journal and index.
func (j *Journal) Close() error { return errors.Join(j.segment.Close(), j.index.close()) }

// Err is nil while the journal can be written. An index that has stopped counts as well: without it the exchange cannot be told what was
// answered, and an earlier use of a ticket would go unnoticed in the end.
func (j *Journal) Err() error { return errors.Join(j.segment.Err(), j.index.failed()) }

// Add adds a record and does not wait: tag comes out of Committed or Failed. After an error it does not.
func (j *Journal) Add(answer *auditv1.Answer, tag any) error {
	_, err := j.add(answer, tag)
	return err
}

// Append adds a record and waits until it is durable. After an error the tag has come out of Failed if the record was
// added, and does not otherwise.
func (j *Journal) Append(answer *auditv1.Answer, tag any) (added bool, err error) {
	batch, err := j.add(answer, tag)
	if err != nil {
		return false, err
	}
	<-batch.Done()
	if _, err := batch.Commit(); err != nil {
		return true, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return true, nil
}

func (j *Journal) add(answer *auditv1.Answer, tag any) (*segment.Batch, error) {
	b, err := j.encode(answer)
	if err != nil {
		return nil, err
	}
	if err := j.index.failed(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	batch, _, err := j.segment.Add(b, tag)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return batch, nil
}

func (j *Journal) encode(answer *auditv1.Answer) ([]byte, error) {
	r := evidence.NewRecord(j.cfg.Now())
	r.Kind = &auditv1.Record_Answer{Answer: answer}
	return evidence.EncodeRecord(r)
}

// cutOpenExports records the end of exports that had begun when the process died. How many rows had left is not known; the exchange's
// record and the caller's own tell.
func (j *Journal) cutOpenExports() error {
	open, err := j.index.openExports()
	if err != nil {
		return err
	}
	for _, at := range open {
		b, err := j.segment.Record(at)
		if err != nil {
			return err
		}
		r, err := evidence.DecodeRecord(b)
		if err != nil {
			return err
		}
		answer := r.GetAnswer()
		answer.State, answer.Reason = auditv1.AnswerState_ANSWER_STATE_STREAM_CUT, auditv1.Reason_REASON_NODE_LOST
		if _, err := j.Append(answer, nil); err != nil {
			return err
		}
	}
	return j.index.wait(j.segment.Size())
}

// State is the signed checkpoint of the last commit and the compact range of its tree.
func (j *Journal) State() (checkpoint []byte, edge translog.Edge) { return j.segment.State() }

// Size is the number of durable records.
func (j *Journal) Size() int64 { return j.segment.Size() }

// Consistency proves that one tree is a prefix of another.
func (j *Journal) Consistency(oldSize, newSize int64) ([]translog.Hash, error) {
	return j.segment.Consistency(oldSize, newSize)
}

// Node is the hash of a perfect subtree.
func (j *Journal) Node(level int, n int64) (translog.Hash, error) { return j.segment.Node(level, n) }

// Verifier is the journal's public key.
func (j *Journal) Verifier() note.Verifier { return j.cfg.Verifier }

// Accepted is the largest tree of the exchange's log that a record cites; a zero size where none does.
func (j *Journal) Accepted() (size int64, root translog.Hash, err error) {
	if err := j.index.wait(j.segment.Size()); err != nil {
		return 0, translog.Hash{}, err
	}
	return j.index.accepted()
}

// Used reports whether a ticket was answered or spent before, as far as the index knows: what was answered in the last moments may be
// missing.
func (j *Journal) Used(intent translog.Hash) (bool, error) { return j.index.used(intent) }

// Finding is the last record that answers an intent, with its proof in a tree.
type Finding struct {
	Record    []byte
	Index     int64
	Inclusion []translog.Hash
}

// Find returns the last record of each intent, proven in the tree of a size. Intents without a record there are spent: from now on Used
// reports them, durably, so that what the exchange is told stays true.
func (j *Journal) Find(intents []translog.Hash, size int64) ([]Finding, error) {
	if err := j.index.wait(size); err != nil {
		return nil, err
	}
	found := make([]Finding, len(intents))
	var missing []translog.Hash
	for i, intent := range intents {
		at, ok, err := j.index.find(intent)
		if err != nil {
			return nil, err
		}
		if !ok {
			missing = append(missing, intent)
			continue
		}
		if at >= size {
			return nil, fmt.Errorf("record %d answers an intent of an earlier stream after that stream's work had ended", at)
		}
		found[i].Index = at
		if found[i].Record, err = j.segment.Record(at); err != nil {
			return nil, fmt.Errorf("reading record %d: %w", at, err)
		}
		if found[i].Inclusion, err = j.segment.Inclusion(at, size); err != nil {
			return nil, fmt.Errorf("proving record %d: %w", at, err)
		}
	}
	if err := j.index.spend(missing); err != nil {
		return nil, fmt.Errorf("spending tickets: %w", err)
	}
	return found, nil
}
