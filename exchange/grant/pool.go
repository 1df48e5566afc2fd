package grant

import (
	"github.com/kuasheng/kuasheng/exchange/state"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// pool shares what recurs over the grants: most of a grant is names that others have too, and dates and quotas are round.
type pool struct {
	texts  *state.Pool[string, string]
	times  *state.Pool[[2]int64, *timestamppb.Timestamp]
	quotas *state.Pool[[2]int64, *grantv1.Quota]
}

func newPool() *pool {
	return &pool{
		texts:  state.NewPool[string, string](),
		times:  state.NewPool[[2]int64, *timestamppb.Timestamp](),
		quotas: state.NewPool[[2]int64, *grantv1.Quota](),
	}
}

// share replaces parts of a new grant, which nobody else has seen yet, by equal ones of earlier grants.
func (p *pool) share(g *grantv1.Grant) {
	g.Resource, g.Requester, g.Creator = p.text(g.GetResource()), p.text(g.GetRequester()), p.text(g.GetCreator())
	for _, list := range [][]string{g.GetFields(), g.GetPurposes(), g.GetServiceItems()} {
		for i := range list {
			list[i] = p.text(list[i])
		}
	}
	g.StartTime, g.ExpireTime, g.CreateTime = p.time(g.GetStartTime()), p.time(g.GetExpireTime()), p.time(g.GetCreateTime())
	if q := g.GetQuota(); q != nil {
		g.Quota = p.quotas.Share([2]int64{q.GetPerSecond(), q.GetPerDay()}, q)
	}
}

func (p *pool) text(s string) string { return p.texts.Share(s, s) }

func (p *pool) time(t *timestamppb.Timestamp) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return p.times.Share([2]int64{t.GetSeconds(), int64(t.GetNanos())}, t)
}
