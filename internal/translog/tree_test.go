package translog_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// tree is a reference tree, kept by tlog.
type tree struct {
	leaves []translog.Hash
	stored []translog.Hash
}

func (tr *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = tr.stored[x]
	}
	return out, nil
}

func (tr *tree) node(level int, n int64) (translog.Hash, error) {
	return tr.stored[tlog.StoredHashIndex(level, n)], nil
}

func (tr *tree) root(t testing.TB, n int64) translog.Hash {
	t.Helper()
	h, err := tlog.TreeHash(n, tr)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (tr *tree) edge(n int64) translog.Edge {
	var e translog.Edge
	for _, leaf := range tr.leaves[:n] {
		e.Append(leaf)
	}
	return e
}

func newTree(t testing.TB, n int64) *tree {
	t.Helper()
	tr := &tree{}
	for i := range n {
		leaf := translog.LeafHash(binary.BigEndian.AppendUint64(nil, uint64(i)))
		hashes, err := tlog.StoredHashesForRecordHash(i, leaf, tr)
		if err != nil {
			t.Fatal(err)
		}
		tr.leaves, tr.stored = append(tr.leaves, leaf), append(tr.stored, hashes...)
	}
	return tr
}

// maxTree is how large the trees are that tests walk through completely: beyond 32, so that six levels occur.
const maxTree = 40

func TestEdge(t *testing.T) {
	tr := newTree(t, 300)
	var e translog.Edge
	for n := int64(0); ; n++ {
		if err := e.Validate(); err != nil {
			t.Fatal(err)
		}
		if e.Size != n || e.Root() != tr.root(t, n) {
			t.Fatalf("edge after %d leaves has size %d, or a wrong root", n, e.Size)
		}
		if n == 300 {
			break
		}
		before := e.Clone()
		e.Append(tr.leaves[n])
		if before.Root() != tr.root(t, n) {
			t.Fatal("appending changed a clone")
		}
	}
	for _, bad := range []translog.Edge{
		{Size: -1}, {Size: 1}, {Size: 3, Hashes: make([]translog.Hash, 1)},
		{Size: 0, Hashes: make([]translog.Hash, 1)}, {Size: translog.MaxSize + 1, Hashes: make([]translog.Hash, 1)},
	} {
		if err := bad.Validate(); !errors.Is(err, translog.ErrRange) {
			t.Errorf("Validate of size %d with %d hashes = %v", bad.Size, len(bad.Hashes), err)
		}
	}
}

// checkSpan compares a span with the reference tree: everything it says, and that it says enough about targets.
func checkSpan(t *testing.T, tr *tree, s *translog.Span, m, n int64, targets []int64) {
	t.Helper()
	if s.First() != m || s.Size() != n || s.Root() != tr.root(t, n) || s.After().Root() != tr.root(t, n) {
		t.Fatalf("span [%d, %d) has wrong bounds or root", m, n)
	}
	for level := range 8 {
		for i := int64(-1); i < (n>>level)+2; i++ {
			h, ok := s.Node(level, i)
			if !ok {
				continue
			}
			if i < 0 || i >= n>>level {
				t.Fatalf("span [%d, %d) knows node %d at level %d", m, n, i, level)
			}
			if want, _ := tr.node(level, i); h != want {
				t.Fatalf("span [%d, %d): node %d at level %d is wrong", m, n, i, level)
			}
		}
	}
	for _, index := range targets {
		got, err := s.Inclusion(index)
		if err != nil {
			t.Fatalf("span [%d, %d): %v", m, n, err)
		}
		want, err := tlog.ProveRecord(n, index, tr)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint([]tlog.Hash(want)) {
			t.Fatalf("span [%d, %d): inclusion of %d is wrong", m, n, index)
		}
	}
	for _, index := range []int64{-1, m - 1, n, n + 1} {
		if _, err := s.Inclusion(index); !errors.Is(err, translog.ErrRange) {
			t.Fatalf("span [%d, %d): inclusion of %d = %v", m, n, index, err)
		}
	}
}

// TestSpan goes through all m ≤ n.
func TestSpan(t *testing.T) {
	tr := newTree(t, maxTree)
	for m := range int64(maxTree + 1) {
		for n := m; n <= maxTree; n++ {
			s := translog.NewSpan(tr.edge(m), tr.leaves[m:n])
			var all []int64
			for i := m; i < n; i++ {
				all = append(all, i)
			}
			checkSpan(t, tr, s, m, n, all)
			for level := range 7 { // everything completed, and the old edge
				for i := range n >> level {
					_, ok := s.Node(level, i)
					onEdge := (i+1)<<level <= m && i == m>>level-1 && m>>level&1 == 1
					if completed := (i+1)<<level > m; ok != (completed || onEdge) {
						t.Fatalf("span [%d, %d): Node(%d, %d) known: %v", m, n, level, i, ok)
					}
				}
			}
		}
	}
}

// targetsOf picks the targets in [m, n) that the bits of mask choose.
func targetsOf(m, n int64, mask uint64) []int64 {
	var targets []int64
	for i := m; i < n; i++ {
		if bits.RotateLeft64(mask, int(i*11))&1 == 1 {
			targets = append(targets, i)
		}
	}
	return targets
}

func (tr *tree) at(targets []int64) []translog.Leaf {
	var leaves []translog.Leaf
	for _, i := range targets {
		leaves = append(leaves, translog.Leaf{Index: i, Hash: tr.leaves[i]})
	}
	return leaves
}
