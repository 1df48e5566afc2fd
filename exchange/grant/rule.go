package grant

import (
	"fmt"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/catalogue"
	"github.com/kuasheng/kuasheng/exchange/member"
	"github.com/kuasheng/kuasheng/exchange/rule"
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
)

const (
	// maxYears is how long a grant may last. The need behind it is to be looked at again.
	maxYears = 3
	// maxInForce bounds the grants of one application for one resource that are in force or will be: a decision looks at each of them.
	maxInForce = 64
)

// rests is what a grant rests on: the change that makes it demands that these are still as they were when it was checked.
type rests struct {
	resource   *cataloguev1.Resource
	conditions []state.Write
}

// check holds the rules of a new grant and reports every mistake at once. Counts and patterns are checked before, by protovalidate.
func (s *Store) check(g *grantv1.Grant, now time.Time) (rests, error) {
	var mistakes rule.Mistakes
	var r rests
	r.checkResource(&mistakes, s.resources, g)
	r.checkRequester(&mistakes, s.members, g.GetRequester())
	for i, item := range g.GetServiceItems() {
		if _, err := ident.ParseServiceItem(item); err != nil {
			mistakes.Argument(fmt.Sprintf("grant.service_items[%d]", i), "%v", err)
		}
	}
	checkTerm(&mistakes, g, now)
	if g.GetQuota().GetPerSecond() < 0 || g.GetQuota().GetPerDay() < 0 {
		mistakes.Argument("grant.quota", "must not be negative")
	}
	s.checkCounts(&mistakes, g, now)
	if s.inForce(g, now) >= maxInForce {
		mistakes.Violation("grant.requester", "has %d grants for this resource already: revoke those that are not needed", maxInForce)
	}
	return r, mistakes.Err()
}

func (s *Store) inForce(g *grantv1.Grant, now time.Time) int {
	n := 0
	for _, other := range s.ByRequesterResource(g.GetRequester(), g.GetResource()) {
		if !over(other, now) {
			n++
		}
	}
	return n
}

// checkResource demands an entry that is in use and may be routed, and fields that it has and shares.
func (r *rests) checkResource(mistakes *rule.Mistakes, resources *catalogue.Store, g *grantv1.Grant) {
	if _, err := ident.ParseResourceName(g.GetResource()); err != nil {
		mistakes.Argument("grant.resource", "%v", err)
		return
	}
	resource, revision, ok := resources.GetRevision(g.GetResource())
	if !ok {
		mistakes.Add(auditv1.Reason_REASON_NOT_FOUND, "grant.resource", "no such resource")
		return
	}
	r.resource = resource
	r.conditions = append(r.conditions, state.Write{Key: state.ResourceKey(g.GetResource()), Expected: revision})
	switch {
	case !catalogue.Published(resource):
		mistakes.Add(auditv1.Reason_REASON_RESOURCE_WITHDRAWN, "grant.resource", "the resource was withdrawn")
	case resource.GetSharing().GetType() == cataloguev1.ShareType_SHARE_TYPE_NOT_SHARED:
		mistakes.Add(auditv1.Reason_REASON_RESOURCE_NOT_SHARED, "grant.resource", "the resource is not shared: change its entry first")
	case !catalogue.Routable(resource.GetGrade()):
		mistakes.Add(auditv1.Reason_REASON_GRADE_NOT_ROUTABLE, "grant.resource", "data of its grade does not pass the exchange")
	case resource.GetSharing().GetMode() == cataloguev1.ShareMode_SHARE_MODE_FILE:
		mistakes.Add(auditv1.Reason_REASON_MODE_NOT_OFFERED, "grant.resource", "the resource is shared by files, outside the exchange")
	default:
		checkFields(mistakes, resource, g.GetFields())
	}
}

func checkFields(mistakes *rule.Mistakes, resource *cataloguev1.Resource, fields []string) {
	byName := make(map[string]*cataloguev1.Field, len(resource.GetFields()))
	for _, f := range resource.GetFields() {
		byName[f.GetName()] = f
	}
	for i, name := range fields {
		place := fmt.Sprintf("grant.fields[%d]", i)
		switch f, ok := byName[name]; {
		case !ok:
			mistakes.Add(auditv1.Reason_REASON_FIELD_UNKNOWN, place, "the resource has no such field")
		case catalogue.ShareType(resource, f) == cataloguev1.ShareType_SHARE_TYPE_NOT_SHARED:
			mistakes.Add(auditv1.Reason_REASON_RESOURCE_NOT_SHARED, place, "the field is not shared")
		}
	}
}

// checkRequester demands an application of a member that takes part and may ask.
func (r *rests) checkRequester(mistakes *rule.Mistakes, members *member.Store, requester string) {
	const place = "grant.requester"
	id, err := certs.ParseID(requester)
	switch {
	case err != nil || id.String() != requester:
		mistakes.Argument(place, "must be an application's SPIFFE ID: spiffe://{trust domain}/app/{name}")
		return
	case id.Role != certs.RoleApplication:
		mistakes.Argument(place, "only applications are given grants: spiffe://{trust domain}/app/{name}")
		return
	}
	m, revision, ok := members.RevisionByTrustDomain(id.TrustDomain)
	if !ok {
		mistakes.Add(auditv1.Reason_REASON_NOT_FOUND, place, "its trust domain belongs to no member")
		return
	}
	r.conditions = append(r.conditions, state.Write{Key: state.MemberKey(member.Region(m.GetName())), Expected: revision})
	if !member.Active(m) {
		mistakes.Add(auditv1.Reason_REASON_MEMBER_SUSPENDED, place, "its member is suspended")
	}
	if !member.Has(m, registryv1.MemberRole_MEMBER_ROLE_REQUESTER) {
		mistakes.Violation(place, "its member does not have the role REQUESTER: an administrator gives it")
	}
}

// checkTerm holds the rules of start and expiry. A start in the past is harmless: queries are decided by the time they come.
func checkTerm(mistakes *rule.Mistakes, g *grantv1.Grant, now time.Time) {
	if g.GetStartTime().CheckValid() != nil {
		mistakes.Argument("grant.start_time", "not a time")
		return
	}
	if g.GetExpireTime().CheckValid() != nil {
		mistakes.Argument("grant.expire_time", "not a time")
		return
	}
	start, expire := g.GetStartTime().AsTime(), g.GetExpireTime().AsTime()
	switch {
	case !expire.After(now):
		mistakes.Argument("grant.expire_time", "must be in the future")
	case !expire.After(start):
		mistakes.Argument("grant.expire_time", "must be after start_time")
	case expire.After(start.AddDate(maxYears, 0, 0)):
		mistakes.Argument("grant.expire_time", "must be at most %d years after start_time", maxYears)
	}
}
