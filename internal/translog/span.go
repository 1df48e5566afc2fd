package translog

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Span is the part of a tree that one step added on top of an [Edge], with every inner node it completed hashed once
// and remembered. It answers for its own leaves from memory alone. A Span never changes after it was made: any number
// of goroutines may use it.
//
// [NewSpan] gives the log's own span, which knows every node. [Edge.ExtendSpan] gives the span of someone who saw only
// some of the leaves and a proof: it knows what inclusion proofs of these leaves need.
type Span struct {
	before, after Edge
	// tails[i] is the root over after.Hashes[i:]: what stands to the right of a subtree in audit paths.
	tails []Hash
	// nodes are the completed nodes ordered by (end, level), the order in which they were completed.
	nodes []Hash
	// keys name nodes one by one. They are nil if no node is missing: then a node's place follows by counting.
	keys []nodeKey
}

// nodeKey names the perfect subtree of 2^level leaves that ends before leaf end.
type nodeKey struct {
	end   int64
	level int
}

func (k nodeKey) compare(o nodeKey) int {
	if c := cmp.Compare(k.end, o.end); c != 0 {
		return c
	}
	return cmp.Compare(k.level, o.level)
}

// NewSpan returns the span of leaves appended to before, which must be valid. It keeps neither argument.
func NewSpan(before Edge, leaves []Hash) *Span {
	s := &Span{before: before.Clone(), after: grown(before)}
	s.nodes = make([]Hash, 0, completed(before.Size+int64(len(leaves)))-completed(before.Size))
	keep := func(_ int, _ int64, h Hash) { s.nodes = append(s.nodes, h) }
	for _, leaf := range leaves {
		s.after.push(0, leaf, keep)
	}
	s.sum()
	return s
}

// grown returns a copy of e with room for the longest edge, so that pushing allocates no more.
func grown(e Edge) Edge {
	return Edge{Size: e.Size, Hashes: append(make([]Hash, 0, 64), e.Hashes...)}
}

// completed returns how many perfect subtrees, leaves included, lie inside [0, size).
func completed(size int64) int64 {
	return 2*size - int64(bits.OnesCount64(uint64(size)))
}

func (s *Span) sum() {
	s.tails = slices.Clone(s.after.Hashes)
	for i := len(s.tails) - 2; i >= 0; i-- {
		s.tails[i] = tlog.NodeHash(s.after.Hashes[i], s.tails[i+1])
	}
}

// First returns the index of the first leaf added, the size of the tree before.
func (s *Span) First() int64 { return s.before.Size }

// Size returns the size of the tree after.
func (s *Span) Size() int64 { return s.after.Size }

// Root returns the root of the tree after.
func (s *Span) Root() Hash {
	if len(s.tails) == 0 {
		return emptyRoot()
	}
	return s.tails[0]
}

// After returns a copy of the edge of the tree after.
func (s *Span) After() Edge { return s.after.Clone() }

// Node returns the hash of the perfect subtree [n<<level, (n+1)<<level) if the span completed it or its edge holds it.
func (s *Span) Node(level int, n int64) (Hash, bool) {
	if level < 0 || level > 61 || n < 0 || n >= s.after.Size>>level {
		return Hash{}, false
	}
	key := nodeKey{end: (n + 1) << level, level: level}
	if key.end <= s.before.Size {
		return s.before.node(level, n)
	}
	if s.keys != nil || len(s.nodes) == 0 {
		i, ok := slices.BinarySearchFunc(s.keys, key, nodeKey.compare)
		if !ok {
			return Hash{}, false
		}
		return s.nodes[i], true
	}
	// Everything that ended earlier comes first, then the lower subtrees with the same end.
	return s.nodes[completed(key.end-1)-completed(s.before.Size)+int64(level)], true
}

// Inclusion returns the RFC 6962 audit path of the leaf at index in the tree of Size(). It fails with [ErrRange] if the
// span does not know the path: the leaf is older than the span, or was no target of the proof the span came from.
func (s *Span) Inclusion(index int64) ([]Hash, error) {
	if index < s.before.Size || index >= s.after.Size {
		return nil, fmt.Errorf("proving inclusion of leaf %d in the span [%d, %d): %w", index, s.before.Size, s.after.Size, ErrRange)
	}
	// The leaf lies in one of the perfect subtrees of the edge: the highest bit where index and size differ is its level,
	// because above that bit both walk the same way down from the root.
	top := bits.Len64(uint64(index^s.after.Size)) - 1
	pos := bits.OnesCount64(uint64(s.after.Size>>top)) - 1
	path := make([]Hash, 0, top+pos+1)
	for level := range top {
		h, ok := s.Node(level, index>>level^1)
		if !ok {
			return nil, fmt.Errorf("proving inclusion of leaf %d, which was no target: %w", index, ErrRange)
		}
		path = append(path, h)
	}
	if pos+1 < len(s.tails) {
		path = append(path, s.tails[pos+1])
	}
	for i := pos - 1; i >= 0; i-- {
		path = append(path, s.after.Hashes[i])
	}
	return path, nil
}
