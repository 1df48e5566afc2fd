package translog

import (
	"fmt"
	"math/bits"
)

// Leaf is a leaf at its place in the log.
type Leaf struct {
	Index int64
	Hash  Hash
}

// ProveRange returns the range proof from size m to size n for the leaves at targets, which must be strictly increasing
// and inside [m, n). It reads perfect subtrees with node. See the package comment for the format.
func ProveRange(m, n int64, targets []int64, node func(level int, n int64) (Hash, error)) ([]Hash, error) {
	if err := checkSizes(m, n); err != nil {
		return nil, fmt.Errorf("proving a range: %w", err)
	}
	var proof []Hash
	for p := m; p < n; {
		limit := n
		if len(targets) > 0 {
			limit = targets[0]
			if limit < p || limit >= n {
				return nil, fmt.Errorf("proving a range: target %d after position %d of %d: %w", limit, p, n, ErrRange)
			}
		}
		if p == limit {
			p, targets = p+1, targets[1:]
			continue
		}
		level := step(p, limit)
		h, err := node(level, p>>level)
		if err != nil {
			return nil, fmt.Errorf("proving a range: %w", err)
		}
		proof = append(proof, h)
		p += 1 << level
	}
	if len(targets) > 0 {
		return nil, fmt.Errorf("proving a range: %d targets at or after size %d: %w", len(targets), n, ErrRange)
	}
	return proof, nil
}

// step returns the level of the largest perfect subtree that starts at p < limit and ends at or before limit.
func step(p, limit int64) int {
	level := bits.Len64(uint64(limit-p)) - 1
	if p != 0 {
		level = min(level, bits.TrailingZeros64(uint64(p)))
	}
	return level
}

func checkSizes(m, n int64) error {
	if m < 0 || n < m || n > MaxSize {
		return fmt.Errorf("from size %d to size %d: %w", m, n, ErrRange)
	}
	return nil
}

// Extend returns the edge of a tree of size n that holds leaves at their indexes and whose first e.Size leaves are those
// of e. Leaves must be strictly increasing and at or after e.Size; the proof must hold exactly the hashes needed.
//
// Nothing is proven before the caller has compared the result's Root with the root of a checkpoint it trusts, and n must
// be that checkpoint's size: the hashes alone do not tell a subtree from a larger one. The work is bounded by the number of leaves and proof hashes given, whatever n claims.
func (e Edge) Extend(n int64, leaves []Leaf, proof []Hash) (Edge, error) {
	if err := e.Validate(); err != nil {
		return Edge{}, fmt.Errorf("extending: %w", err)
	}
	after := grown(e)
	if err := after.walk(n, leaves, proof, nil); err != nil {
		return Edge{}, err
	}
	return after, nil
}

// ExtendSpan is Extend for a verifier who afterwards hands out inclusion proofs of its own leaves: the span's After is
// what Extend returns, and its Inclusion answers for every given leaf.
func (e Edge) ExtendSpan(n int64, leaves []Leaf, proof []Hash) (*Span, error) {
	if err := e.Validate(); err != nil {
		return nil, fmt.Errorf("extending: %w", err)
	}
	s := &Span{before: e.Clone(), after: grown(e)}
	steps := len(leaves) + len(proof)
	// Every merge takes one hash off the edge or away from the steps, so there are fewer than both together.
	s.nodes = make([]Hash, 0, 2*steps+len(e.Hashes))
	s.keys = make([]nodeKey, 0, 2*steps+len(e.Hashes))
	keep := func(level int, n int64, h Hash) {
		s.nodes = append(s.nodes, h)
		s.keys = append(s.keys, nodeKey{end: (n + 1) << level, level: level})
	}
	if err := s.after.walk(n, leaves, proof, keep); err != nil {
		return nil, err
	}
	s.sum()
	return s, nil
}

// walk pushes the steps of a range proof from e.Size to n. After an error e is unusable.
func (e *Edge) walk(n int64, leaves []Leaf, proof []Hash, keep func(int, int64, Hash)) error {
	if err := checkSizes(e.Size, n); err != nil {
		return fmt.Errorf("extending: %w", err)
	}
	for e.Size < n {
		limit := n
		if len(leaves) > 0 {
			limit = leaves[0].Index
			if limit < e.Size || limit >= n {
				return fmt.Errorf("extending: leaf %d after position %d of %d: %w", limit, e.Size, n, ErrRange)
			}
		}
		if limit == e.Size {
			e.push(0, leaves[0].Hash, keep)
			leaves = leaves[1:]
			continue
		}
		if len(proof) == 0 {
			return fmt.Errorf("extending: proof ends at position %d of %d: %w", e.Size, n, ErrRange)
		}
		e.push(step(e.Size, limit), proof[0], keep)
		proof = proof[1:]
	}
	if len(leaves) > 0 || len(proof) > 0 {
		return fmt.Errorf("extending: %d leaves and %d proof hashes too many: %w", len(leaves), len(proof), ErrRange)
	}
	return nil
}
