package grant

import (
	"fmt"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/exchange/flood"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
)

// wantedOf is a grant for an application of its own, so that none meets the bound of a pair.
func (s *system) wantedOf(app int) *grantv1.Grant {
	g := s.wanted()
	g.Requester = fmt.Sprint("spiffe://zhejiang.example/app/invented-", app)
	return g
}

func TestCountsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits limits
		revoke bool // makes room
		expire bool // makes room
	}{
		{"in force", limits{inForce: 3, kept: 100, all: 100}, true, true},
		{"kept of a province", limits{inForce: 100, kept: 3, all: 100}, false, false},
		{"kept of all", limits{inForce: 100, kept: 100, all: 3}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSystem(t)
			s.limits = c.limits
			s.limits.rate = defaults().rate
			var given []*grantv1.Grant
			for i := range 3 {
				given = append(given, s.create(t, s.wantedOf(i)))
			}
			_, err := s.Create(t.Context(), s.wantedOf(3), operator(), "")
			wantRefusal(t, err, auditv1.Reason_REASON_RULE_VIOLATED, "grant.resource")
			if _, err := s.Revoke(t.Context(), given[0].GetName(), "办结", "", operator()); err != nil {
				t.Fatal(err)
			}
			s.wantRoom(t, 4, c.revoke)
			s.sleep(2 * 365 * 24 * time.Hour)
			s.wantRoom(t, 5, c.expire)
		})
	}
}

func (s *system) wantRoom(t *testing.T, app int, room bool) {
	t.Helper()
	_, err := s.Create(t.Context(), s.wantedOf(app), operator(), "")
	if !room {
		wantRefusal(t, err, auditv1.Reason_REASON_RULE_VIOLATED, "grant.resource")
	} else if err != nil {
		t.Error(err)
	}
}

func TestPace(t *testing.T) {
	s := newSystem(t)
	s.limits.rate = flood.Rate{Burst: 5, PerSecond: 2}
	const id = "0b7c4c0e-8e0a-4a55-9e0b-0b7c4c0e8e0a"
	first, err := s.Create(t.Context(), s.wantedOf(0), operator(), id)
	if err != nil {
		t.Fatal(err)
	}
	again := s.wantedOf(0)
	for i := range 4 {
		s.create(t, s.wantedOf(i+1))
	}
	colleague := operator()
	colleague.Name = "wang"
	_, err = s.Create(t.Context(), s.wantedOf(9), colleague, "")
	wantRefusal(t, err, auditv1.Reason_REASON_OVERLOADED)
	if s.Len() != 5 {
		t.Errorf("%d grants, want the burst of 5", s.Len())
	}
	// What has been given already is shown, and revoked, all the same.
	if g, err := s.Create(t.Context(), again, operator(), id); err != nil || g.GetName() != first.GetName() {
		t.Errorf("the first request again gave %v, %v", g, err)
	}
	if _, err := s.Revoke(t.Context(), first.GetName(), "办结", "", operator()); err != nil {
		t.Error(err)
	}
	s.sleep(time.Second)
	s.create(t, s.wantedOf(10))
	s.create(t, s.wantedOf(11))
	_, err = s.Create(t.Context(), s.wantedOf(12), operator(), "")
	wantRefusal(t, err, auditv1.Reason_REASON_OVERLOADED)
}
