package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo/dataset"
	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// audit has Henan's auditor read the log and compares it with what the applications saw.
func (s *story) audit(ctx context.Context) error {
	c, err := s.as(ctx, henanAuditor)
	if err != nil {
		return err
	}
	var accesses []*auditv1.Access
	// Outcomes are not waited for when an answer goes out: they follow with the next commit.
	err = eventually(ctx, "the outcomes of all accesses", func() (bool, error) {
		accesses, err = s.accesses(ctx, c)
		return err == nil && settled(accesses), err
	})
	if err != nil {
		return err
	}
	found := map[string]*auditv1.Access{}
	for _, a := range accesses {
		found[a.GetName()] = a
	}
	for _, e := range s.expected {
		if err := e.check(found[e.access]); err != nil {
			return err
		}
	}
	other, err := s.as(ctx, otherAuditor)
	if err != nil {
		return err
	}
	fewer, err := s.accesses(ctx, other)
	if err != nil {
		return err
	}
	s.say("%s sees what touches Henan, newest first: whom Henan answered and whom Henan's applications asked, refusals too.", c.ID())
	s.showAccesses(accesses)
	s.say("No identity number is in it, and no parameter. Each access comes with a proof (kuasheng audit get). %s sees %d accesses: what "+
		"touches Zhejiang. Both looks at the log are on record themselves.", other.ID(), len(fewer))
	if len(fewer) == 0 || len(fewer) >= len(accesses) {
		return mustf("the auditor of Zhejiang sees %d accesses, that of Henan %d", len(fewer), len(accesses))
	}
	return nil
}

// accesses lists the accesses of this run that asked for data, newest first.
func (s *story) accesses(ctx context.Context, c *client.Client) ([]*auditv1.Access, error) {
	var all []*auditv1.Access
	token := ""
	for {
		page, err := c.Audit().ListAccesses(ctx, &auditv1.ListAccessesRequest{PageSize: 1000, PageToken: token, StartTime: timestamppb.New(s.began)})
		if err != nil {
			return nil, fmt.Errorf("listing accesses: %w", err)
		}
		for _, a := range page.GetAccesses() {
			if a.GetRecord().GetIntent() != nil {
				all = append(all, a)
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}

// settled says whether every permitted access has its outcome.
func settled(accesses []*auditv1.Access) bool {
	for _, a := range accesses {
		if a.GetRecord().GetIntent().GetVerdict() == auditv1.Verdict_VERDICT_PERMITTED && a.GetOutcome() == nil {
			return false
		}
	}
	return true
}

// check compares an access on record with what its caller saw.
func (e expectation) check(a *auditv1.Access) error {
	i := a.GetRecord().GetIntent()
	reason := i.GetReason()
	if reason == auditv1.Reason_REASON_UNSPECIFIED {
		reason = a.GetOutcome().GetReason()
	}
	switch {
	case a == nil:
		return mustf("%s is not on record", e.access)
	case i.GetCaller().GetSpiffeId() != e.caller:
		return mustf("%s is on record for another caller", e.access)
	case a.GetOutcome().GetResult() != e.result || reason != e.reason:
		return mustf("%s is on record as %s, %s", e.access, a.GetOutcome().GetResult(), reason)
	}
	return nil
}

func (s *story) showAccesses(accesses []*auditv1.Access) {
	rows := [][]string{{"ACCESS", "TIME", "CALLER", "RESOURCE", "CASE", "RESULT"}}
	zone := time.FixedZone("Asia/Shanghai", 8*60*60)
	for i := 0; i < len(accesses); i++ {
		a := accesses[i]
		intent := a.GetRecord().GetIntent()
		last := a
		for i+1 < len(accesses) && alike(a, accesses[i+1]) && s.burst[a.GetName()] && s.burst[accesses[i+1].GetName()] {
			i++
			last = accesses[i]
		}
		name, number := "#"+strings.TrimPrefix(last.GetName(), "accesses/"), intent.GetPurpose().GetCaseNumber()
		if last != a {
			name += "–" + strings.TrimPrefix(a.GetName(), "accesses/")
			number = "several"
		}
		rows = append(rows, []string{
			name, a.GetRecord().GetTime().AsTime().In(zone).Format(time.TimeOnly), shortCaller(intent.GetCaller().GetSpiffeId()),
			s.shortResource(intent.GetResource()), number, result(a),
		})
	}
	s.table(rows)
}

// alike says whether two accesses differ in their case only.
func alike(a, b *auditv1.Access) bool {
	x, y := a.GetRecord().GetIntent(), b.GetRecord().GetIntent()
	return x.GetCaller().GetSpiffeId() == y.GetCaller().GetSpiffeId() && x.GetResource() == y.GetResource() && result(a) == result(b)
}

// result is how an access ended, in a few words.
func result(a *auditv1.Access) string {
	i, o := a.GetRecord().GetIntent(), a.GetOutcome()
	switch {
	case i.GetReason() != auditv1.Reason_REASON_UNSPECIFIED:
		return refusal.Name(i.GetReason())
	case o.GetReason() != auditv1.Reason_REASON_UNSPECIFIED:
		return refusal.Name(o.GetReason())
	case o.GetRowCount() == 1:
		return "answered, 1 row"
	}
	return "answered, " + number(o.GetRowCount()) + " rows"
}

// shortCaller leaves out what all callers have in common.
func shortCaller(id string) string {
	return strings.NewReplacer("spiffe://", "", ".example/app/", "/", ".example/", "/").Replace(id)
}

// shortResource is a resource as people call it.
func (s *story) shortResource(name string) string {
	for _, p := range s.provinces {
		for _, t := range dataset.Topics(p.region) {
			if known, err := p.resource(t); err == nil && known == name {
				return p.region.Chinese + chinese(t)
			}
		}
	}
	return "-"
}
