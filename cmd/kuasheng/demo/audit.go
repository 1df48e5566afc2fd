package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
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
	rows := [][]string{{"", "TIME", "CALLER", "RESOURCE", "CASE", "RESULT", "ROWS"}}
	zone := time.FixedZone("Asia/Shanghai", 8*60*60)
	for _, a := range accesses {
		i, o := a.GetRecord().GetIntent(), a.GetOutcome()
		caller := strings.Replace(strings.TrimPrefix(i.GetCaller().GetSpiffeId(), "spiffe://"), ".example", "", 1)
		result, count := "answered", number(o.GetRowCount())
		if i.GetReason() != auditv1.Reason_REASON_UNSPECIFIED {
			result, count = refusal.Name(i.GetReason()), "-"
		} else if o.GetReason() != auditv1.Reason_REASON_UNSPECIFIED {
			result, count = refusal.Name(o.GetReason()), "-"
		}
		at := a.GetRecord().GetTime().AsTime().In(zone).Format(time.TimeOnly)
		number := "#" + strings.TrimPrefix(a.GetName(), "accesses/")
		rows = append(rows, []string{number, at, caller, s.shortResource(i.GetResource()), i.GetPurpose().GetCaseNumber(), result, count})
	}
	s.table(rows)
}

// shortResource is a resource as people call it.
func (s *story) shortResource(name string) string {
	n, err := ident.ParseResourceName(name)
	if err != nil {
		return "-"
	}
	for _, p := range s.provinces {
		for _, r := range p.file.Resources {
			if resource := "provinces/" + p.region.Code + "/resources/" + strings.ReplaceAll(r.Code, "/", "-"); resource == n.String() {
				return p.region.Chinese + shortTitle(r.Title.ZH)
			}
		}
	}
	return "-"
}

// shortTitle leaves out what all titles end in.
func shortTitle(title string) string { return strings.TrimSuffix(title, "信息") }
