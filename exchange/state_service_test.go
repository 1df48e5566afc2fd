package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange/catalogue"
	"github.com/kuasheng/kuasheng/exchange/grant"
	"github.com/kuasheng/kuasheng/exchange/member"
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// bureaus are the three services that stand on the state, over a real store: Henan provides, Zhejiang asks, Beijing does neither but
// audits for the nation, Anhui does nothing.
type bureaus struct {
	registry  *registryService
	catalogue *catalogueService
	grants    *grantService
	members   *member.Store
}

func newBureaus(t *testing.T) *bureaus {
	t.Helper()
	st, err := state.Create(filepath.Join(t.TempDir(), "state"), "exchange.example", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	members, err := member.Open(st, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := catalogue.Open(st, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.Open(st, resources, members, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	attached := func(region string) []string {
		if region == "410000" {
			return []string{"replica-1"}
		}
		return nil
	}
	b := &bureaus{
		registry:  newRegistryService(members, &registryv1.Exchange{Name: "exchange", TrustDomain: "exchange.example"}, attached),
		catalogue: newCatalogueService(resources),
		grants:    newGrantService(grants),
		members:   members,
	}
	b.register(t, "410000", "henan.example", registryv1.MemberRole_MEMBER_ROLE_PROVIDER)
	b.register(t, "330000", "zhejiang.example", registryv1.MemberRole_MEMBER_ROLE_REQUESTER)
	b.register(t, "110000", "beijing.example", registryv1.MemberRole_MEMBER_ROLE_NATIONAL_AUDIT)
	b.register(t, "340000", "anhui.example")
	return b
}

func (b *bureaus) register(t *testing.T, region, domain string, roles ...registryv1.MemberRole) {
	t.Helper()
	ca, err := devca.New(spiffeid.RequireTrustDomainFromString(domain))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := ca.Bundle().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.registry.CreateMember(t.Context(), &registryv1.CreateMemberRequest{Member: &registryv1.Member{
		Name: "provinces/" + region, Uscc: "11410000MB0D00416U", DisplayNameZh: "省", TrustDomain: domain, BundlePem: string(pem), Roles: roles,
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// as is a context of a call by this SPIFFE ID, after authentication.
func (b *bureaus) as(t *testing.T, id string) context.Context {
	t.Helper()
	parsed, err := certs.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := b.members.ByTrustDomain(parsed.TrustDomain)
	return withCaller(t.Context(), Caller{Peer: certs.Peer{ID: parsed}, Member: m})
}

func fundEntry(region string, sequence int) *cataloguev1.Resource {
	text := &cataloguev1.LocalizedText{Zh: "文"}
	return &cataloguev1.Resource{
		Name: fmt.Sprintf("provinces/%s/resources/307410000001-%d", region, sequence), Code: fmt.Sprintf("307410000001/%d", sequence),
		Title: text, Abstract: text, Provider: &cataloguev1.Department{DisplayName: "厅", Uscc: "11410000MB0D00416U"},
		Fields:  []*cataloguev1.Field{{Name: "balance", Title: text, Type: cataloguev1.FieldType_FIELD_TYPE_CURRENCY}},
		Sharing: &cataloguev1.Sharing{Type: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, Mode: cataloguev1.ShareMode_SHARE_MODE_SERVICE},
		Grade:   cataloguev1.Grade_GRADE_GENERAL_2, SourceDepartment: "11410000MB0D00416U",
	}
}

func (b *bureaus) publish(t *testing.T, sequence int) *cataloguev1.Resource {
	t.Helper()
	r, err := b.catalogue.PublishResource(b.as(t, "spiffe://henan.example/node"), &cataloguev1.PublishResourceRequest{Resource: fundEntry("410000", sequence)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bureaus) give(t *testing.T, resource, requester string) *grantv1.Grant {
	t.Helper()
	g, err := b.grants.CreateGrant(b.as(t, "spiffe://henan.example/operator/li"), &grantv1.CreateGrantRequest{Grant: &grantv1.Grant{
		Resource: resource, Requester: requester, Fields: []string{"balance"}, Purposes: []string{"housing-loan-review"},
		ExpireTime: timestamppb.New(time.Now().Add(time.Hour)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// refused holds an error against a reason; no reason means that there is to be no error.
func refused(t *testing.T, what string, err error, reason auditv1.Reason) {
	t.Helper()
	if reason == 0 && err != nil {
		t.Errorf("%s: refused: %v", what, err)
	} else if reason != 0 && !errors.Is(err, &refusal.Error{Reason: reason}) {
		t.Errorf("%s: error %v, want %v", what, err, reason)
	}
}

const (
	notFound    = auditv1.Reason_REASON_NOT_FOUND
	notEntitled = auditv1.Reason_REASON_NOT_ENTITLED
	badToken    = auditv1.Reason_REASON_PAGE_TOKEN_INVALID
	badArgument = auditv1.Reason_REASON_ARGUMENT_INVALID
)

func TestRegistryService(t *testing.T) {
	b := newBureaus(t)
	ctx := b.as(t, "spiffe://exchange.example/admin/zhao")
	got, err := b.registry.GetMember(ctx, &registryv1.GetMemberRequest{Name: "provinces/410000"})
	refused(t, "get", err, 0)
	if diff := cmp.Diff([]string{"replica-1"}, got.GetAttachedReplicas()); diff != "" {
		t.Errorf("attached replicas (-want +got):\n%s", diff)
	}
	if shared, _ := b.members.Get("410000"); shared.GetAttachedReplicas() != nil {
		t.Error("the shared member was changed")
	}
	_, err = b.registry.GetMember(ctx, &registryv1.GetMemberRequest{Name: "provinces/440000"})
	refused(t, "get what is not there", err, notFound)

	updated, err := b.registry.UpdateMember(ctx, &registryv1.UpdateMemberRequest{
		Member:     &registryv1.Member{Name: "provinces/410000", Etag: got.GetEtag(), State: registryv1.MemberState_MEMBER_STATE_SUSPENDED},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"state"}},
	})
	refused(t, "update", err, 0)
	if member.Active(updated) || len(updated.GetAttachedReplicas()) != 1 {
		t.Errorf("updated: %v", updated)
	}

	var regions []string
	token := ""
	for {
		page, err := b.registry.ListMembers(ctx, &registryv1.ListMembersRequest{PageSize: 3, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.GetMembers() {
			regions = append(regions, member.Region(m.GetName()))
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"110000", "330000", "340000", "410000"}, regions); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	_, err = b.registry.ListMembers(ctx, &registryv1.ListMembersRequest{PageToken: pageToken("330000", "resources")})
	refused(t, "token of another list", err, badToken)
	if x, err := b.registry.GetExchange(ctx, nil); err != nil || x.GetTrustDomain() != "exchange.example" {
		t.Errorf("exchange: %v, %v", x, err)
	}
}

func TestCatalogueServiceEntitlement(t *testing.T) {
	b := newBureaus(t)
	for _, c := range []struct {
		caller string
		region string
		want   auditv1.Reason
	}{
		{"spiffe://henan.example/node", "410000", 0},
		{"spiffe://henan.example/operator/li", "410000", 0},
		{"spiffe://zhejiang.example/node", "410000", notEntitled},
		{"spiffe://henan.example/node", "330000", notEntitled},
		{"spiffe://zhejiang.example/node", "330000", notEntitled}, // its own, but it does not provide
		{"spiffe://exchange.example/admin/zhao", "410000", notEntitled},
		{"spiffe://henan.example/node", "990000", badArgument},
	} {
		what := c.caller + " for " + c.region
		entry := fundEntry(c.region, 1)
		_, err := b.catalogue.PublishResource(b.as(t, c.caller), &cataloguev1.PublishResourceRequest{Resource: entry})
		refused(t, "publishing by "+what, err, c.want)
		_, err = b.catalogue.WithdrawResource(b.as(t, c.caller), &cataloguev1.WithdrawResourceRequest{Name: entry.GetName()})
		refused(t, "withdrawing by "+what, err, c.want)
	}
}

func TestCatalogueServiceReading(t *testing.T) {
	b := newBureaus(t)
	ctx := b.as(t, "spiffe://anhui.example/app/portal")
	for i := range 5 {
		b.publish(t, i+1)
	}
	if _, err := b.catalogue.WithdrawResource(b.as(t, "spiffe://henan.example/operator/li"), &cataloguev1.WithdrawResourceRequest{Name: fundEntry("410000", 2).GetName()}); err != nil {
		t.Fatal(err)
	}
	r, err := b.catalogue.GetResource(ctx, &cataloguev1.GetResourceRequest{Name: fundEntry("410000", 2).GetName()})
	if err != nil || catalogue.Published(r) {
		t.Errorf("a withdrawn entry is to stay readable: %v, %v", r, err)
	}
	_, err = b.catalogue.GetResource(ctx, &cataloguev1.GetResourceRequest{Name: fundEntry("410000", 9).GetName()})
	refused(t, "get what is not there", err, notFound)

	for _, c := range []struct {
		parent    string
		withdrawn bool
		want      int
	}{{"provinces/410000", false, 4}, {"provinces/-", false, 4}, {"provinces/-", true, 5}, {"provinces/330000", true, 0}} {
		got, token := 0, ""
		for {
			page, err := b.catalogue.ListResources(ctx, &cataloguev1.ListResourcesRequest{Parent: c.parent, ShowWithdrawn: c.withdrawn, PageSize: 2, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			got += len(page.GetResources())
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		if got != c.want {
			t.Errorf("%s, withdrawn %v: %d entries, want %d", c.parent, c.withdrawn, got, c.want)
		}
	}
	page, err := b.catalogue.ListResources(ctx, &cataloguev1.ListResourcesRequest{Parent: "provinces/-", PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.catalogue.ListResources(ctx, &cataloguev1.ListResourcesRequest{Parent: "provinces/-", ShowWithdrawn: true, PageToken: page.GetNextPageToken()})
	refused(t, "token of another filter", err, badToken)
}

func TestGrantServiceEntitlement(t *testing.T) {
	b := newBureaus(t)
	r := b.publish(t, 1)
	const portal = "spiffe://zhejiang.example/app/portal"
	g := b.give(t, r.GetName(), portal)
	for _, c := range []struct {
		caller              string
		create, get, revoke auditv1.Reason
	}{
		{"spiffe://zhejiang.example/operator/wang", notEntitled, 0, notEntitled},
		{"spiffe://zhejiang.example/auditor/wang", notEntitled, 0, notEntitled},
		{portal, notEntitled, 0, notEntitled},
		{"spiffe://zhejiang.example/app/other", notEntitled, notFound, notFound},
		{"spiffe://zhejiang.example/node", notEntitled, notFound, notFound},
		{"spiffe://anhui.example/operator/sun", notEntitled, notFound, notFound},
		{"spiffe://anhui.example/auditor/sun", notEntitled, notFound, notFound},
		{"spiffe://anhui.example/admin/sun", notEntitled, notFound, notFound}, // any authority can sign /admin/
		{"spiffe://beijing.example/auditor/zhou", notEntitled, 0, notEntitled},
		{"spiffe://beijing.example/operator/zhou", notEntitled, notFound, notFound},
		{"spiffe://exchange.example/admin/zhao", notEntitled, 0, notEntitled},
		{"spiffe://exchange.example/auditor/zhao", notEntitled, notFound, notFound},
		{"spiffe://henan.example/auditor/li", 0, 0, 0}, // the province is right; the role is the table's matter
	} {
		ctx := b.as(t, c.caller)
		_, err := b.grants.CreateGrant(ctx, &grantv1.CreateGrantRequest{Grant: &grantv1.Grant{
			Resource: r.GetName(), Requester: portal, Fields: []string{"balance"}, ExpireTime: timestamppb.New(time.Now().Add(time.Hour)),
		}})
		refused(t, "creating by "+c.caller, err, c.create)
		got, err := b.grants.GetGrant(ctx, &grantv1.GetGrantRequest{Name: g.GetName()})
		refused(t, "reading by "+c.caller, err, c.get)
		if err == nil && !proto.Equal(got, g) {
			t.Errorf("reading by %s: %s", c.caller, cmp.Diff(g, got, protocmp.Transform()))
		}
		list, err := b.grants.ListGrants(ctx, &grantv1.ListGrantsRequest{})
		refused(t, "listing by "+c.caller, err, 0)
		if seen := len(list.GetGrants()) > 0; seen != (c.get == 0) {
			t.Errorf("listing by %s shows %d grants", c.caller, len(list.GetGrants()))
		}
		_, err = b.grants.RevokeGrant(ctx, &grantv1.RevokeGrantRequest{Name: g.GetName(), Reason: "办结"})
		refused(t, "revoking by "+c.caller, err, c.revoke)
	}
	_, err := b.grants.CreateGrant(b.as(t, "spiffe://henan.example/operator/li"), &grantv1.CreateGrantRequest{Grant: &grantv1.Grant{Resource: "x"}})
	refused(t, "a malformed resource", err, badArgument)
}

// TestRevokeWithoutProviding takes the role from a province that has given grants: it gives none any more, and can still take them back.
func TestRevokeWithoutProviding(t *testing.T) {
	b := newBureaus(t)
	g := b.give(t, b.publish(t, 1).GetName(), "spiffe://zhejiang.example/app/portal")
	_, err := b.registry.UpdateMember(t.Context(), &registryv1.UpdateMemberRequest{
		Member: &registryv1.Member{Name: "provinces/410000"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"roles"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := b.as(t, "spiffe://henan.example/operator/li")
	_, err = b.grants.CreateGrant(ctx, &grantv1.CreateGrantRequest{Grant: &grantv1.Grant{Resource: g.GetResource()}})
	refused(t, "creating", err, notEntitled)
	_, err = b.grants.RevokeGrant(ctx, &grantv1.RevokeGrantRequest{Name: g.GetName(), Reason: "不再提供"})
	refused(t, "revoking", err, 0)
}

func TestListGrantsPages(t *testing.T) {
	b := newBureaus(t)
	resource := b.publish(t, 1).GetName()
	var want, got []string
	for range 7 {
		want = append([]string{b.give(t, resource, "spiffe://zhejiang.example/app/portal").GetName()}, want...)
	}
	ctx := b.as(t, "spiffe://zhejiang.example/operator/wang")
	req := &grantv1.ListGrantsRequest{PageSize: 3, Resource: resource}
	for {
		page, err := b.grants.ListGrants(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page.GetGrants() {
			got = append(got, g.GetName())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	page, err := b.grants.ListGrants(ctx, &grantv1.ListGrantsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.grants.ListGrants(ctx, &grantv1.ListGrantsRequest{PageToken: page.GetNextPageToken(), Resource: resource})
	refused(t, "token of another filter", err, badToken)
	_, err = b.grants.ListGrants(ctx, &grantv1.ListGrantsRequest{PageToken: pageToken("x", "grants", "", "")})
	refused(t, "forged cursor", err, badToken)
}
