package grant

import (
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestRules(t *testing.T) {
	const argument, violated = auditv1.Reason_REASON_ARGUMENT_INVALID, auditv1.Reason_REASON_RULE_VIOLATED
	s := newSystem(t)
	s.register(t, "440000", "guangdong.example", registryv1.MemberRole_MEMBER_ROLE_PROVIDER)
	s.register(t, "340000", "anhui.example", registryv1.MemberRole_MEMBER_ROLE_REQUESTER)
	suspend := &registryv1.Member{Name: "provinces/340000", State: registryv1.MemberState_MEMBER_STATE_SUSPENDED}
	if _, err := s.members.Update(t.Context(), suspend, []string{"state"}); err != nil {
		t.Fatal(err)
	}
	other := func(sequence string, edit func(*cataloguev1.Resource)) string {
		r := entry("provinces/410000/resources/307410000001-" + sequence)
		edit(r)
		s.publish(t, r)
		return r.GetName()
	}
	withdrawn := other("2", func(*cataloguev1.Resource) {})
	if _, err := s.resources.Withdraw(t.Context(), withdrawn, ""); err != nil {
		t.Fatal(err)
	}
	notShared := other("3", func(r *cataloguev1.Resource) {
		r.Sharing.Type, r.Sharing.Reason, r.Sharing.Law = cataloguev1.ShareType_SHARE_TYPE_NOT_SHARED, "涉密", "保守国家秘密法"
	})
	core := other("4", func(r *cataloguev1.Resource) { r.Grade = cataloguev1.Grade_GRADE_CORE })
	important := other("5", func(r *cataloguev1.Resource) { r.Grade = cataloguev1.Grade_GRADE_IMPORTANT })
	files := other("6", func(r *cataloguev1.Resource) { r.Sharing.Mode = cataloguev1.ShareMode_SHARE_MODE_FILE })

	resource := func(name string) func(*grantv1.Grant) { return func(g *grantv1.Grant) { g.Resource = name } }
	requester := func(id string) func(*grantv1.Grant) { return func(g *grantv1.Grant) { g.Requester = id } }
	from := func(start, expire time.Time) func(*grantv1.Grant) {
		return func(g *grantv1.Grant) { g.StartTime, g.ExpireTime = timestamppb.New(start), timestamppb.New(expire) }
	}
	now := s.now()
	for _, c := range []struct {
		name   string
		edit   func(*grantv1.Grant)
		reason auditv1.Reason // 0: allowed
		fields []string
	}{
		{"as it should be", func(*grantv1.Grant) {}, 0, nil},
		{"resource malformed", resource("provinces/410000"), argument, []string{"grant.resource"}},
		{"no such resource", resource(fund + "9"), auditv1.Reason_REASON_NOT_FOUND, []string{"grant.resource"}},
		{"resource withdrawn", resource(withdrawn), auditv1.Reason_REASON_RESOURCE_WITHDRAWN, []string{"grant.resource"}},
		{"发改高技〔2017〕1272号: resource not shared", resource(notShared), auditv1.Reason_REASON_RESOURCE_NOT_SHARED, []string{"grant.resource"}},
		{"数据安全法 21: core data", resource(core), auditv1.Reason_REASON_GRADE_NOT_ROUTABLE, []string{"grant.resource"}},
		{"数据安全法 21: important data without a second approval", resource(important), auditv1.Reason_REASON_GRADE_NOT_ROUTABLE, []string{"grant.resource"}},
		{"shared by files", resource(files), auditv1.Reason_REASON_MODE_NOT_OFFERED, []string{"grant.resource"}},
		{"个人信息保护法 6: field that the entry does not have", func(g *grantv1.Grant) { g.Fields = []string{"name", "age"} }, auditv1.Reason_REASON_FIELD_UNKNOWN, []string{"grant.fields[1]"}},
		{"field not shared", func(g *grantv1.Grant) { g.Fields = []string{"secret"} }, auditv1.Reason_REASON_RESOURCE_NOT_SHARED, []string{"grant.fields[0]"}},
		{"requester is no SPIFFE ID", requester("housing-portal"), argument, []string{"grant.requester"}},
		{"requester is a person", requester("spiffe://zhejiang.example/operator/li"), argument, []string{"grant.requester"}},
		{"requester is a node", requester("spiffe://zhejiang.example/node"), argument, []string{"grant.requester"}},
		{"requester of no member", requester("spiffe://nowhere.example/app/portal"), auditv1.Reason_REASON_NOT_FOUND, []string{"grant.requester"}},
		{"requester of a suspended member", requester("spiffe://anhui.example/app/portal"), auditv1.Reason_REASON_MEMBER_SUSPENDED, []string{"grant.requester"}},
		{"requester of a member that may not ask", requester("spiffe://guangdong.example/app/portal"), violated, []string{"grant.requester"}},
		{"service item malformed", func(g *grantv1.Grant) { g.ServiceItems = []string{"990117005001"} }, argument, []string{"grant.service_items[0]"}},
		{"expired already", from(now.Add(-2*time.Hour), now), argument, []string{"grant.expire_time"}},
		{"ends before it starts", from(now.Add(2*time.Hour), now.Add(time.Hour)), argument, []string{"grant.expire_time"}},
		{"three years", from(now, now.AddDate(3, 0, 0)), 0, nil},
		{"longer than three years", from(now, now.AddDate(3, 0, 0).Add(time.Second)), argument, []string{"grant.expire_time"}},
		{"no expiry", func(g *grantv1.Grant) { g.ExpireTime = nil }, argument, []string{"grant.expire_time"}},
		{"no time at all", func(g *grantv1.Grant) { g.StartTime = &timestamppb.Timestamp{Nanos: -1} }, argument, []string{"grant.start_time"}},
		{"negative quota", func(g *grantv1.Grant) { g.Quota.PerDay = -1 }, argument, []string{"grant.quota"}},
		{"all mistakes at once", func(g *grantv1.Grant) {
			g.Fields, g.Requester, g.ServiceItems, g.ExpireTime = []string{"age"}, "x", []string{"x"}, nil
		}, auditv1.Reason_REASON_FIELD_UNKNOWN, []string{"grant.fields[0]", "grant.requester", "grant.service_items[0]", "grant.expire_time"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := s.wanted()
			c.edit(g)
			_, err := s.Create(t.Context(), g, operator(), "")
			if c.reason == 0 {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantRefusal(t, err, c.reason, c.fields...)
		})
	}
}
