package grant

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange/catalogue"
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
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	fund   = "provinces/410000/resources/307410000001-000001"
	portal = "spiffe://zhejiang.example/app/housing-portal"
)

// system is an exchange with Henan, which shares one resource, and Zhejiang, which asks. The test sets its clock.
type system struct {
	*Store
	state     *state.Store
	resources *catalogue.Store
	members   *member.Store

	mu    sync.Mutex
	clock time.Time
}

func (s *system) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *system) sleep(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

func newSystem(t testing.TB) *system {
	t.Helper()
	s := &system{clock: time.Now()}
	var err error
	s.state, err = state.Create(filepath.Join(t.TempDir(), "state"), "exchange.example", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.state.Close() })
	if s.members, err = member.Open(s.state, s.now); err != nil {
		t.Fatal(err)
	}
	if s.resources, err = catalogue.Open(s.state, s.now); err != nil {
		t.Fatal(err)
	}
	if s.Store, err = Open(s.state, s.resources, s.members, s.now); err != nil {
		t.Fatal(err)
	}
	s.register(t, "410000", "henan.example", registryv1.MemberRole_MEMBER_ROLE_PROVIDER)
	s.register(t, "330000", "zhejiang.example", registryv1.MemberRole_MEMBER_ROLE_REQUESTER)
	s.publish(t, entry(fund))
	return s
}

