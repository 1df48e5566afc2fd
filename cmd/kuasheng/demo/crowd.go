package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
)

// clerks is how many ask at once: enough to see requests share a commit.
const clerks = 64

// crowd has many clerks ask at once. Their requests share commits: one signature, one sync, one message to the node for several.
func (s *story) crowd(ctx context.Context) error {
	p := permissionOf("housing")
	c, err := s.as(ctx, p.requester)
	if err != nil {
		return err
	}
	people := s.province(p.provider).data.People
	answers := make([]*client.Answer, clerks)
	errs := make([]error, clerks)
	var all sync.WaitGroup
	for i := range clerks {
		req, err := s.question(p, map[string]string{"id_number": people[i%len(people)].IDNumber}, fmt.Sprintf("HZ-2026-%04d", 1000+i), "公积金异地贷款审核")
		if err != nil {
			return err
		}
		all.Go(func() { answers[i], errs[i] = c.Query(ctx, req) })
	}
	all.Wait()
	commits := map[int64]bool{}
	for i, a := range answers {
		if errs[i] != nil {
			return errs[i]
		}
		s.expect(a.Evidence.Access, c, auditv1.Result_RESULT_ANSWERED, auditv1.Reason_REASON_UNSPECIFIED)
		s.burst[a.Evidence.Access] = true
		commits[a.Evidence.Intent.TreeSize] = true
	}
	s.together = answers
	s.say("%d clerks ask at once: every request is on record by itself, and requests that come together share a commit, its signature and its proof.", clerks)
	s.line("✓ %d answers, all proven; %d requests in %d commits", clerks, clerks, len(commits))
	return nil
}

// victim is the answer whose record will be forged: one that shares its commit with most others, and is not the first in it, so that it takes
// more than knowing the commit to name it.
func (s *story) victim() *client.Answer {
	commits := map[int64][]*client.Answer{}
	for _, a := range s.together {
		size := a.Evidence.Intent.TreeSize
		commits[size] = append(commits[size], a)
	}
	best := s.together[:1]
	for _, c := range commits {
		if len(c) > len(best) {
			best = c
		}
	}
	best = slices.SortedFunc(slices.Values(best), func(a, b *client.Answer) int { return int(a.Evidence.Intent.Index - b.Evidence.Intent.Index) })
	return best[len(best)/2]
}
