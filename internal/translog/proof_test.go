package translog_test

import (
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// TestInclusion compares with tlog for all trees up to maxTree, and alters every part of every proof.
func TestInclusion(t *testing.T) {
	tr := newTree(t, maxTree)
	for n := int64(1); n <= maxTree; n++ {
		root := tr.root(t, n)
		for i := range n {
			proof, err := translog.ProveInclusion(i, n, tr.node)
			if err != nil {
				t.Fatal(err)
			}
			if err := translog.VerifyInclusion(i, n, tr.leaves[i], proof, root); err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(proof, n, root, i, tr.leaves[i]); err != nil {
				t.Fatal(err)
			}
			refuse := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, translog.ErrInclusion) {
					t.Fatalf("leaf %d of %d, %s: %v", i, n, what, err)
				}
			}
			for j := range proof {
				bit := (i*31 + n + int64(j)*7) % 256
				proof[j][bit/8] ^= 1 << (bit % 8)
				refuse("proof altered", translog.VerifyInclusion(i, n, tr.leaves[i], proof, root))
				proof[j][bit/8] ^= 1 << (bit % 8)
			}
			refuse("proof longer", translog.VerifyInclusion(i, n, tr.leaves[i], append(proof, root), root))
			if len(proof) > 0 {
				refuse("proof shorter", translog.VerifyInclusion(i, n, tr.leaves[i], proof[1:], root))
			}
			refuse("other leaf", translog.VerifyInclusion(i, n, translog.Hash{1}, proof, root))
			refuse("other root", translog.VerifyInclusion(i, n, tr.leaves[i], proof, translog.Hash{1}))
			refuse("index at size", translog.VerifyInclusion(n, n, tr.leaves[i], proof, root))
			refuse("index negative", translog.VerifyInclusion(-1, n, tr.leaves[i], proof, root))
			refuse("size huge", translog.VerifyInclusion(i, 1<<63-1, tr.leaves[i], proof, root))
		}
	}
}

func TestConsistency(t *testing.T) {
	tr := newTree(t, maxTree)
	for m := range int64(maxTree + 1) {
		for n := m; n <= maxTree; n++ {
			oldRoot, newRoot := tr.root(t, m), tr.root(t, n)
			proof, err := translog.ProveConsistency(m, n, tr.node)
			if err != nil {
				t.Fatal(err)
			}
			if err := translog.VerifyConsistency(m, oldRoot, n, newRoot, proof); err != nil {
				t.Fatal(err)
			}
			refuse := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, translog.ErrConsistency) {
					t.Fatalf("from %d to %d, %s: %v", m, n, what, err)
				}
			}
			for j := range proof {
				proof[j][5] ^= 16
				refuse("proof altered", translog.VerifyConsistency(m, oldRoot, n, newRoot, proof))
				proof[j][5] ^= 16
			}
			refuse("proof longer", translog.VerifyConsistency(m, oldRoot, n, newRoot, append(proof, newRoot)))
			if len(proof) > 0 {
				refuse("proof shorter", translog.VerifyConsistency(m, oldRoot, n, newRoot, proof[1:]))
			}
			refuse("other old root", translog.VerifyConsistency(m, translog.Hash{1}, n, newRoot, proof))
			if m > 0 { // everything extends the empty tree
				refuse("other new root", translog.VerifyConsistency(m, oldRoot, n, translog.Hash{1}, proof))
			}
			refuse("shrinking", translog.VerifyConsistency(n+1, newRoot, n, newRoot, proof))
			refuse("negative", translog.VerifyConsistency(-1, oldRoot, n, newRoot, proof))
		}
	}
	if err := translog.VerifyConsistency(3, translog.Hash{1}, 3, translog.Hash{2}, nil); !errors.Is(err, translog.ErrFork) {
		t.Errorf("two roots of one size: %v", err)
	}
}

func TestProveRefuses(t *testing.T) {
	tr := newTree(t, 4)
	for _, err := range []error{
		second(translog.ProveInclusion(4, 4, tr.node)), second(translog.ProveInclusion(-1, 4, tr.node)),
		second(translog.ProveInclusion(0, translog.MaxSize+1, tr.node)),
		second(translog.ProveConsistency(3, 2, tr.node)), second(translog.ProveConsistency(-1, 2, tr.node)),
	} {
		if !errors.Is(err, translog.ErrRange) {
			t.Error(err)
		}
	}
}

func second(_ []translog.Hash, err error) error { return err }
