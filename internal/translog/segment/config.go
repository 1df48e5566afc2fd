package segment

import (
	"fmt"
	"log/slog"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/translog"
)

const (
	// defaultSegment holds about 130,000 access records: enough that rolling is rare, little enough that opening, which
	// reads the last two segments, takes well under a second.
	defaultSegment = 64 << 20
	// maxSegment keeps offsets in 32 bits of the block index.
	maxSegment = 2 << 30
	// defaultBlockRecords bounds how long the records of one block keep its first waiter waiting: hashing, signing and
	// writing 4096 take a few milliseconds.
	defaultBlockRecords = 4096
	maxBlockRecords     = 1 << 20
	// defaultBlockBytes takes any record and bounds a write to a few milliseconds on the slowest disk in use.
	defaultBlockBytes = 4 << 20
	// defaultPending is some 16 blocks: a queue that long already means seconds of waiting on a bad disk, and refusing is
	// better than promising.
	defaultPending = 65536
	// defaultPendingBytes bounds the memory of the queue when records are large.
	defaultPendingBytes = 64 << 20
	// maxSize is 2^40 leaves, three years at 10,000 records a second. It bounds the tile files to five.
	maxSize = 1<<40 - 1
)

// Config describes a log. Zero fields take their defaults.
type Config struct {
	// Dir is the log's own directory. Nothing else may be in it.
	Dir string
	// Origin names the log in its checkpoints.
	Origin string
	// Signer and Verifier are the two halves of the key named Origin.
	Signer   note.Signer
	Verifier note.Verifier

	// SegmentSize is the size of new segment files in bytes, a multiple of 4096, default 64 MiB.
	SegmentSize int64
	// MaxBlockRecords and MaxBlockBytes bound what one commit takes; bytes count 5 more per record. Defaults 4096 and 4 MiB.
	// A record that exceeds MaxBlockBytes, or 1 MiB, is refused.
	MaxBlockRecords, MaxBlockBytes int
	// MaxPending and MaxPendingBytes bound the records added and not yet committed. Defaults 65536 and 64 MiB.
	MaxPending, MaxPendingBytes int

	// OnCommit is called by the committer for every commit in order, after the block is durable and before its waiters
	// wake. It must not block: the next commit waits for it.
	OnCommit func(*Commit)
	// OnFail is called for entries that were added and are not known to be committed, before their waiters wake. The error
	// matches ErrUnknown if they may have been written, ErrFailed if they were not.
	OnFail func(entries []Entry, err error)
	// Logger takes what operators should know. Default: none.
	Logger *slog.Logger

	disk disk // tests inject faults
}

// filled returns the configuration with defaults, or an error that names the field.
func (c Config) filled() (Config, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.disk == nil {
		c.disk = osDisk{}
	}
	if c.SegmentSize == 0 {
		c.SegmentSize = defaultSegment
	}
	for _, f := range []struct {
		field    *int
		fallback int
	}{
		{&c.MaxBlockRecords, defaultBlockRecords},
		{&c.MaxBlockBytes, defaultBlockBytes},
		{&c.MaxPending, defaultPending},
		{&c.MaxPendingBytes, defaultPendingBytes},
	} {
		if *f.field == 0 {
			*f.field = f.fallback
		}
	}
	if c.OnCommit == nil {
		c.OnCommit = func(*Commit) {}
	}
	if c.OnFail == nil {
		c.OnFail = func([]Entry, error) {}
	}
	return c, c.check()
}

func (c Config) check() error {
	largest := page + padded(blockHeaderSize+int64(c.MaxBlockBytes)+maxNote)
	switch {
	case c.Dir == "":
		return fmt.Errorf("Dir is empty: %w", ErrConfig)
	case c.Signer == nil || c.Verifier == nil:
		return fmt.Errorf("Signer or Verifier is missing: %w", ErrConfig)
	case c.MaxBlockRecords < 1 || c.MaxBlockRecords > maxBlockRecords:
		return fmt.Errorf("MaxBlockRecords is %d, want 1 to %d: %w", c.MaxBlockRecords, maxBlockRecords, ErrConfig)
	case c.MaxBlockBytes < recordOverhead+1 || c.MaxBlockBytes > maxBody:
		return fmt.Errorf("MaxBlockBytes is %d, want %d to %d: %w", c.MaxBlockBytes, recordOverhead+1, maxBody, ErrConfig)
	case c.MaxPending < 1 || c.MaxPendingBytes < c.MaxBlockBytes:
		return fmt.Errorf("MaxPending is %d and MaxPendingBytes %d, want at least 1 and MaxBlockBytes: %w", c.MaxPending, c.MaxPendingBytes, ErrConfig)
	case c.SegmentSize%page != 0 || c.SegmentSize > maxSegment || c.SegmentSize < largest:
		return fmt.Errorf("SegmentSize is %d, want a multiple of %d from %d (a block must fit) to %d: %w", c.SegmentSize, page, largest, maxSegment, ErrConfig)
	}
	return c.checkKey()
}

// checkKey signs the empty tree, which commits to nothing, and reads it back: origin, signer and verifier belong
// together or nothing is opened.
func (c Config) checkKey() error {
	_, err := emptyCheckpoint(c)
	return err
}

func emptyCheckpoint(c Config) ([]byte, error) {
	var edge translog.Edge
	signed, err := translog.SignCheckpoint(translog.Checkpoint{Origin: c.Origin, Root: edge.Root()}, c.Signer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if _, err := translog.OpenCheckpoint(signed, c.Verifier); err != nil {
		return nil, fmt.Errorf("verifier is not the signer's: %w: %w", ErrConfig, err)
	}
	return signed, nil
}
