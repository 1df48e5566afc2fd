package exchange_test

import (
	"context"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// wantRecorded checks that a refusal is typed and stands on record with the same reason, and returns the record.
func (s *system) wantRecorded(err error, code codes.Code, reason auditv1.Reason, domain, subject string) *auditv1.Access {
	s.T.Helper()
	name, got := wantRefusal(s.T, err, code, reason, domain)
	if got != subject {
		s.T.Errorf("refusal is about %q, want %q", got, subject)
	}
	if name == "" {
		s.T.Fatalf("%v is not on record", reason)
	}
	a := s.access(name)
	if domain == harness.Domain {
		if i := a.GetRecord().GetIntent(); i.GetVerdict() != auditv1.Verdict_VERDICT_REFUSED || i.GetReason() != reason || i.GetSubjectOfRefusal() != subject {
			s.T.Errorf("on record: %v %v about %q", i.GetVerdict(), i.GetReason(), i.GetSubjectOfRefusal())
		}
		return a
	}
	a = s.waitResult(name, auditv1.Result_RESULT_REFUSED_BY_NODE, auditv1.Result_RESULT_FAILED)
	if o := a.GetOutcome(); o.GetReason() != reason || len(o.GetAnswerHash()) == 0 {
		s.T.Errorf("outcome on record: %v", o)
	}
	return a
}

// TestRefusals makes requests that must not be answered. Each is on record with its reason, and none reaches the source.
func TestRefusals(t *testing.T) {
	s := start(t, "one")
	s.run("one", `  deny:
    - { requester: "`+s.zhejiang.AppID("denied")+`", reason: 该系统已停用 }
    - { purpose: tourism, reason: 不得用于旅游 }
`)
	fields := []string{"value"}
	name := s.grant(service, func(g *grantv1.Grant) {
		g.Purposes = []string{"housing-loan-review", "tourism"}
		g.LegalBases = []grantv1.LegalBasis{grantv1.LegalBasis_LEGAL_BASIS_STATUTORY_DUTY}
		g.ServiceItems = []string{"000117005001"}
	}, fields...)
	s.grant(harness.Resource, nil, "account_no", "balance")
	s.Grant(s.henan, &grantv1.Grant{Resource: s.henan.ResourceName(service), Requester: s.zhejiang.AppID("denied"), Fields: fields})
	s.Grant(s.henan, &grantv1.Grant{Resource: s.henan.ResourceName(service), Requester: s.zhejiang.AppID("early"), Fields: fields, StartTime: timestamppb.New(time.Now().Add(time.Hour))})
	revoked := s.Grant(s.henan, &grantv1.Grant{Resource: s.henan.ResourceName(service), Requester: s.zhejiang.AppID("revoked"), Fields: fields})
	operator := s.Dial(s.henan.CA, "spiffe://henan.example/operator/wang")
	_, err := grantv1.NewGrantServiceClient(operator).RevokeGrant(t.Context(), &grantv1.RevokeGrantRequest{Name: revoked, Reason: "项目结束"})
	check(t, err)
	late := time.Now().Add(300 * time.Millisecond)
	s.Grant(s.henan, &grantv1.Grant{Resource: s.henan.ResourceName(service), Requester: s.zhejiang.AppID("late"), Fields: fields, ExpireTime: timestamppb.New(late)})

	request := func(change func(*queryv1.QueryResourceRequest)) *queryv1.QueryResourceRequest {
		r := s.ask(service, map[string]string{"size": "1"}, "value")
		if change != nil {
			change(r)
		}
		return r
	}
	if _, err := s.zhejiang.App("portal").Query(t.Context(), request(nil)); err != nil {
		t.Fatalf("the request that all others are changed from: %v", err)
	}
	asked := s.source.asked.Load()

	const denied, precondition, invalid = codes.PermissionDenied, codes.FailedPrecondition, codes.InvalidArgument
	for _, c := range []struct {
		name    string
		app     string
		change  func(*queryv1.QueryResourceRequest)
		code    codes.Code
		reason  auditv1.Reason
		subject string
		domain  string
		before  func()
		after   func()
	}{
		{name: "no grant", app: "nobody", code: denied, reason: auditv1.Reason_REASON_NO_GRANT},
		{name: "field not granted", change: func(r *queryv1.QueryResourceRequest) {
			r.Resource, r.Fields, r.Parameters = s.henan.ResourceName(harness.Resource), []string{"balance", "name"}, map[string]string{"id_number": harness.PersonA}
		}, code: denied, reason: auditv1.Reason_REASON_FIELD_NOT_GRANTED, subject: "name"},
		{name: "field unknown", change: func(r *queryv1.QueryResourceRequest) { r.Fields = []string{"value", "shoe_size"} }, code: invalid, reason: auditv1.Reason_REASON_FIELD_UNKNOWN, subject: "shoe_size"},
		{name: "wrong purpose", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.Code = "marketing" }, code: denied, reason: auditv1.Reason_REASON_PURPOSE_NOT_GRANTED, subject: "purpose.code"},
		{name: "expired", app: "late", before: func() { s.Eventually("expired", func() bool { return time.Now().After(late) }) }, code: denied, reason: auditv1.Reason_REASON_GRANT_EXPIRED},
		{name: "not yet valid", app: "early", code: denied, reason: auditv1.Reason_REASON_GRANT_NOT_YET_VALID},
		{name: "revoked", app: "revoked", code: denied, reason: auditv1.Reason_REASON_GRANT_REVOKED},
		{name: "legal basis", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.LegalBasis = grantv1.LegalBasis_LEGAL_BASIS_CONSENT }, code: denied, reason: auditv1.Reason_REASON_LEGAL_BASIS_NOT_GRANTED, subject: "purpose.legal_basis"},
		{name: "service item", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.ServiceItem = "510117005001" }, code: denied, reason: auditv1.Reason_REASON_ITEM_NOT_GRANTED, subject: "purpose.service_item"},
		{name: "veto of a requester", app: "denied", code: denied, reason: auditv1.Reason_REASON_POLICY_DENIED, domain: "henan.example"},
		{name: "veto of a purpose", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.Code = "tourism" }, code: denied, reason: auditv1.Reason_REASON_POLICY_DENIED, domain: "henan.example"},
		{name: "not shared", change: func(r *queryv1.QueryResourceRequest) { r.Resource = s.henan.ResourceName(notShared) }, code: precondition, reason: auditv1.Reason_REASON_RESOURCE_NOT_SHARED},
		{name: "core grade", change: func(r *queryv1.QueryResourceRequest) { r.Resource = s.henan.ResourceName(core) }, code: precondition, reason: auditv1.Reason_REASON_GRADE_NOT_ROUTABLE},
		{name: "important grade", change: func(r *queryv1.QueryResourceRequest) { r.Resource = s.henan.ResourceName(important) }, code: precondition, reason: auditv1.Reason_REASON_GRADE_NOT_ROUTABLE},
		{name: "unknown resource", change: func(r *queryv1.QueryResourceRequest) { r.Resource = s.henan.ResourceName("307410000001/999999") }, code: codes.NotFound, reason: auditv1.Reason_REASON_NOT_FOUND, subject: "resource"},
		{name: "unknown parameter", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["shoe_size"] = "44" }, code: invalid, reason: auditv1.Reason_REASON_PARAMETER_UNKNOWN, subject: "shoe_size"},
		{name: "missing parameter", change: func(r *queryv1.QueryResourceRequest) {
			r.Resource, r.Fields, r.Parameters = s.henan.ResourceName(harness.Resource), []string{"balance"}, nil
		}, code: invalid, reason: auditv1.Reason_REASON_PARAMETER_MISSING, subject: "id_number"},
		{name: "suspended provider", before: func() { s.setState(s.henan, registryv1.MemberState_MEMBER_STATE_SUSPENDED) }, after: func() { s.setState(s.henan, registryv1.MemberState_MEMBER_STATE_ACTIVE) }, code: denied, reason: auditv1.Reason_REASON_MEMBER_SUSPENDED},
		{name: "withdrawn", before: func() {
			_, err := cataloguev1.NewCatalogueServiceClient(operator).WithdrawResource(t.Context(), &cataloguev1.WithdrawResourceRequest{Name: s.henan.ResourceName(service)})
			check(t, err)
		}, code: precondition, reason: auditv1.Reason_REASON_RESOURCE_WITHDRAWN},
	} {
		if c.app == "" {
			c.app = "portal"
		}
		if c.domain == "" {
			c.domain = harness.Domain
		}
		if c.before != nil {
			c.before()
		}
		_, err := s.zhejiang.App(c.app).Query(t.Context(), request(c.change))
		if c.after != nil {
			c.after()
		}
		t.Log(c.name)
		a := s.wantRecorded(err, c.code, c.reason, c.domain, c.subject)
		intent := a.GetRecord().GetIntent()
		if intent.GetCaller().GetSpiffeId() != s.zhejiang.AppID(c.app) || intent.GetResource() == "" || intent.GetPurpose() == nil || len(intent.GetFields()) == 0 || len(intent.GetParametersDigest()) == 0 {
			t.Errorf("%s: the record lacks something: %v", c.name, intent)
		}
		if nearest := intent.GetGrant(); c.app == "portal" && (c.reason == auditv1.Reason_REASON_PURPOSE_NOT_GRANTED || c.reason == auditv1.Reason_REASON_ITEM_NOT_GRANTED) && nearest != name {
			t.Errorf("%s: nearest grant on record is %q, want %q", c.name, nearest, name)
		}
	}
	if got := s.source.asked.Load(); got != asked {
		t.Errorf("the source was asked %d times for refused requests", got-asked)
	}
}

