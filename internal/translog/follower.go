package translog

import (
	"bytes"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// Follower holds what someone remembers of another's log, and accepts only checkpoints that extend it. Whoever keeps
// one cannot be shown a history that contradicts an earlier one. It is not safe for concurrent use: its owner
// serialises Accept. What survives a restart is for its owner to store, before it acts on what it accepted.
type Follower struct {
	verifier   note.Verifier
	checkpoint Checkpoint
	signed     []byte
	edge       Edge
}

// Follow starts from the empty tree: everything v's log ever signs must then extend what is accepted first.
func Follow(v note.Verifier) *Follower {
	return &Follower{verifier: v, checkpoint: Checkpoint{Origin: v.Name(), Root: emptyRoot()}}
}

// FollowFrom starts from a checkpoint and edge that the caller trusts, usually its own from before a restart.
func FollowFrom(v note.Verifier, cp Checkpoint, edge Edge) (*Follower, error) {
	if cp.Origin != v.Name() {
		return nil, fmt.Errorf("following %q from a checkpoint of %q: %w", v.Name(), cp.Origin, ErrCheckpoint)
	}
	if err := edge.fits(cp); err != nil {
		return nil, fmt.Errorf("following %q: %w", v.Name(), err)
	}
	return &Follower{verifier: v, checkpoint: cp, edge: edge.Clone()}, nil
}

// Resume starts from a remembered checkpoint for which the edge is not known any more, or is far behind: it takes the
// log's current signed checkpoint, a consistency proof from the remembered one, and the edge at the new size. All may
// come from the log itself: a lie in any of them is detected.
func Resume(v note.Verifier, remembered Checkpoint, signed []byte, consistency, edge []Hash) (*Follower, error) {
	if remembered.Origin != v.Name() {
		return nil, fmt.Errorf("resuming %q from a checkpoint of %q: %w", v.Name(), remembered.Origin, ErrCheckpoint)
	}
	cp, err := OpenCheckpoint(signed, v)
	if err != nil {
		return nil, fmt.Errorf("resuming: %w", err)
	}
	if err := VerifyConsistency(remembered.Size, remembered.Root, cp.Size, cp.Root, consistency); err != nil {
		return nil, fmt.Errorf("resuming %q: %w", v.Name(), err)
	}
	f, err := FollowFrom(v, cp, Edge{Size: cp.Size, Hashes: edge})
	if err != nil {
		return nil, fmt.Errorf("resuming: %w", err)
	}
	f.signed = bytes.Clone(signed)
	return f, nil
}

// fits reports whether e is the edge of cp's tree.
func (e Edge) fits(cp Checkpoint) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if e.Size != cp.Size || e.Root() != cp.Root {
		return fmt.Errorf("edge of size %d is not that of the checkpoint of size %d: %w", e.Size, cp.Size, ErrConsistency)
	}
	return nil
}

// Accept takes the log's next signed checkpoint with a range proof from the last accepted one for leaves, and advances
// only if everything holds. On an error nothing changes. The span hands out inclusion proofs of leaves in the tree of
// the new checkpoint. The last accepted bytes seen again, without leaves, cost no signature check.
func (f *Follower) Accept(signed []byte, leaves []Leaf, proof []Hash) (*Span, error) {
	cp := f.checkpoint
	if f.signed == nil || !bytes.Equal(signed, f.signed) {
		var err error
		if cp, err = OpenCheckpoint(signed, f.verifier); err != nil {
			return nil, fmt.Errorf("accepting checkpoint: %w", err)
		}
	}
	if cp.Size == f.checkpoint.Size && cp.Root != f.checkpoint.Root {
		return nil, fmt.Errorf("accepting checkpoint of size %d: %w: %w", cp.Size, ErrConsistency, ErrFork)
	}
	span, err := f.edge.ExtendSpan(cp.Size, leaves, proof)
	if err != nil {
		return nil, fmt.Errorf("accepting checkpoint: %w", err)
	}
	if span.Root() != cp.Root {
		return nil, fmt.Errorf("accepting checkpoint from size %d to %d: %w", f.checkpoint.Size, cp.Size, ErrConsistency)
	}
	f.checkpoint, f.edge = cp, span.After()
	f.signed = append(f.signed[:0], signed...)
	return span, nil
}

// Checkpoint returns the last accepted checkpoint: that of the empty tree before the first.
func (f *Follower) Checkpoint() Checkpoint { return f.checkpoint }

// Edge returns the edge of the last accepted tree. The caller must not change it.
func (f *Follower) Edge() Edge { return f.edge }
