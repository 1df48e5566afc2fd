package certs_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/kuasheng/kuasheng/certs"
)

func TestBundleSet(t *testing.T) {
	henan, other, zhejiang := newCA(t, "henan.example"), newCA(t, "henan.example"), newCA(t, "zhejiang.example")
	set := certs.NewBundleSet(henan.Bundle())
	start := set.Generation()
	changes := uint64(0)
	for _, step := range []struct {
		name    string
		do      func()
		changes bool
		want    []spiffeid.TrustDomain
	}{
		{"the same again", func() { set.Set(henan.Bundle()) }, false, []spiffeid.TrustDomain{henan.TrustDomain()}},
		{"another domain", func() { set.Set(zhejiang.Bundle()) }, true, []spiffeid.TrustDomain{henan.TrustDomain(), zhejiang.TrustDomain()}},
		{"another authority", func() { set.Set(other.Bundle()) }, true, []spiffeid.TrustDomain{henan.TrustDomain(), zhejiang.TrustDomain()}},
		{"removal", func() { set.Remove(zhejiang.TrustDomain()) }, true, []spiffeid.TrustDomain{henan.TrustDomain()}},
		{"removal of nothing", func() { set.Remove(zhejiang.TrustDomain()) }, false, []spiffeid.TrustDomain{henan.TrustDomain()}},
	} {
		step.do()
		if step.changes {
			changes++
		}
		if got := set.Generation(); got != start+changes {
			t.Errorf("%s: generation %d, want %d", step.name, got, start+changes)
		}
		if got := set.TrustDomains(); !slices.Equal(got, step.want) {
			t.Errorf("%s: holds %v, want %v", step.name, got, step.want)
		}
	}
	if b, err := set.GetX509BundleForTrustDomain(henan.TrustDomain()); err != nil || !b.Equal(other.Bundle()) {
		t.Errorf("got another bundle than the last one set: %v", err)
	}
	if _, err := set.GetX509BundleForTrustDomain(zhejiang.TrustDomain()); err == nil {
		t.Error("a removed domain is still there")
	}
}

// TestBundleSetCopies: whom the set trusts changes by Set and Remove only, or the generation would not tell.
func TestBundleSetCopies(t *testing.T) {
	henan, other := newCA(t, "henan.example"), newCA(t, "henan.example")
	given := henan.Bundle()
	set := certs.NewBundleSet(given)
	given.AddX509Authority(other.Bundle().X509Authorities()[0])
	got, err := set.GetX509BundleForTrustDomain(henan.TrustDomain())
	if err != nil {
		t.Fatal(err)
	}
	got.AddX509Authority(other.Bundle().X509Authorities()[0])
	got, err = set.GetX509BundleForTrustDomain(henan.TrustDomain())
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(henan.Bundle()) {
		t.Error("the set changed through a bundle outside of it")
	}
}

func TestBundleSetConcurrently(t *testing.T) {
	a, b := newCA(t, "henan.example"), newCA(t, "henan.example")
	set := certs.NewBundleSet(a.Bundle())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				set.Set(b.Bundle())
				set.Set(a.Bundle())
			}
		})
		group.Go(func() {
			last := uint64(0)
			for range 200 {
				generation := set.Generation()
				if generation < last {
					t.Error("the generation went back")
				}
				last = generation
				if _, err := set.GetX509BundleForTrustDomain(a.TrustDomain()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestJoin(t *testing.T) {
	own, impostor, henan := newCA(t, "exchange.example"), newCA(t, "exchange.example"), newCA(t, "henan.example")
	first, second := certs.NewBundleSet(own.Bundle()), certs.NewBundleSet(impostor.Bundle())
	joined := certs.Join(first, second)
	if b, err := joined.GetX509BundleForTrustDomain(own.TrustDomain()); err != nil || !b.Equal(own.Bundle()) {
		t.Errorf("a later source speaks for the first one's domain: %v", err)
	}
	if _, err := joined.GetX509BundleForTrustDomain(henan.TrustDomain()); err == nil {
		t.Error("an unknown domain has a bundle")
	}
	before := joined.Generation()
	second.Set(henan.Bundle())
	if joined.Generation() <= before {
		t.Error("a change of the second source does not show")
	}
	if b, err := joined.GetX509BundleForTrustDomain(henan.TrustDomain()); err != nil || !b.Equal(henan.Bundle()) {
		t.Errorf("the second source is not asked: %v", err)
	}
	if _, err := certs.Join().GetX509BundleForTrustDomain(henan.TrustDomain()); err == nil {
		t.Error("nothing joined has a bundle")
	}
}
