package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	// term of a grant of the demo.
	term = 90 * 24 * time.Hour
	// remaining is how long a grant of an earlier start must still be in force to be used again.
	remaining = 24 * time.Hour
	// lapse is the life of the grant that the scenario needs expired: over by the time it is used, in the future when it is given, as the
	// exchange demands.
	lapse = 3 * time.Second
)

// grant has the provinces' operators give the grants that are not in force from an earlier start.
func (s *story) grant(ctx context.Context) error {
	earlier := 0
	rows := [][]string{{"GRANT", "RESOURCE", "TO", "FIELDS", "PURPOSE", "LIMIT"}}
	for _, p := range permissions() {
		g, kept, err := s.ensure(ctx, p)
		if err != nil {
			return err
		}
		provider := s.province(p.provider)
		quota := "-"
		switch {
		case p.perDay > 0:
			quota = fmt.Sprintf("%d/day", p.perDay)
		case p.perSecond > 0:
			quota = fmt.Sprintf("%d/s", p.perSecond)
		case p.lapses:
			quota = "expires"
		}
		if kept {
			earlier++
		}
		rows = append(rows, []string{p.key, provider.region.Chinese + chinese(p.topic), shortParty(p.requester), fmt.Sprint(len(g.GetFields())), p.purpose, quota})
		s.manifest.Grants[p.key] = GrantEntry{
			Name: g.GetName(), Resource: g.GetResource(), Requester: p.requester, Fields: g.GetFields(), Purpose: p.purpose, Item: p.item,
		}
	}
	s.say("A grant names single fields, purposes, service items and a term. Only the providing province's operator can give it.")
	s.table(rows)
	if earlier > 0 {
		s.say("%d of them are of an earlier start.", earlier)
	}
	return nil
}

// ensure returns a grant in force, an earlier one if there is one.
func (s *story) ensure(ctx context.Context, p permission) (g *grantv1.Grant, kept bool, err error) {
	provider := s.province(p.provider)
	c, err := s.as(ctx, provider.operator)
	if err != nil {
		return nil, false, err
	}
	resource, err := provider.resource(p.topic)
	if err != nil {
		return nil, false, err
	}
	requester, err := idOf(p.requester)
	if err != nil {
		return nil, false, err
	}
	if earlier, ok := s.manifest.Grants[p.key]; ok {
		g, err := c.Grants().GetGrant(ctx, &grantv1.GetGrantRequest{Name: earlier.Name})
		if err == nil && usable(g, p) {
			return g, true, nil
		}
		if err != nil && status.Code(err) != codes.NotFound {
			return nil, false, fmt.Errorf("looking up a grant: %w", err)
		}
	}
	now := time.Now()
	wanted := &grantv1.Grant{
		Resource: resource, Requester: requester.String(), Fields: p.fields, Purposes: []string{p.purpose}, ServiceItems: []string{p.item},
		LegalBases: []grantv1.LegalBasis{grantv1.LegalBasis_LEGAL_BASIS_STATUTORY_DUTY}, ExpireTime: timestamppb.New(now.Add(term)),
		Quota: &grantv1.Quota{PerSecond: p.perSecond, PerDay: p.perDay},
	}
	if p.lapses {
		wanted.StartTime, wanted.ExpireTime = timestamppb.New(now.Add(-term)), timestamppb.New(now.Add(lapse))
	}
	g, err = give(ctx, c, wanted)
	return g, false, err
}

// give gives a grant and checks that it is the one asked for.
func give(ctx context.Context, c *client.Client, wanted *grantv1.Grant) (*grantv1.Grant, error) {
	g, err := c.Grants().CreateGrant(ctx, &grantv1.CreateGrantRequest{Grant: wanted})
	if err != nil {
		return nil, fmt.Errorf("giving a grant: %w", err)
	}
	if g.GetState() != grantv1.GrantState_GRANT_STATE_ACTIVE || g.GetCreator() != c.ID().String() || !strings.HasPrefix(g.GetName(), "grants/") {
		return nil, mustf("the grant %s is not as it was given", g.GetName())
	}
	return g, nil
}

// usable says whether an earlier grant, which another version of this program may have given, serves as well.
func usable(g *grantv1.Grant, p permission) bool {
	same := slices.Equal(g.GetFields(), p.fields) && slices.Equal(g.GetPurposes(), []string{p.purpose}) &&
		slices.Equal(g.GetServiceItems(), []string{p.item}) && g.GetQuota().GetPerDay() == p.perDay
	inForce := g.GetState() == grantv1.GrantState_GRANT_STATE_ACTIVE && time.Until(g.GetExpireTime().AsTime()) > remaining
	return same && (p.lapses || inForce)
}

// grantOf reads a grant as whoever holds it.
func grantOf(ctx context.Context, c *client.Client, name string) (*grantv1.Grant, error) {
	g, err := c.Grants().GetGrant(ctx, &grantv1.GetGrantRequest{Name: name})
	if err != nil {
		return nil, fmt.Errorf("looking up a grant: %w", err)
	}
	return g, nil
}
