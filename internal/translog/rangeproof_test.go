package translog_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// naiveRange is the definition of a range proof, written as the recursion over the RFC 6962 tree.
func naiveRange(tr *tree, m, lo, hi int64, targets []int64) []translog.Hash {
	if hi <= m || lo >= hi {
		return nil // the verifier's edge
	}
	inside := func(i int64) bool { return i >= lo && i < hi }
	if size := hi - lo; lo >= m && size&(size-1) == 0 {
		if !slices.ContainsFunc(targets, inside) {
			level := 0
			for 1<<level < size {
				level++
			}
			return []translog.Hash{tr.stored[tlog.StoredHashIndex(level, lo>>level)]}
		}
		if size == 1 {
			return nil // the verifier's target
		}
	}
	split := int64(1)
	for split*2 < hi-lo {
		split *= 2
	}
	return append(naiveRange(tr, m, lo, lo+split, targets), naiveRange(tr, m, lo+split, hi, targets)...)
}

// TestRangeAll goes through all m ≤ n with several choices of targets: the proof is what the definition says, the
// verifier gets to the right tree, and the span it gets hands out tlog's inclusion proofs.
func TestRangeAll(t *testing.T) {
	tr := newTree(t, maxTree)
	for m := range int64(maxTree + 1) {
		edge := tr.edge(m)
		for n := m; n <= maxTree; n++ {
			for _, mask := range []uint64{0, ^uint64(0), 0x8000100020004001, 0x9e3779b97f4a7c15, 0x5555555555555555} {
				targets := targetsOf(m, n, mask)
				proof, err := translog.ProveRange(m, n, targets, tr.node)
				if err != nil {
					t.Fatal(err)
				}
				if want := naiveRange(tr, m, 0, n, targets); !slices.Equal(proof, want) {
					t.Fatalf("ProveRange(%d, %d, %v) has %d hashes, want %d", m, n, targets, len(proof), len(want))
				}
				after, err := edge.Extend(n, tr.at(targets), proof)
				if err != nil {
					t.Fatal(err)
				}
				if after.Size != n || after.Root() != tr.root(t, n) || edge.Root() != tr.root(t, m) {
					t.Fatalf("Extend from %d to %d gives a wrong tree", m, n)
				}
				s, err := edge.ExtendSpan(n, tr.at(targets), proof)
				if err != nil {
					t.Fatal(err)
				}
				checkSpan(t, tr, s, m, n, targets)
			}
		}
	}
}

// TestRangeAltered alters everything a verifier is given, one thing at a time: nothing altered leads to the right root.
func TestRangeAltered(t *testing.T) {
	tr := newTree(t, maxTree)
	rapid.Check(t, func(rt *rapid.T) {
		m := rapid.Int64Range(0, maxTree).Draw(rt, "m")
		n := rapid.Int64Range(m, maxTree).Draw(rt, "n")
		targets := targetsOf(m, n, rapid.Uint64().Draw(rt, "targets"))
		proof, err := translog.ProveRange(m, n, targets, tr.node)
		if err != nil {
			rt.Fatal(err)
		}
		leaves, root := tr.at(targets), tr.root(t, n)
		refused := func(what string, e translog.Edge, n int64, leaves []translog.Leaf, proof []translog.Hash) {
			after, err := e.Extend(n, leaves, proof)
			if err == nil && after.Root() == root {
				rt.Fatalf("%s, and the tree is accepted", what)
			}
			s, spanErr := e.ExtendSpan(n, leaves, proof)
			if (err == nil) != (spanErr == nil) || err == nil && s.Root() != after.Root() {
				rt.Fatalf("%s: Extend and ExtendSpan differ: %v, %v", what, err, spanErr)
			}
			if err != nil && !errors.Is(err, translog.ErrRange) {
				rt.Fatalf("%s: %v", what, err)
			}
		}
		bit := rapid.IntRange(0, 255).Draw(rt, "bit")
		flip := func(h translog.Hash) translog.Hash { h[bit/8] ^= 1 << (bit % 8); return h }
		edge := tr.edge(m)
		for i := range proof {
			altered := slices.Clone(proof)
			altered[i] = flip(altered[i])
			refused("proof hash altered", edge, n, leaves, altered)
			refused("proof hash dropped", edge, n, leaves, slices.Delete(slices.Clone(proof), i, i+1))
			refused("proof hash doubled", edge, n, leaves, slices.Insert(slices.Clone(proof), i, proof[i]))
			if i > 0 {
				altered = slices.Clone(proof)
				altered[i], altered[i-1] = altered[i-1], altered[i]
				refused("proof hashes exchanged", edge, n, leaves, altered)
			}
		}
		refused("hash too many", edge, n, leaves, append(slices.Clone(proof), translog.Hash{}))
		for i := range leaves {
			altered := slices.Clone(leaves)
			altered[i].Hash = flip(altered[i].Hash)
			refused("leaf altered", edge, n, altered, proof)
			altered = slices.Clone(leaves)
			altered[i].Index++
			refused("leaf moved up", edge, n, altered, proof)
			altered = slices.Clone(leaves)
			altered[i].Index--
			refused("leaf moved down", edge, n, altered, proof)
			refused("leaf dropped", edge, n, slices.Delete(slices.Clone(leaves), i, i+1), proof)
			refused("leaf doubled", edge, n, slices.Insert(slices.Clone(leaves), i, leaves[i]), proof)
		}
		if len(leaves) > 1 {
			altered := slices.Clone(leaves)
			slices.Reverse(altered)
			refused("leaves reversed", edge, n, altered, proof)
		}
		for i := range edge.Hashes {
			altered := edge.Clone()
			altered.Hashes[i] = flip(altered.Hashes[i])
			refused("edge altered", altered, n, leaves, proof)
		}
		for _, other := range []int64{-1, m - 1, translog.MaxSize + 1, 1<<63 - 1, -1 << 63} {
			refused("impossible size", edge, other, leaves, proof)
		}
		refused("leaf before the edge", edge, n, append([]translog.Leaf{{Index: m - 1}}, leaves...), proof)
		refused("leaf at the size", edge, n, append(slices.Clone(leaves), translog.Leaf{Index: n}), proof)
	})
}

