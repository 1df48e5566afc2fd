package clienttest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// Log is a verifiable log in memory.
type Log struct {
	// Key is the verifier key.
	Key    string
	signer note.Signer

	mu      sync.Mutex // guards records and leaves
	records [][]byte
	leaves  []translog.Hash
}

// NewLog makes an empty log with a key of its own.
func NewLog(t testing.TB, origin string) *Log {
	t.Helper()
	secret, public, err := translog.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &Log{Key: public, signer: signer}
}

// Origin is the log's name.
func (l *Log) Origin() string { return l.signer.Name() }

// Append puts a record into the log and returns its receipt.
func (l *Log) Append(set func(*auditv1.Record)) (*auditv1.Receipt, error) {
	r := evidence.NewRecord(time.Now())
	set(r)
	b, err := evidence.EncodeRecord(r)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, b)
	l.leaves = append(l.leaves, translog.LeafHash(b))
	return l.receipt(int64(len(l.records) - 1))
}

// Receipt proves the record at an index in the present tree.
func (l *Log) Receipt(index int64) (*auditv1.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.receipt(index)
}

// receipt runs with mu held.
func (l *Log) receipt(index int64) (*auditv1.Receipt, error) {
	if index < 0 || index >= int64(len(l.records)) {
		return nil, fmt.Errorf("no record %d", index)
	}
	span := translog.NewSpan(translog.Edge{}, l.leaves)
	path, err := span.Inclusion(index)
	if err != nil {
		return nil, err
	}
	signed, err := l.sign(span)
	if err != nil {
		return nil, err
	}
	return evidence.NewReceipt(l.records[index], index, path, signed), nil
}

func (l *Log) sign(span *translog.Span) ([]byte, error) {
	return translog.SignCheckpoint(translog.Checkpoint{Origin: l.Origin(), Size: span.Size(), Root: span.Root()}, l.signer)
}

// Checkpoint signs the present tree.
func (l *Log) Checkpoint() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sign(translog.NewSpan(translog.Edge{}, l.leaves))
}

// Consistency proves that one tree is a prefix of another.
func (l *Log) Consistency(from, to int64) ([]translog.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to > int64(len(l.leaves)) {
		return nil, fmt.Errorf("no tree of size %d", to)
	}
	span := translog.NewSpan(translog.Edge{}, l.leaves)
	return translog.ProveConsistency(from, to, func(level int, n int64) (translog.Hash, error) {
		h, ok := span.Node(level, n)
		if !ok {
			return h, translog.ErrRange
		}
		return h, nil
	})
}

// Tree is the size and root of the present tree.
func (l *Log) Tree() (size int64, root translog.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	span := translog.NewSpan(translog.Edge{}, l.leaves)
	return span.Size(), span.Root()
}

// Rewrite replaces the last record: from here on the log shows another history than before.
func (l *Log) Rewrite() {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.records) - 1
	l.records[last] = append([]byte("rewritten "), l.records[last]...)
	l.leaves[last] = translog.LeafHash(l.records[last])
}

// Size is the number of records.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.records))
}

// SampleRecord sets the least that a record may hold, for Append.
func SampleRecord(r *auditv1.Record) { r.Kind = &auditv1.Record_Outcome{Outcome: &auditv1.Outcome{}} }
