package exchange

import (
	"context"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/grant"
	"github.com/kuasheng/kuasheng/exchange/member"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// grantService lets operators of a providing province give and revoke grants, and both sides read them.
type grantService struct {
	grantv1.UnimplementedGrantServiceServer
	grants *grant.Store
}

func newGrantService(grants *grant.Store) *grantService { return &grantService{grants: grants} }

func (s *grantService) CreateGrant(ctx context.Context, req *grantv1.CreateGrantRequest) (*grantv1.Grant, error) {
	caller := callerFrom(ctx)
	if err := entitleProvider(caller, "grant.resource", req.GetGrant().GetResource()); err != nil {
		return nil, err
	}
	return s.grants.Create(ctx, req.GetGrant(), caller.ID, req.GetRequestId())
}

func (s *grantService) GetGrant(ctx context.Context, req *grantv1.GetGrantRequest) (*grantv1.Grant, error) {
	return s.visible(callerFrom(ctx), req.GetName())
}

func (s *grantService) ListGrants(ctx context.Context, req *grantv1.ListGrantsRequest) (*grantv1.ListGrantsResponse, error) {
	list := []string{"grants", req.GetResource(), req.GetRequester()}
	cursor, err := pageCursor(req.GetPageToken(), list...)
	if err != nil {
		return nil, err
	}
	filter := grant.Filter{Resource: req.GetResource(), Requester: req.GetRequester()}
	page, next, err := s.grants.List(grantScope(callerFrom(ctx)), filter, cursor, pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	return &grantv1.ListGrantsResponse{Grants: page, NextPageToken: pageToken(next, list...)}, nil
}

func (s *grantService) RevokeGrant(ctx context.Context, req *grantv1.RevokeGrantRequest) (*grantv1.Grant, error) {
	caller := callerFrom(ctx)
	g, err := s.visible(caller, req.GetName())
	if err != nil {
		return nil, err
	}
	// A province that no longer provides must still be able to take back what it gave.
	if err := entitleProvince(caller, "name", g.GetResource()); err != nil {
		return nil, err
	}
	return s.grants.Revoke(ctx, req.GetName(), req.GetReason(), req.GetEtag(), caller.ID)
}

// visible finds a grant that the caller may know of. One that it may not looks like none.
func (s *grantService) visible(caller Caller, name string) (*grantv1.Grant, error) {
	g, ok := s.grants.Get(name)
	if !ok || !grantScope(caller).Sees(g) {
		return nil, refusal.About(auditv1.Reason_REASON_NOT_FOUND, "name", "no such grant")
	}
	return g, nil
}

// grantScope is whose grants a caller may see. Administrators are those of the exchange's own domain: any province's authority can put
// /admin/ into an ID of its own.
func grantScope(caller Caller) grant.Scope {
	both := grant.Scope{Region: caller.Region(), TrustDomain: caller.ID.TrustDomain.Name()}
	switch role := caller.ID.Role; {
	case role == certs.RoleAdmin && caller.Member == nil:
		return grant.Scope{All: true}
	case caller.Member == nil:
		return grant.Scope{}
	case role == certs.RoleAuditor && member.Has(caller.Member, registryv1.MemberRole_MEMBER_ROLE_NATIONAL_AUDIT):
		return grant.Scope{All: true}
	case role == certs.RoleAuditor, role == certs.RoleOperator:
		return both
	case role == certs.RoleApplication:
		return grant.Scope{Application: caller.ID.String()}
	}
	return grant.Scope{}
}
