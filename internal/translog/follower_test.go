package translog_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// countingVerifier counts signature checks.
type countingVerifier struct {
	note.Verifier
	checks int
}

func (v *countingVerifier) Verify(msg, sig []byte) bool {
	v.checks++
	return v.Verifier.Verify(msg, sig)
}

func (tr *tree) checkpoint(t *testing.T, n int64, s note.Signer) []byte {
	t.Helper()
	return mustSign(t, translog.Checkpoint{Origin: s.Name(), Size: n, Root: tr.root(t, n)}, s)
}

func (tr *tree) prove(t *testing.T, m, n int64, targets []int64) []translog.Hash {
	t.Helper()
	proof, err := translog.ProveRange(m, n, targets, tr.node)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func TestFollowerAccepts(t *testing.T) {
	s, v := newKey(t, origin)
	counting := &countingVerifier{Verifier: v}
	tr := newTree(t, maxTree)
	f := translog.Follow(counting)
	m := int64(0)
	for _, n := range []int64{0, 1, 4, 4, 9, 39, 40} {
		targets := targetsOf(m, n, 0x9e3779b97f4a7c15)
		signed := tr.checkpoint(t, n, s)
		span, err := f.Accept(signed, tr.at(targets), tr.prove(t, m, n, targets))
		if err != nil {
			t.Fatal(err)
		}
		checkSpan(t, tr, span, m, n, targets)
		if got := f.Checkpoint(); got.Size != n || got.Root != tr.root(t, n) || got.Origin != origin {
			t.Errorf("remembers %v", got)
		}
		checks := counting.checks
		if _, err := f.Accept(signed, nil, nil); err != nil || counting.checks != checks {
			t.Errorf("the same bytes again: %v, %d signature checks", err, counting.checks-checks)
		}
		m = n
	}
}

// TestFollowerRefuses checks that nothing refused changes what is remembered.
func TestFollowerRefuses(t *testing.T) {
	s, v := newKey(t, origin)
	stranger, _ := newKey(t, "log.example/other")
	tr, other := newTree(t, 20), newTree(t, 20)
	other.leaves[3][0]++ // a second history, of the same leaves otherwise
	forked := &tree{}
	for i := range other.leaves {
		e := forked.edge(int64(i))
		e.Append(other.leaves[i])
		forked.leaves = append(forked.leaves, other.leaves[i])
	}
	fork := func(n int64) []byte {
		return mustSign(t, translog.Checkpoint{Origin: origin, Size: n, Root: forked.edge(n).Root()}, s)
	}
	f := translog.Follow(v)
	if _, err := f.Accept(tr.checkpoint(t, 10, s), nil, tr.prove(t, 0, 10, nil)); err != nil {
		t.Fatal(err)
	}
	targets := []int64{12, 15}
	good := tr.prove(t, 10, 17, targets)
	for name, tt := range map[string]struct {
		signed []byte
		leaves []translog.Leaf
		proof  []translog.Hash
		want   error
	}{
		"stranger":       {tr.checkpoint(t, 17, stranger), tr.at(targets), good, translog.ErrCheckpoint},
		"unsigned":       {[]byte("x"), tr.at(targets), good, translog.ErrCheckpoint},
		"older":          {tr.checkpoint(t, 9, s), nil, nil, translog.ErrRange},
		"other leaf":     {tr.checkpoint(t, 17, s), []translog.Leaf{{Index: 12}, {Index: 15, Hash: tr.leaves[15]}}, good, translog.ErrConsistency},
		"no proof":       {tr.checkpoint(t, 17, s), tr.at(targets), nil, translog.ErrRange},
		"second history": {fork(17), nil, tr.prove(t, 10, 17, nil), translog.ErrConsistency},
		"fork":           {fork(10), nil, nil, translog.ErrFork},
		"leaf too old":   {tr.checkpoint(t, 17, s), tr.at([]int64{9}), good, translog.ErrRange},
		"same, leaves":   {tr.checkpoint(t, 10, s), tr.at([]int64{9}), nil, translog.ErrRange},
	} {
		before := f.Checkpoint()
		if _, err := f.Accept(tt.signed, tt.leaves, tt.proof); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if diff := cmp.Diff(before, f.Checkpoint()); diff != "" || f.Edge().Root() != before.Root {
			t.Errorf("%s: refused and remembered: %s", name, diff)
		}
	}
	if _, err := f.Accept(tr.checkpoint(t, 17, s), tr.at(targets), good); err != nil {
		t.Error(err)
	}
}

func TestFollowFrom(t *testing.T) {
	s, v := newKey(t, origin)
	tr := newTree(t, 20)
	cp := translog.Checkpoint{Origin: origin, Size: 11, Root: tr.root(t, 11)}
	f, err := translog.FollowFrom(v, cp, tr.edge(11))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Accept(tr.checkpoint(t, 20, s), nil, tr.prove(t, 11, 20, nil)); err != nil {
		t.Error(err)
	}
	for _, e := range []translog.Edge{tr.edge(10), tr.edge(12), {Size: 11}, {}} {
		if _, err := translog.FollowFrom(v, cp, e); err == nil {
			t.Errorf("starts from an edge of size %d", e.Size)
		}
	}
	cp.Origin = "log.example/other"
	if _, err := translog.FollowFrom(v, cp, tr.edge(11)); !errors.Is(err, translog.ErrCheckpoint) {
		t.Errorf("other origin: %v", err)
	}
}

func TestResume(t *testing.T) {
	s, v := newKey(t, origin)
	tr := newTree(t, maxTree)
	for m := range int64(maxTree + 1) {
		for n := max(m, 1); n <= maxTree; n += 3 {
			remembered := translog.Checkpoint{Origin: origin, Size: m, Root: tr.root(t, m)}
			consistency, err := translog.ProveConsistency(m, n, tr.node)
			if err != nil {
				t.Fatal(err)
			}
			signed, edge := tr.checkpoint(t, n, s), tr.edge(n).Hashes
			f, err := translog.Resume(v, remembered, signed, consistency, edge)
			if err != nil {
				t.Fatal(err)
			}
			if f.Checkpoint().Size != n || f.Edge().Root() != tr.root(t, n) {
				t.Errorf("resumed at %v", f.Checkpoint())
			}
			wrong := remembered
			wrong.Root[0]++
			if _, err := translog.Resume(v, wrong, signed, consistency, edge); !errors.Is(err, translog.ErrConsistency) {
				t.Errorf("from %d to %d, other remembered root: %v", m, n, err)
			}
			edge[0][0]++
			if _, err := translog.Resume(v, remembered, signed, consistency, edge); !errors.Is(err, translog.ErrConsistency) {
				t.Errorf("from %d to %d, other edge: %v", m, n, err)
			}
			if m > 1 {
				if _, err := translog.Resume(v, remembered, tr.checkpoint(t, m-1, s), nil, tr.edge(m-1).Hashes); !errors.Is(err, translog.ErrConsistency) {
					t.Errorf("backwards: %v", err)
				}
			}
		}
	}
	if _, err := translog.Resume(v, translog.Checkpoint{Origin: "x"}, nil, nil, nil); !errors.Is(err, translog.ErrCheckpoint) {
		t.Errorf("other origin: %v", err)
	}
}
