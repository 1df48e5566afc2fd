package decision

import (
	"slices"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// covers checks one grant, from what cannot be cured to what the caller can cure at once, and returns how many checks it passed.
func covers(now time.Time, g *grantv1.Grant, r Request) (passed int, lack *refusal.Error) {
	for _, check := range [...]func(time.Time, *grantv1.Grant, Request) *refusal.Error{inForce, inTime, coversPurpose, coversBasis, coversService, coversFields} {
		if lack := check(now, g, r); lack != nil {
			return passed, lack
		}
		passed++
	}
	return passed, nil
}

func inForce(_ time.Time, g *grantv1.Grant, _ Request) *refusal.Error {
	if g.GetState() == grantv1.GrantState_GRANT_STATE_ACTIVE {
		return nil
	}
	return refusal.New(auditv1.Reason_REASON_GRANT_REVOKED, "the grant %s was revoked: %s", g.GetName(), g.GetRevokeReason())
}

func inTime(now time.Time, g *grantv1.Grant, _ Request) *refusal.Error {
	if expires := g.GetExpireTime().AsTime(); !now.Before(expires) {
		return refusal.New(auditv1.Reason_REASON_GRANT_EXPIRED, "the grant %s expired at %s; ask for a new one", g.GetName(), expires.Format(time.RFC3339))
	}
	if g.GetStartTime() != nil && now.Before(g.GetStartTime().AsTime()) {
		return refusal.New(auditv1.Reason_REASON_GRANT_NOT_YET_VALID, "the grant %s is valid from %s", g.GetName(), g.GetStartTime().AsTime().Format(time.RFC3339))
	}
	return nil
}

func coversPurpose(_ time.Time, g *grantv1.Grant, r Request) *refusal.Error {
	if slices.Contains(g.GetPurposes(), r.Purpose.GetCode()) {
		return nil
	}
	return refusal.About(auditv1.Reason_REASON_PURPOSE_NOT_GRANTED, "purpose.code", "the grant %s permits the purposes %v", g.GetName(), g.GetPurposes())
}

func coversBasis(_ time.Time, g *grantv1.Grant, r Request) *refusal.Error {
	if len(g.GetLegalBases()) == 0 || slices.Contains(g.GetLegalBases(), r.Purpose.GetLegalBasis()) {
		return nil
	}
	return refusal.About(auditv1.Reason_REASON_LEGAL_BASIS_NOT_GRANTED, "purpose.legal_basis", "the grant %s permits the legal bases %v", g.GetName(), g.GetLegalBases())
}

func coversService(_ time.Time, g *grantv1.Grant, r Request) *refusal.Error {
	if len(g.GetServiceItems()) == 0 {
		return nil
	}
	for _, granted := range g.GetServiceItems() {
		if coversItem(granted, r.Purpose.GetServiceItem()) {
			return nil
		}
	}
	return refusal.About(auditv1.Reason_REASON_ITEM_NOT_GRANTED, "purpose.service_item", "the grant %s permits the service items %v", g.GetName(), g.GetServiceItems())
}

// coversItem reports whether a granted service item covers the one stated: a base code covers all its implementations, an implementation code
// its handling codes.
func coversItem(granted, stated string) bool {
	if granted == stated {
		return true
	}
	g, err := ident.ParseServiceItem(granted)
	if err != nil {
		return false
	}
	s, err := ident.ParseServiceItem(stated)
	return err == nil && g.Contains(s)
}

func coversFields(_ time.Time, g *grantv1.Grant, r Request) *refusal.Error {
	for _, f := range r.Fields {
		if !slices.Contains(g.GetFields(), f) {
			return refusal.About(auditv1.Reason_REASON_FIELD_NOT_GRANTED, f, "the grant %s permits the fields %v", g.GetName(), g.GetFields())
		}
	}
	return nil
}
