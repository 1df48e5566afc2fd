package segment

import (
	"time"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// Entry is one record on its way into the log.
type Entry struct {
	Index  int64 // known once committed
	Record []byte
	Tag    any // the adder's own, handed through to OnCommit and OnFail
}

// Commit is what one block made durable. Nobody may change it.
type Commit struct {
	First      int64
	Entries    []Entry
	Checkpoint []byte // signed note for the tree that ends with this block
	Span       *translog.Span
	Time       time.Time // also in the block
}

// Batch is a set of records that will be committed as one block. The log's mutex guards it until the committer takes it
// from the queue; from then on it is the committer's until done is closed.
type Batch struct {
	entries []Entry
	leaves  []translog.Hash
	bytes   int

	done   chan struct{}
	commit *Commit
	err    error
}

// Done is closed when the batch is committed or has failed.
func (b *Batch) Done() <-chan struct{} { return b.done }

// Commit returns the outcome. It must not be called before Done is closed. The record that Add put in slot s has the
// index First+s. An error matches ErrUnknown if the records may be in the log when it is opened again.
func (b *Batch) Commit() (*Commit, error) { return b.commit, b.err }

func newBatch(room int) *Batch {
	return &Batch{
		entries: make([]Entry, 0, room),
		leaves:  make([]translog.Hash, 0, room),
		done:    make(chan struct{}),
	}
}

// takes reports whether a record still fits the block.
func (b *Batch) takes(record []byte, c *Config) bool {
	return len(b.entries) < c.MaxBlockRecords && b.bytes+recordOverhead+len(record) <= c.MaxBlockBytes
}

func (b *Batch) add(record []byte, tag any, leaf translog.Hash) (slot int) {
	b.entries = append(b.entries, Entry{Index: -1, Record: record, Tag: tag})
	b.leaves = append(b.leaves, leaf)
	b.bytes += recordOverhead + len(record)
	return len(b.entries) - 1
}
