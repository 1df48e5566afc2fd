package accesslog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// seen is what a test looks at in a listed access.
type seen struct {
	Index     int64
	Requester string
	Resource  string
	Result    auditv1.Result
}

func look(a Access) seen {
	s := seen{Index: a.Index, Result: a.Outcome.GetOutcome().GetResult()}
	if i := a.Record.GetIntent(); i != nil {
		s.Requester, s.Resource = i.GetCaller().GetSpiffeId(), i.GetResource()
	} else {
		s.Requester = a.Record.GetAuditRead().GetCaller().GetSpiffeId()
	}
	return s
}

// model lists by brute force what was written.
func (f *fixture) model(q Filter) []seen {
	var all []seen
	for i, e := range slices.Backward(f.wrote) {
		provider := ""
		if p := strings.Split(e.resource, "/"); len(p) == 4 && p[1] != "999999" {
			provider = p[1]
		}
		if e.kind == "outcome" ||
			!q.Start.IsZero() && e.time.Before(q.Start) || !q.End.IsZero() && !e.time.Before(q.End) ||
			q.Requester != "" && e.requester != q.Requester || q.Self != "" && e.requester != q.Self ||
			q.Resource != "" && e.resource != q.Resource || q.Region != "" && e.region != q.Region && provider != q.Region {
			continue
		}
		all = append(all, seen{int64(i), e.requester, e.resource, e.result})
	}
	return all
}

// pages lists everything page by page.
func (f *fixture) pages(q Filter, size int) []seen {
	f.Helper()
	var all []seen
	var from Position
	for {
		accesses, next, _, err := f.log.List(context.Background(), q, size, from)
		f.check(err)
		if len(accesses) > size {
			f.Fatalf("page of %d accesses, at most %d wanted", len(accesses), size)
		}
		for _, a := range accesses {
			all = append(all, look(a))
		}
		if next == (Position{}) {
			return all
		}
		if from != (Position{}) && next.Before >= from.Before {
			f.Fatalf("position went from %d to %d", from.Before, next.Before)
		}
		from = next
	}
}

// queries are filters alone and combined.
func (f *fixture) queries() map[string]Filter {
	some := func() entry {
		for {
			if e := f.wrote[f.rand.IntN(len(f.wrote))]; e.kind != "outcome" {
				return e
			}
		}
	}
	a, b, c := some(), some(), some()
	for a.resource == "" {
		a = some()
	}
	from, to := b.time, c.time
	if to.Before(from) {
		from, to = to, from
	}
	return map[string]Filter{
		"everything":         {},
		"requester":          {Requester: a.requester},
		"resource":           {Resource: a.resource},
		"region":             {Region: a.region},
		"self":               {Self: a.requester},
		"self and another":   {Self: a.requester, Requester: b.requester},
		"both":               {Requester: a.requester, Resource: a.resource},
		"three":              {Requester: a.requester, Resource: b.resource, Region: c.region},
		"start":              {Start: from},
		"end":                {End: to},
		"time":               {Start: from, End: to},
		"moment":             {Start: from, End: from.Add(time.Nanosecond)},
		"time and requester": {Start: from, End: to, Requester: a.requester},
		"all":                {Start: from, End: to, Requester: a.requester, Resource: a.resource, Region: a.region, Self: a.requester},
		"nobody":             {Requester: "spiffe://nowhere.example/app/none"},
		"before everything":  {End: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		"after everything":   {Start: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
}

func (f *fixture) compare(stage string) {
	f.Helper()
	for range 3 {
		for name, q := range f.queries() {
			if diff := cmp.Diff(f.model(q), f.pages(q, 1+f.rand.IntN(100))); diff != "" {
				f.Fatalf("%s: %s %+v (-model +listed):\n%.2000s", stage, name, q, diff)
			}
		}
	}
}

func TestListAgainstModel(t *testing.T) {
	f := newFixture(t)
	for round := range 4 {
		f.random(300)
		f.compare(fmt.Sprintf("round %d, partly indexed", round))
		f.reopen()
		f.compare(fmt.Sprintf("round %d, indexed", round))
	}
}

func TestPagesAreStableWhileAppending(t *testing.T) {
	f := newFixture(t)
	f.random(600)
	want := f.model(Filter{Region: "410000"})

	stop := make(chan struct{})
	var appender sync.WaitGroup
	appender.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, err := f.log.Read(context.Background(), &auditv1.AuditRead{Caller: &auditv1.Caller{SpiffeId: "spiffe://p.example/auditor/x", Region: "410000"}})
				if err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	var got []seen
	var from Position
	for first := true; first || from != (Position{}); first = false {
		accesses, next, size, err := f.log.List(context.Background(), Filter{Region: "410000"}, 7, from)
		f.check(err)
		for _, a := range accesses {
			if a.Index >= size {
				t.Errorf("access %d is on a page that covers %d records", a.Index, size)
			}
			if a.Index < int64(len(f.wrote)) {
				got = append(got, look(a))
			}
		}
		if !first && next != (Position{}) && next.Size != from.Size {
			t.Errorf("size went from %d to %d", from.Size, next.Size)
		}
		from = next
	}
	close(stop)
	appender.Wait()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages changed (-before +while appending):\n%s", diff)
	}
}

func TestListRefusesForeignPositions(t *testing.T) {
	f := newFixture(t)
	f.random(10)
	for _, p := range []Position{{Before: -1, Size: 5}, {Before: 6, Size: 5}, {Before: 3, Size: 1 << 40}} {
		if _, _, _, err := f.log.List(context.Background(), Filter{}, 10, p); !errors.Is(err, ErrPosition) {
			t.Errorf("position %+v: %v, want ErrPosition", p, err)
		}
	}
}

func TestAccess(t *testing.T) {
	f := newFixture(t)
	f.random(200)
	for _, stage := range []string{"tail", "indexed"} {
		for i, e := range f.wrote {
			a, err := f.log.Access(context.Background(), int64(i))
			if e.kind == "outcome" {
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("%s: outcome %d: %v, want ErrNotFound", stage, i, err)
				}
				continue
			}
			f.check(err)
			if got, want := look(a), (seen{int64(i), e.requester, e.resource, e.result}); got != want {
				t.Errorf("%s: got %+v, want %+v", stage, got, want)
			}
		}
		for _, i := range []int64{-1, int64(len(f.wrote)), 1 << 50} {
			if _, err := f.log.Access(context.Background(), i); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: access %d: %v, want ErrNotFound", stage, i, err)
			}
		}
		f.reopen()
	}
}

func TestReceiptsVerify(t *testing.T) {
	f := newFixture(t)
	intent := f.write(entry{kind: "intent", requester: "spiffe://p.example/app/a", region: "410000"})
	f.write(entry{kind: "outcome", of: intent, result: auditv1.Result_RESULT_ANSWERED})
	f.settle()
	a, err := f.log.Access(context.Background(), intent)
	f.check(err)
	record, outcome, err := f.log.Receipts(a)
	f.check(err)
	got, err := evidence.VerifyReceipt(record, f.cfg.Verifier)
	f.check(err)
	if got.Index != intent || got.Record.GetIntent() == nil {
		t.Errorf("receipt proves record %d", got.Index)
	}
	got, err = evidence.VerifyReceipt(outcome, f.cfg.Verifier)
	f.check(err)
	if got.Record.GetOutcome().GetIntentIndex() != intent {
		t.Error("outcome receipt proves another record")
	}
	record.Record[len(record.Record)-1] ^= 1
	if _, err := evidence.VerifyReceipt(record, f.cfg.Verifier); err == nil {
		t.Error("altered record was accepted")
	}
}
