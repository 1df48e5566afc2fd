package translog

import (
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize bounds the size of any tree. Twice a size must fit an int64 (stored-hash indexes, interval ends), so that
// no arithmetic on a size that came from outside can overflow.
const MaxSize = 1<<62 - 1

// Edge is the compact range [0, Size): the roots of the maximal perfect subtrees, largest first, which is left to
// right. There is one per set bit of Size. The zero Edge is that of the empty tree.
type Edge struct {
	Size   int64
	Hashes []Hash
}

// Validate reports whether the number of hashes fits the size. It says nothing about whether the hashes are right:
// only comparing Root with a trusted root does.
func (e Edge) Validate() error {
	if e.Size < 0 || e.Size > MaxSize {
		return fmt.Errorf("edge of size %d: %w", e.Size, ErrRange)
	}
	if want := bits.OnesCount64(uint64(e.Size)); len(e.Hashes) != want {
		return fmt.Errorf("edge of size %d with %d hashes, want %d: %w", e.Size, len(e.Hashes), want, ErrRange)
	}
	return nil
}

// Clone returns a copy that shares nothing with e.
func (e Edge) Clone() Edge {
	return Edge{Size: e.Size, Hashes: slices.Clone(e.Hashes)}
}

// Root returns the tree's root hash.
func (e Edge) Root() Hash {
	if len(e.Hashes) == 0 {
		return emptyRoot()
	}
	root := e.Hashes[len(e.Hashes)-1]
	for i := len(e.Hashes) - 2; i >= 0; i-- {
		root = tlog.NodeHash(e.Hashes[i], root)
	}
	return root
}

// Append adds one leaf. The caller keeps Size below MaxSize, which appending alone never reaches.
func (e *Edge) Append(leaf Hash) {
	e.push(0, leaf, nil)
}

// push adds the perfect subtree of 2^level leaves that starts at Size, a multiple of 2^level, and merges what becomes
// perfect. It hands every node it completes, h included, to keep, lowest level first.
func (e *Edge) push(level int, h Hash, keep func(level int, n int64, h Hash)) {
	n := e.Size >> level
	for {
		if keep != nil {
			keep(level, n, h)
		}
		if n&1 == 0 {
			break
		}
		last := len(e.Hashes) - 1
		h = tlog.NodeHash(e.Hashes[last], h)
		e.Hashes = e.Hashes[:last]
		level, n = level+1, n>>1
	}
	e.Hashes = append(e.Hashes, h)
	e.Size = (n + 1) << level
}

// node returns the perfect subtree [n<<level, (n+1)<<level) if it is one of the edge's own.
func (e Edge) node(level int, n int64) (Hash, bool) {
	if level < 0 || level > 61 || n < 0 || n != e.Size>>level-1 || e.Size>>level&1 == 0 {
		return Hash{}, false
	}
	return e.Hashes[bits.OnesCount64(uint64(e.Size>>level))-1], true
}

// emptyRoot returns the root of the tree without leaves.
func emptyRoot() Hash {
	root, _ := tlog.TreeHash(0, nil) // reads nothing and cannot fail for size 0
	return root
}
