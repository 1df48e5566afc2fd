package grant

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

func TestList(t *testing.T) {
	s := newSystem(t)
	s.register(t, "440000", "guangdong.example", registryv1.MemberRole_MEMBER_ROLE_REQUESTER)
	second := "provinces/410000/resources/307410000001-2"
	s.publish(t, entry(second))
	gd := "spiffe://guangdong.example/app/portal"
	var names []string
	for i := range 12 {
		g := s.wanted()
		if i%2 == 1 {
			g.Resource = second
		}
		if i%3 == 0 {
			g.Requester = gd
		}
		if i%4 == 0 {
			s.sleep(time.Second) // the others share their time of creation
		}
		names = append(names, s.create(t, g).GetName())
	}
	if _, err := s.Revoke(t.Context(), names[5], "办结", "", operator()); err != nil {
		t.Fatal(err)
	}
	// Loading anew must give the same order as living through it.
	loaded, err := Open(s.state, s.resources, s.members, s.now)
	if err != nil {
		t.Fatal(err)
	}
	all := Scope{All: true}
	for _, c := range []struct {
		name   string
		scope  Scope
		filter Filter
		want   int
	}{
		{"nobody's", Scope{}, Filter{}, 0},
		{"all", all, Filter{}, 12},
		{"of a resource", all, Filter{Resource: second}, 6},
		{"of an application", all, Filter{Requester: gd}, 4},
		{"of both", all, Filter{Resource: second, Requester: gd}, 2},
		{"provider's", Scope{Region: "410000", TrustDomain: "henan.example"}, Filter{}, 12},
		{"requester's", Scope{Region: "440000", TrustDomain: "guangdong.example"}, Filter{}, 4},
		{"application's own", Scope{Application: portal}, Filter{}, 8},
		{"application's own, asking for another's", Scope{Application: portal}, Filter{Requester: gd}, 0},
		{"bystander's", Scope{Region: "110000", TrustDomain: "beijing.example"}, Filter{}, 0},
		{"trust domain that only begins alike", Scope{Region: "41000", TrustDomain: "guangdong.exampl"}, Filter{}, 0},
	} {
		var want []string
		for _, limit := range []int{100, 5, 1} {
			for _, store := range []*Store{s.Store, loaded} {
				var got []string
				for cursor, first := "", true; first || cursor != ""; first = false {
					page, next, err := store.List(c.scope, c.filter, cursor, limit)
					if err != nil {
						t.Fatal(err)
					}
					for i, g := range page {
						got = append(got, g.GetName())
						if i > 0 && page[i-1].GetCreateTime().AsTime().Before(g.GetCreateTime().AsTime()) {
							t.Errorf("%s: not newest first", c.name)
						}
					}
					cursor = next
				}
				if want == nil {
					want = got
				}
				if diff := cmp.Diff(want, got); diff != "" || len(got) != c.want {
					t.Errorf("%s, %d a page: %d grants, want %d (-want +got):\n%s", c.name, limit, len(got), c.want, diff)
				}
			}
		}
	}
	for _, cursor := range []string{"x", "1", "x/grants/y", "/"} {
		_, _, err := s.List(all, Filter{}, cursor, 10)
		wantRefusal(t, err, auditv1.Reason_REASON_PAGE_TOKEN_INVALID)
	}
}

// TestClockSetBack gives grants while the clock runs backwards: the order stays that of the times of creation.
func TestClockSetBack(t *testing.T) {
	s := newSystem(t)
	for range 5 {
		s.create(t, s.wanted())
		s.sleep(-time.Hour)
	}
	page, _, err := s.List(Scope{All: true}, Filter{}, "", 10)
	if err != nil || len(page) != 5 {
		t.Fatalf("%d grants, %v", len(page), err)
	}
	for i := range page[1:] {
		if page[i].GetCreateTime().AsTime().Before(page[i+1].GetCreateTime().AsTime()) {
			t.Error("not newest first")
		}
	}
}