// TestNodeNotAttached refuses a query of a province without a node at once, on record.
func TestNodeNotAttached(t *testing.T) {
	s := start(t, "one")
	r := s.run("one", "")
	s.grant(harness.Resource, func(g *grantv1.Grant) { g.Quota = &grantv1.Quota{PerDay: 1} }, "account_no", "balance")
	r.Stop()
	app := s.zhejiang.App("portal")
	_, err := app.Query(t.Context(), harness.Query(s.henan, harness.PersonA))
	s.wantRecorded(err, codes.Unavailable, auditv1.Reason_REASON_NODE_NOT_ATTACHED, harness.Domain, "")
	r.Start()
	r.WaitAttached()
	if _, err := app.Query(t.Context(), harness.Query(s.henan, harness.PersonA)); err != nil {
		t.Errorf("a refused call used up quota: %v", err)
	}
}

// TestQuota counts permitted queries only, by second and by day, and over a restart of the exchange.
func TestQuota(t *testing.T) {
	s := start(t, "one")
	r := s.run("one", "")
	s.grant(harness.Resource, func(g *grantv1.Grant) { g.Quota = &grantv1.Quota{PerDay: 3} }, "account_no", "balance")
	s.grant(byName, func(g *grantv1.Grant) { g.Quota = &grantv1.Quota{PerSecond: 2} }, "account_no")
	app := s.zhejiang.App("portal")
	query := func() error {
		_, err := app.Query(t.Context(), harness.Query(s.henan, harness.PersonA))
		return err
	}
	for i := range 5 {
		bad := harness.Query(s.henan, harness.PersonA)
		bad.Purpose.Code = "marketing"
		_, err := app.Query(t.Context(), bad)
		s.wantRecorded(err, codes.PermissionDenied, auditv1.Reason_REASON_PURPOSE_NOT_GRANTED, harness.Domain, "purpose.code")
		missing := harness.Query(s.henan, harness.PersonA)
		missing.Parameters = nil
		_, err = app.Query(t.Context(), missing)
		s.wantRecorded(err, codes.InvalidArgument, auditv1.Reason_REASON_PARAMETER_MISSING, harness.Domain, "id_number")
		if i < 2 {
			check(t, query())
		}
	}
	check(t, query())
	s.wantRecorded(query(), codes.ResourceExhausted, auditv1.Reason_REASON_QUOTA_PER_DAY_EXCEEDED, harness.Domain, "")

	s.Stop()
	s.Serve()
	r.WaitAttached()
	s.wantRecorded(query(), codes.ResourceExhausted, auditv1.Reason_REASON_QUOTA_PER_DAY_EXCEEDED, harness.Domain, "")

	named := s.ask(byName, map[string]string{"name": "李四"}, "account_no")
	var refused error
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for n := 0; refused == nil && n < 1000; n++ {
		_, refused = app.Query(ctx, named)
	}
	s.wantRecorded(refused, codes.ResourceExhausted, auditv1.Reason_REASON_QUOTA_PER_SECOND_EXCEEDED, harness.Domain, "")
	s.Eventually("free again", func() bool {
		_, err := app.Query(t.Context(), named)
		return err == nil
	})
}