// TestRangeRewritten shows a follower a tree of which one old leaf was rewritten, with an honest prover for that tree.
func TestRangeRewritten(t *testing.T) {
	honest := newTree(t, maxTree)
	for changed := range int64(20) {
		forged := &tree{}
		for i, leaf := range honest.leaves {
			if int64(i) == changed {
				leaf[0]++
			}
			hashes, err := tlog.StoredHashesForRecordHash(int64(i), leaf, forged)
			if err != nil {
				t.Fatal(err)
			}
			forged.leaves, forged.stored = append(forged.leaves, leaf), append(forged.stored, hashes...)
		}
		for m := changed + 1; m <= maxTree; m++ {
			for n := m; n <= maxTree; n++ {
				proof, err := translog.ProveRange(m, n, nil, forged.node)
				if err != nil {
					t.Fatal(err)
				}
				after, err := honest.edge(m).Extend(n, nil, proof)
				if err == nil && after.Root() == forged.root(t, n) {
					t.Fatalf("leaf %d rewritten: a follower at %d accepts size %d", changed, m, n)
				}
			}
		}
	}
}

func TestProveRangeRefuses(t *testing.T) {
	tr := newTree(t, 10)
	fails := errors.New("reading fails")
	for name, tt := range map[string]struct {
		m, n    int64
		targets []int64
		node    func(int, int64) (translog.Hash, error)
		want    error
	}{
		"negative":        {-1, 3, nil, tr.node, translog.ErrRange},
		"shrinking":       {4, 3, nil, tr.node, translog.ErrRange},
		"huge":            {4, translog.MaxSize + 1, nil, tr.node, translog.ErrRange},
		"early target":    {4, 8, []int64{3}, tr.node, translog.ErrRange},
		"late target":     {4, 8, []int64{8}, tr.node, translog.ErrRange},
		"unsorted":        {2, 8, []int64{6, 4}, tr.node, translog.ErrRange},
		"doubled":         {2, 8, []int64{4, 4}, tr.node, translog.ErrRange},
		"doubled last":    {2, 8, []int64{7, 7}, tr.node, translog.ErrRange},
		"no room":         {4, 4, []int64{4}, tr.node, translog.ErrRange},
		"reading failing": {4, 8, nil, func(int, int64) (translog.Hash, error) { return translog.Hash{}, fails }, fails},
	} {
		if _, err := translog.ProveRange(tt.m, tt.n, tt.targets, tt.node); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// FuzzExtend gives a verifier arbitrary sizes, leaves and proofs: no panic, and work bounded by what it was given.
func FuzzExtend(f *testing.F) {
	f.Add(int64(3), int64(8), int64(5), int64(6), uint8(3))
	f.Add(int64(0), int64(1<<62-1), int64(0), int64(0), uint8(62))
	f.Add(int64(1<<61), int64(1<<62-1), int64(1<<61), int64(1<<62-2), uint8(90))
	f.Fuzz(func(t *testing.T, m, n, i, j int64, hashes uint8) {
		e := translog.Edge{Size: m}
		for b := range 62 {
			if m > 0 && m>>b&1 == 1 {
				e.Hashes = append(e.Hashes, translog.Hash{byte(b)})
			}
		}
		leaves := []translog.Leaf{{Index: i}, {Index: j}}
		proof := make([]translog.Hash, hashes)
		for _, l := range [][]translog.Leaf{nil, leaves[:1], leaves} {
			after, err := e.Extend(n, l, proof)
			if err != nil {
				continue
			}
			if after.Size != n || after.Validate() != nil {
				t.Errorf("Extend from %d to %d gives an edge of %d with %d hashes", m, n, after.Size, len(after.Hashes))
			}
			s, err := e.ExtendSpan(n, l, proof)
			if err != nil {
				t.Fatal(err)
			}
			for _, leaf := range l {
				path, err := s.Inclusion(leaf.Index)
				if err != nil {
					t.Fatal(err)
				}
				if err := translog.VerifyInclusion(leaf.Index, n, leaf.Hash, path, s.Root()); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
