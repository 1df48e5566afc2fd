package exchange

import (
	"context"
	"strconv"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/catalogue"
	"github.com/kuasheng/kuasheng/exchange/member"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// catalogueService shows the catalogue to everybody and lets each province change its own part.
type catalogueService struct {
	cataloguev1.UnimplementedCatalogueServiceServer
	resources *catalogue.Store
}

func newCatalogueService(resources *catalogue.Store) *catalogueService {
	return &catalogueService{resources: resources}
}

func (s *catalogueService) PublishResource(ctx context.Context, req *cataloguev1.PublishResourceRequest) (*cataloguev1.Resource, error) {
	caller := callerFrom(ctx)
	if err := entitleProvider(caller, "resource.name", req.GetResource().GetName()); err != nil {
		return nil, err
	}
	if caller.ID.Role == certs.RoleNode {
		return s.resources.PublishByNode(ctx, req.GetResource())
	}
	return s.resources.Publish(ctx, req.GetResource())
}

func (s *catalogueService) GetResource(_ context.Context, req *cataloguev1.GetResourceRequest) (*cataloguev1.Resource, error) {
	r, ok := s.resources.Get(req.GetName())
	if !ok {
		return nil, refusal.About(auditv1.Reason_REASON_NOT_FOUND, "name", "no such resource")
	}
	return r, nil
}

func (s *catalogueService) ListResources(_ context.Context, req *cataloguev1.ListResourcesRequest) (*cataloguev1.ListResourcesResponse, error) {
	list := []string{"resources", req.GetParent(), strconv.FormatBool(req.GetShowWithdrawn())}
	after, err := pageCursor(req.GetPageToken(), list...)
	if err != nil {
		return nil, err
	}
	filter := catalogue.Filter{Region: member.Region(req.GetParent()), Withdrawn: req.GetShowWithdrawn()}
	if filter.Region == "-" {
		filter.Region = ""
	}
	page, more := s.resources.List(filter, after, pageSize(req.GetPageSize()))
	resp := &cataloguev1.ListResourcesResponse{Resources: page}
	if more {
		resp.NextPageToken = pageToken(page[len(page)-1].GetName(), list...)
	}
	return resp, nil
}

func (s *catalogueService) WithdrawResource(ctx context.Context, req *cataloguev1.WithdrawResourceRequest) (*cataloguev1.Resource, error) {
	caller := callerFrom(ctx)
	if err := entitleProvider(caller, "name", req.GetName()); err != nil {
		return nil, err
	}
	if caller.ID.Role == certs.RoleNode {
		return s.resources.WithdrawByNode(ctx, req.GetName(), req.GetEtag())
	}
	return s.resources.Withdraw(ctx, req.GetName(), req.GetEtag())
}

// entitleProvider demands what entitleProvince does, and that the province provides. The place is where the name stands in the request.
func entitleProvider(caller Caller, place, resource string) error {
	if err := entitleProvince(caller, place, resource); err != nil {
		return err
	}
	if !member.Has(caller.Member, registryv1.MemberRole_MEMBER_ROLE_PROVIDER) {
		return refusal.About(auditv1.Reason_REASON_NOT_ENTITLED, place, "the province does not have the role PROVIDER: an administrator gives it")
	}
	return nil
}

// entitleProvince demands that the caller belongs to the province that the resource name stands under.
func entitleProvince(caller Caller, place, resource string) error {
	name, err := ident.ParseResourceName(resource)
	if err != nil {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, place, "%s: %v", place, err)
	}
	if caller.Member == nil || caller.Region() != name.Region.Code {
		return refusal.About(auditv1.Reason_REASON_NOT_ENTITLED, place, "the resource is another province's")
	}
	return nil
}
