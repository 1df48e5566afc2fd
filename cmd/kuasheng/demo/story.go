package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
)

// story is the scenario. One goroutine plays it.
type story struct {
	*stage
	*narrator
	cfg Config

	clients  map[string]*client.Client
	expected []expectation    // what the access log must hold at the end
	answer   *client.Answer   // the first
	burst    map[string]bool  // accesses of the many that asked at once
	together []*client.Answer // their answers
}

// expectation is an access that the log must hold.
type expectation struct {
	access string
	caller string         // SPIFFE ID
	result auditv1.Result // unspecified where the exchange refused
	reason auditv1.Reason // unspecified for an answer
}

// play plays all steps in order.
func (s *story) play(ctx context.Context) error {
	s.clients, s.burst = map[string]*client.Client{}, map[string]bool{}
	for _, step := range []struct {
		zh, en string
		play   func(context.Context) error
	}{
		{"发布目录", "The provinces publish what they share", s.publish},
		{"授权", "Provinces grant fields to others' applications", s.grant},
		{"查询", "Applications ask, and verify what they get", s.query},
		{"拒绝", "Six refusals, each on record", s.refuse},
		{"批量导出", "A bulk export", s.export},
		{"访问日志", "The access log, as an auditor sees it", s.audit},
		{"验证日志", "Both logs are verified, record by record", s.verify},
		{"篡改", "A forged copy is found out", s.tamper},
	} {
		s.title(step.zh, step.en)
		if err := step.play(ctx); err != nil {
			return fmt.Errorf("step %d (%s): %w", s.step, strings.ToLower(step.en), err)
		}
	}
	return nil
}

// as returns the client of a party, which stays open for the scenario.
func (s *story) as(ctx context.Context, party string) (*client.Client, error) {
	if c, ok := s.clients[party]; ok {
		return c, nil
	}
	c, err := s.dial(ctx, party)
	if err != nil {
		return nil, err
	}
	s.clients[party] = c
	return c, nil
}

// expect notes an access for the auditor's step.
func (s *story) expect(access string, c *client.Client, result auditv1.Result, reason auditv1.Reason) {
	s.expected = append(s.expected, expectation{access: access, caller: c.ID().String(), result: result, reason: reason})
}

func (s *story) close() error {
	var errs []error
	for _, c := range s.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
