package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/genproto/googleapis/rpc/code"
)

// refused is a question that must be refused.
type refused struct {
	zh, en     string
	party      string
	permission string // what is asked; the one that nearly covers it
	change     func(*queryv1.QueryResourceRequest)
	before     func(context.Context, *client.Client, *queryv1.QueryResourceRequest) error // what must be done first
	reason     auditv1.Reason
	hop        string // key of the trust domain that must refuse
}

// refusals are the six. All are about Henan's data, so that Henan's auditor sees all of them.
func (s *story) refusals() []refused {
	return []refused{
		{
			zh: "没有授权", en: "no grant", party: permitWindow, permission: "household", hop: exchangeKey, reason: auditv1.Reason_REASON_NO_GRANT,
		},
		{
			zh: "信息项未授权", en: "a field that was not granted", party: housingPortal, permission: "housing", hop: exchangeKey,
			change: func(r *queryv1.QueryResourceRequest) { r.Fields = append(r.Fields[:2:2], "id_number") },
			reason: auditv1.Reason_REASON_FIELD_NOT_GRANTED,
		},
		{
			zh: "用途不符", en: "another purpose", party: housingPortal, permission: "housing", hop: exchangeKey,
			change: func(r *queryv1.QueryResourceRequest) { r.Purpose.Code = "credit-scoring" },
			reason: auditv1.Reason_REASON_PURPOSE_NOT_GRANTED,
		},
		{
			zh: "授权过期", en: "an expired grant", party: housingPortal, permission: "expired", hop: exchangeKey, before: s.awaitExpiry,
			reason: auditv1.Reason_REASON_GRANT_EXPIRED,
		},
		{
			zh: "超出配额", en: "a quota that is used up", party: talentPortal, permission: "quota", hop: exchangeKey, before: s.useQuota,
			reason: auditv1.Reason_REASON_QUOTA_PER_DAY_EXCEEDED,
		},
		{
			zh: "省节点否决", en: "the province's own veto, whatever the exchange has granted", party: bulkMailer, permission: "vetoed", hop: henanKey,
			reason: auditv1.Reason_REASON_POLICY_DENIED,
		},
	}
}

// refuse asks six questions that must be refused, for the right reason, by the right hop, and on record.
func (s *story) refuse(ctx context.Context) error {
	for i, r := range s.refusals() {
		p := permissionOf(r.permission)
		person := s.province(p.provider).data.People[2+i]
		req, err := s.question(p, map[string]string{"id_number": person.IDNumber}, fmt.Sprintf("YS-2026-%04d", i+1), "")
		if err != nil {
			return err
		}
		if r.change != nil {
			r.change(req)
		}
		c, err := s.as(ctx, r.party)
		if err != nil {
			return err
		}
		if i > 0 {
			s.gap()
		}
		s.line("%d. %s  %s", i+1, r.zh, r.en)
		s.line("   %s  →  %s %s", r.party, s.province(p.provider).region.Chinese, topicName(p.topic))
		if r.before != nil {
			if err := r.before(ctx, c, req); err != nil {
				return err
			}
		}
		if err := s.mustRefuse(ctx, c, req, r); err != nil {
			return fmt.Errorf("%s: %w", r.en, err)
		}
	}
	return nil
}

// mustRefuse asks and checks the refusal.
func (s *story) mustRefuse(ctx context.Context, c *client.Client, req *queryv1.QueryResourceRequest, want refused) error {
	_, err := c.Query(ctx, req)
	if err == nil {
		return mustf("the question was answered")
	}
	got, ok := client.RefusalOf(err)
	if !ok {
		return err
	}
	s.showRefusal(got)
	switch {
	case got.Reason != want.reason || got.Code != refusal.Code(want.reason):
		return mustf("it was refused as %s (%s), not as %s", got.Name, got.Code, refusal.Name(want.reason))
	case got.Domain != domainOf(want.hop):
		return mustf("%s refused it, not %s", got.Domain, domainOf(want.hop))
	case got.Access == "" || got.Chinese == "":
		return mustf("the refusal names no access, or has no Chinese message")
	}
	if want.hop == exchangeKey {
		s.expect(got.Access, c, auditv1.Result_RESULT_UNSPECIFIED, got.Reason)
	} else {
		s.expect(got.Access, c, auditv1.Result_RESULT_REFUSED_BY_NODE, got.Reason)
	}
	return nil
}

func (s *story) showRefusal(r client.Refusal) {
	const indent = "     "
	s.wrap(indent, fmt.Sprintf("%s %s, refused by %s, on record as %s", code.Code_name[int32(r.Code)], clean(r.Name), clean(r.Domain), clean(r.Access)))
	s.wrap(indent, clean(r.Chinese))
	s.wrap(indent, clean(r.Detail))
}

// awaitExpiry waits for the end of the grant that was given to expire.
func (s *story) awaitExpiry(ctx context.Context, c *client.Client, req *queryv1.QueryResourceRequest) error {
	g, err := grantOf(ctx, c, s.manifest.Grants["expired"].Name)
	if err != nil {
		return err
	}
	left := time.NewTimer(time.Until(g.GetExpireTime().AsTime()) + 50*time.Millisecond) // past it, not on it
	defer left.Stop()
	select {
	case <-left.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// useQuota uses up what is left of the day. Of a second start on the same day nothing is: the access log keeps count.
func (s *story) useQuota(ctx context.Context, c *client.Client, req *queryv1.QueryResourceRequest) error {
	used := 0
	for range 2*quotaPerDay + 1 { // the day may end in between
		a, err := c.Query(ctx, req)
		if err != nil {
			got, ok := client.RefusalOf(err)
			if !ok || got.Reason != auditv1.Reason_REASON_QUOTA_PER_DAY_EXCEEDED {
				return err
			}
			s.expect(got.Access, c, auditv1.Result_RESULT_UNSPECIFIED, got.Reason)
			s.line("   %d of %d queries a day were left and are used up now", used, quotaPerDay)
			return nil
		}
		s.expect(a.Evidence.Access, c, auditv1.Result_RESULT_ANSWERED, auditv1.Reason_REASON_UNSPECIFIED)
		used++
	}
	return mustf("%d queries were answered under a quota of %d", used, quotaPerDay)
}
