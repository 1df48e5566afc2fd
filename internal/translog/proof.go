package translog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// nodes lets tlog read the tree by (level, index).
type nodes func(level int, n int64) (Hash, error)

// ReadHashes implements [tlog.HashReader].
func (r nodes) ReadHashes(indexes []int64) ([]Hash, error) {
	hashes := make([]Hash, len(indexes))
	for i, index := range indexes {
		h, err := r(tlog.SplitStoredHashIndex(index))
		if err != nil {
			return nil, err
		}
		hashes[i] = h
	}
	return hashes, nil
}

// ProveInclusion returns the RFC 6962 audit path of the leaf at index in the tree of the given size, reading perfect
// subtrees with node.
func ProveInclusion(index, size int64, node func(level int, n int64) (Hash, error)) ([]Hash, error) {
	if index < 0 || index >= size || size > MaxSize {
		return nil, fmt.Errorf("proving inclusion of leaf %d in size %d: %w", index, size, ErrRange)
	}
	proof, err := tlog.ProveRecord(size, index, nodes(node))
	if err != nil {
		return nil, fmt.Errorf("proving inclusion of leaf %d in size %d: %w", index, size, err)
	}
	return proof, nil
}

// ProveConsistency returns the RFC 6962 consistency proof from size m to size n. From the empty tree it is empty.
func ProveConsistency(m, n int64, node func(level int, n int64) (Hash, error)) ([]Hash, error) {
	if err := checkSizes(m, n); err != nil {
		return nil, fmt.Errorf("proving consistency: %w", err)
	}
	if m == 0 {
		return nil, nil
	}
	proof, err := tlog.ProveTree(n, m, nodes(node))
	if err != nil {
		return nil, fmt.Errorf("proving consistency from %d to %d: %w", m, n, err)
	}
	return proof, nil
}

// VerifyInclusion checks an RFC 6962 audit path: that leaf stands at index in the tree of the given size and root.
func VerifyInclusion(index, size int64, leaf Hash, proof []Hash, root Hash) error {
	if index < 0 || index >= size || size > MaxSize {
		return fmt.Errorf("%w: leaf %d of %d: %w", ErrInclusion, index, size, ErrRange)
	}
	if err := tlog.CheckRecord(proof, size, root, index, leaf); err != nil {
		return fmt.Errorf("%w: leaf %d of %d", ErrInclusion, index, size)
	}
	return nil
}

// VerifyConsistency checks an RFC 6962 consistency proof: that the new tree extends the old one. Every tree extends the
// empty one, whose proof must be empty. Two roots for one size fail with [ErrFork] as well, which is only evidence if
// both roots came from signed checkpoints.
func VerifyConsistency(oldSize int64, oldRoot Hash, newSize int64, newRoot Hash, proof []Hash) error {
	if err := checkSizes(oldSize, newSize); err != nil {
		return fmt.Errorf("%w: %w", ErrConsistency, err)
	}
	if oldSize == newSize && oldRoot != newRoot {
		return fmt.Errorf("%w: size %d: %w", ErrConsistency, oldSize, ErrFork)
	}
	if oldSize == 0 {
		if oldRoot != emptyRoot() || len(proof) != 0 {
			return fmt.Errorf("%w: from the empty tree", ErrConsistency)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, newSize, newRoot, oldSize, oldRoot); err != nil {
		return fmt.Errorf("%w: from size %d to size %d", ErrConsistency, oldSize, newSize)
	}
	return nil
}