func (s *system) register(t testing.TB, region, domain string, roles ...registryv1.MemberRole) {
	t.Helper()
	ca, err := devca.New(spiffeid.RequireTrustDomainFromString(domain))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := ca.Bundle().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.members.Create(t.Context(), &registryv1.Member{
		Name: "provinces/" + region, Uscc: "11410000MB0D00416U", DisplayNameZh: "省", TrustDomain: domain, BundlePem: string(pem), Roles: roles,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func entry(name string) *cataloguev1.Resource {
	text := &cataloguev1.LocalizedText{Zh: "文"}
	return &cataloguev1.Resource{
		Name: name, Code: name[len("provinces/410000/resources/"):][:12] + "/" + name[len("provinces/410000/resources/307410000001-"):],
		Title: text, Abstract: text, Provider: &cataloguev1.Department{DisplayName: "厅", Uscc: "11410000MB0D00416U"},
		Fields: []*cataloguev1.Field{
			{Name: "name", Title: text, Type: cataloguev1.FieldType_FIELD_TYPE_STRING},
			{Name: "balance", Title: text, Type: cataloguev1.FieldType_FIELD_TYPE_CURRENCY},
			{Name: "secret", Title: text, Type: cataloguev1.FieldType_FIELD_TYPE_STRING, ShareType: cataloguev1.ShareType_SHARE_TYPE_NOT_SHARED},
		},
		Sharing: &cataloguev1.Sharing{Type: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, Mode: cataloguev1.ShareMode_SHARE_MODE_SERVICE},
		Grade:   cataloguev1.Grade_GRADE_GENERAL_3, SourceDepartment: "11410000MB0D00416U",
	}
}

func (s *system) publish(t testing.TB, r *cataloguev1.Resource) {
	t.Helper()
	if _, err := s.resources.Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func (s *system) wanted() *grantv1.Grant {
	return &grantv1.Grant{
		Resource: fund, Requester: portal, Fields: []string{"name", "balance"}, Purposes: []string{"housing-loan-review"},
		ServiceItems: []string{"000117005001"}, ExpireTime: timestamppb.New(s.now().AddDate(1, 0, 0)), Quota: &grantv1.Quota{PerSecond: 10},
	}
}

func operator() certs.ID {
	return certs.ID{TrustDomain: spiffeid.RequireTrustDomainFromString("henan.example"), Role: certs.RoleOperator, Name: "li"}
}

func (s *system) create(t testing.TB, g *grantv1.Grant) *grantv1.Grant {
	t.Helper()
	created, err := s.Create(t.Context(), g, operator(), "")
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func wantRefusal(t *testing.T, err error, reason auditv1.Reason, fields ...string) {
	t.Helper()
	if !errors.Is(err, &refusal.Error{Reason: reason}) {
		t.Errorf("error %v, want %v", err, reason)
		return
	}
	var places []string
	e, _ := refusal.Of(err)
	for _, f := range e.Fields {
		places = append(places, f.Name)
	}
	if diff := cmp.Diff(fields, places); len(fields) > 0 && diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func TestCreate(t *testing.T) {
	s := newSystem(t)
	in := s.wanted()
	in.Name, in.State, in.Creator, in.Revision, in.RevokeReason = "grants/forged", grantv1.GrantState_GRANT_STATE_REVOKED, "forged", 9, "forged"
	g := s.create(t, in)
	if !regexp.MustCompile(`^grants/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(g.GetName()) {
		t.Errorf("name %q is not a random UUID's", g.GetName())
	}
	want := s.wanted()
	want.Name, want.Etag = g.GetName(), g.GetEtag()
	want.State, want.Creator, want.Revision, want.ResourceRevision = grantv1.GrantState_GRANT_STATE_ACTIVE, operator().String(), 1, 1
	want.StartTime, want.CreateTime = timestamppb.New(s.now()), timestamppb.New(s.now())
	if diff := cmp.Diff(want, g, protocmp.Transform()); diff != "" || g.GetEtag() == "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	viewed, _ := s.Get(g.GetName())
	pairs := s.ByRequesterResource(portal, fund)
	if !proto.Equal(viewed, g) || len(pairs) != 1 || pairs[0] != viewed {
		t.Errorf("the view has %v and %v", viewed, pairs)
	}
	if got := s.ByRequesterResource(portal, fund+"0"); len(got) != 0 {
		t.Errorf("grants for another resource: %v", got)
	}
}

func TestRequestID(t *testing.T) {
	s := newSystem(t)
	const id = "0b7c4c0e-8e0a-4a55-9e0b-0b7c4c0e8e0a"
	wanted := s.wanted()
	first, err := s.Create(t.Context(), wanted, operator(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.sleep(time.Minute)
	again, err := s.Create(t.Context(), wanted, operator(), id)
	if err != nil || !proto.Equal(first, again) {
		t.Errorf("the same request gave %v, %v", again, err)
	}
	revoked, err := s.Revoke(t.Context(), first.GetName(), "办结", "", operator())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Create(t.Context(), wanted, operator(), id); err != nil || !proto.Equal(revoked, again) {
		t.Errorf("the same request after the revocation gave %v, %v", again, err)
	}
	more := proto.CloneOf(wanted)
	more.Fields = []string{"name"}
	_, err = s.Create(t.Context(), more, operator(), id)
	wantRefusal(t, err, auditv1.Reason_REASON_ARGUMENT_INVALID)
	other := operator()
	other.Name = "wang"
	if g, err := s.Create(t.Context(), wanted, other, id); err != nil || g.GetName() == first.GetName() {
		t.Errorf("another operator's request of the same id gave %v, %v", g, err)
	}
	if s.Len() != 2 {
		t.Errorf("%d grants, want 2", s.Len())
	}
}

func TestConcurrentRequestsYieldOne(t *testing.T) {
	s := newSystem(t)
	wanted := s.wanted()
	var wg sync.WaitGroup
	names := make(chan string, 16)
	for range cap(names) {
		wg.Go(func() {
			g, err := s.Create(t.Context(), wanted, operator(), "0b7c4c0e-8e0a-4a55-9e0b-0b7c4c0e8e0a")
			if err != nil {
				t.Error(err)
			}
			names <- g.GetName()
		})
	}
	wg.Wait()
	close(names)
	first := <-names
	for name := range names {
		if name != first {
			t.Errorf("two grants for one request: %q and %q", first, name)
		}
	}
	if s.Len() != 1 {
		t.Errorf("%d grants, want 1", s.Len())
	}
}

// TestRestsOnEntry withdraws and publishes entries while grants are given: none may come out that was checked against an older entry.
func TestRestsOnEntry(t *testing.T) {
	s := newSystem(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 60 {
			if _, err := s.resources.Withdraw(t.Context(), fund, ""); err != nil {
				t.Error(err)
			}
			r := entry(fund)
			r.Classification = fmt.Sprint(i)
			if _, err := s.resources.Publish(t.Context(), r); err != nil {
				t.Error(err)
			}
		}
	})
	given := make(chan *grantv1.Grant, 60)
	for range 3 {
		wg.Go(func() {
			for range 20 {
				g, err := s.Create(t.Context(), s.wanted(), operator(), "")
				if err == nil {
					given <- g
				} else {
					wantRefusal(t, err, auditv1.Reason_REASON_RESOURCE_WITHDRAWN)
				}
			}
		})
	}
	wg.Wait()
	close(given)
	for g := range given {
		// Published and withdrawn take turns, so that odd revisions are the published ones.
		if g.GetResourceRevision()%2 != 1 {
			t.Errorf("a grant rests on revision %d, which was withdrawn", g.GetResourceRevision())
		}
	}
}

func TestRevoke(t *testing.T) {
	s := newSystem(t)
	g := s.create(t, s.wanted())
	_, err := s.Revoke(t.Context(), g.GetName(), "51010018800101001X 已办结", "", operator())
	wantRefusal(t, err, auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT, "reason")
	_, err = s.Revoke(t.Context(), g.GetName(), "办结", "stale", operator())
	wantRefusal(t, err, auditv1.Reason_REASON_ETAG_MISMATCH)
	_, err = s.Revoke(t.Context(), "grants/none", "办结", "", operator())
	wantRefusal(t, err, auditv1.Reason_REASON_NOT_FOUND)

	revoked, err := s.Revoke(t.Context(), g.GetName(), "办结", g.GetEtag(), operator())
	if err != nil {
		t.Fatal(err)
	}
	if revoked.GetState() != grantv1.GrantState_GRANT_STATE_REVOKED || revoked.GetRevoker() != operator().String() || revoked.GetRevokeReason() != "办结" ||
		revoked.GetRevision() != 2 || revoked.GetEtag() == g.GetEtag() || !revoked.GetRevokeTime().AsTime().Equal(s.now()) {
		t.Errorf("revoked: %v", revoked)
	}
	if pairs := s.ByRequesterResource(portal, fund); len(pairs) != 1 || !proto.Equal(pairs[0], revoked) {
		t.Errorf("what decisions see right after: %v", pairs)
	}
	_, err = s.Revoke(t.Context(), g.GetName(), "办结", "", operator())
	wantRefusal(t, err, auditv1.Reason_REASON_RULE_VIOLATED)
}

func TestPairIsBounded(t *testing.T) {
	s := newSystem(t)
	keep := s.create(t, s.wanted())
	for range 3 * keepSpent {
		s.sleep(time.Second)
		g := s.create(t, s.wanted())
		if _, err := s.Revoke(t.Context(), g.GetName(), "办结", "", operator()); err != nil {
			t.Fatal(err)
		}
	}
	pairs := s.ByRequesterResource(portal, fund)
	if len(pairs) != keepSpent+1 || pairs[keepSpent].GetName() != keep.GetName() {
		t.Errorf("%d grants at hand, want %d with the one in force last", len(pairs), keepSpent+1)
	}
	for range maxInForce - 1 {
		s.create(t, s.wanted())
	}
	_, err := s.Create(t.Context(), s.wanted(), operator(), "")
	wantRefusal(t, err, auditv1.Reason_REASON_RULE_VIOLATED, "grant.requester")
	s.sleep(400 * 24 * time.Hour)
	s.create(t, s.wanted())
}
