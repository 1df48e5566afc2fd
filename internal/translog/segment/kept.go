package segment

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// Contradiction says that the first records of a log are not those under a checkpoint that somebody kept. It matches
// [ErrContradicted]. Both trees are signed with the log's key: kept checkpoint and files together convince anybody, and
// neither does alone.
type Contradiction struct {
	Kept translog.Checkpoint
	Root translog.Hash // of the log's first Kept.Size records
	// Signed is the log's own first checkpoint that covers these records. If it is of the very same size, it and the kept
	// one are proof without the files, and the error matches [translog.ErrFork] too.
	Signed []byte

	same bool // Signed is of size Kept.Size
}

// Error implements error.
func (c *Contradiction) Error() string {
	return fmt.Sprintf("%v: the first %d records have the root %x, kept is %x", ErrContradicted, c.Kept.Size, c.Root[:], c.Kept.Root[:])
}

// Unwrap makes a Contradiction match ErrContradicted, and translog.ErrFork if two notes alone prove it.
func (c *Contradiction) Unwrap() []error {
	if c.same {
		return []error{ErrContradicted, translog.ErrFork}
	}
	return []error{ErrContradicted}
}

// comparison compares the trees of a walk with kept checkpoints.
type comparison struct {
	kept []translog.Checkpoint // ordered by size
	next int                   // the first that was not compared
	// contradictions stand in the order of their sizes. Those of records that turn out not to be signed count for nothing.
	contradictions []*Contradiction
}

func newComparison(kept []translog.Checkpoint) *comparison {
	kept = slices.Clone(kept)
	slices.SortFunc(kept, func(a, b translog.Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	return &comparison{kept: kept}
}

// compare takes the leaves that the commit signed appends to the tree of edge before. A kept checkpoint may be of a size
// inside it: one that was made before the log was restored from a backup and written to again, or by an owner who signs
// what suits.
func (c *comparison) compare(before translog.Edge, leaves []translog.Hash, signed []byte) {
	end := before.Size + int64(len(leaves))
	var edge translog.Edge
	for started := false; c.next < len(c.kept) && c.kept[c.next].Size <= end; c.next++ {
		kept := c.kept[c.next]
		if !started {
			edge, started = before.Clone(), true
		}
		for edge.Size < kept.Size {
			edge.Append(leaves[edge.Size-before.Size])
		}
		if root := edge.Root(); root != kept.Root {
			c.contradictions = append(c.contradictions, &Contradiction{Kept: kept, Root: root, Signed: signed, same: signed != nil && kept.Size == end})
		}
	}
}

// verdict returns what was found of the first size records. whole means that the log ends there, and does not only break
// there.
func (c *comparison) verdict(size int64, whole bool) error {
	var errs []error
	for _, found := range c.contradictions {
		if found.Kept.Size <= size {
			errs = append(errs, found)
		}
	}
	if n := len(c.kept); whole && n > 0 && c.kept[n-1].Size > size {
		errs = append(errs, fmt.Errorf("%w: a checkpoint that was kept proves %d, the files hold %d", ErrShort, c.kept[n-1].Size, size))
	}
	return errors.Join(errs...)
}
