package clienttest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
)

// PublishResource implements cataloguev1.CatalogueServiceServer.
func (e *Exchange) PublishResource(_ context.Context, req *cataloguev1.PublishResourceRequest) (*cataloguev1.Resource, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := proto.CloneOf(req.GetResource())
	r.State, r.Revision = cataloguev1.ResourceState_RESOURCE_STATE_PUBLISHED, e.resources[r.GetName()].GetRevision()+1
	e.resources[r.GetName()] = r
	return proto.CloneOf(r), nil
}

// GetResource implements cataloguev1.CatalogueServiceServer.
func (e *Exchange) GetResource(_ context.Context, req *cataloguev1.GetResourceRequest) (*cataloguev1.Resource, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.resources[req.GetName()]
	if !ok {
		return nil, refuse(auditv1.Reason_REASON_NOT_FOUND, "no such resource")
	}
	return proto.CloneOf(r), nil
}

// ListResources implements cataloguev1.CatalogueServiceServer, on one page.
func (e *Exchange) ListResources(_ context.Context, req *cataloguev1.ListResourcesRequest) (*cataloguev1.ListResourcesResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	resp := &cataloguev1.ListResourcesResponse{}
	for name, r := range e.resources {
		withdrawn := r.GetState() == cataloguev1.ResourceState_RESOURCE_STATE_WITHDRAWN
		if (req.GetParent() == "provinces/-" || strings.HasPrefix(name, req.GetParent()+"/")) && (!withdrawn || req.GetShowWithdrawn()) {
			resp.Resources = append(resp.Resources, proto.CloneOf(r))
		}
	}
	slices.SortFunc(resp.Resources, func(a, b *cataloguev1.Resource) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return resp, nil
}

// WithdrawResource implements cataloguev1.CatalogueServiceServer.
func (e *Exchange) WithdrawResource(_ context.Context, req *cataloguev1.WithdrawResourceRequest) (*cataloguev1.Resource, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.resources[req.GetName()]
	if !ok {
		return nil, refuse(auditv1.Reason_REASON_NOT_FOUND, "no such resource")
	}
	r = proto.CloneOf(r)
	r.State = cataloguev1.ResourceState_RESOURCE_STATE_WITHDRAWN
	e.resources[r.GetName()] = r
	return proto.CloneOf(r), nil
}

// CreateGrant implements grantv1.GrantServiceServer.
func (e *Exchange) CreateGrant(ctx context.Context, req *grantv1.CreateGrantRequest) (*grantv1.Grant, error) {
	who, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	g := proto.CloneOf(req.GetGrant())
	g.Name, g.State, g.Creator, g.Etag = fmt.Sprintf("grants/%d", len(e.grants)+1), grantv1.GrantState_GRANT_STATE_ACTIVE, who.ID.String(), "1"
	e.grants = append(e.grants, g)
	return proto.CloneOf(g), nil
}

// GetGrant implements grantv1.GrantServiceServer.
func (e *Exchange) GetGrant(_ context.Context, req *grantv1.GetGrantRequest) (*grantv1.Grant, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, g := range e.grants {
		if g.GetName() == req.GetName() {
			return proto.CloneOf(g), nil
		}
	}
	return nil, refuse(auditv1.Reason_REASON_NOT_FOUND, "no such grant")
}

// ListGrants implements grantv1.GrantServiceServer, two a page, so that callers page.
func (e *Exchange) ListGrants(_ context.Context, req *grantv1.ListGrantsRequest) (*grantv1.ListGrantsResponse, error) {
	const page = 2
	e.mu.Lock()
	defer e.mu.Unlock()
	from := len(req.GetPageToken()) // as many characters as grants before
	to := min(from+page, len(e.grants))
	resp := &grantv1.ListGrantsResponse{}
	for _, g := range e.grants[min(from, to):to] {
		resp.Grants = append(resp.Grants, proto.CloneOf(g))
	}
	if to < len(e.grants) {
		resp.NextPageToken = strings.Repeat("n", to)
	}
	return resp, nil
}

// RevokeGrant implements grantv1.GrantServiceServer.
func (e *Exchange) RevokeGrant(_ context.Context, req *grantv1.RevokeGrantRequest) (*grantv1.Grant, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, g := range e.grants {
		if g.GetName() == req.GetName() {
			g = proto.CloneOf(g)
			g.State, g.RevokeReason = grantv1.GrantState_GRANT_STATE_REVOKED, req.GetReason()
			e.grants[i] = g
			return proto.CloneOf(g), nil
		}
	}
	return nil, refuse(auditv1.Reason_REASON_NOT_FOUND, "no such grant")
}
