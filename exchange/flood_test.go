package exchange_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// repeat makes n refused calls, ten at a time, and returns how many of them were put on record and how many were counted. Each is one or the
// other.
func (s *system) repeat(n int, code codes.Code, reason auditv1.Reason, call func() error) (recorded, counted int64) {
	s.T.Helper()
	var mu sync.Mutex
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			for range n / 10 {
				err := call()
				r, ok := client.RefusalOf(err)
				mu.Lock()
				switch {
				case ok && r.Code == code && r.Reason == reason && r.Access != "":
					recorded++
				case ok && r.Code == codes.ResourceExhausted && r.Reason == auditv1.Reason_REASON_REFUSALS_EXCEEDED && r.Access == "":
					counted++
				default:
					s.T.Errorf("refused with %v", err)
				}
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	return recorded, counted
}

// TestRefusalFlood refuses two callers again and again. The log has the first of their refusals one by one and all others as counts, also after
// the exchange has stopped; whoever is refused once meanwhile stands there as always.
func TestRefusalFlood(t *testing.T) {
	s := start(t)
	wide := &queryv1.QueryResourceRequest{Resource: s.henan.ResourceName(harness.Resource), Purpose: harness.Purpose()}
	for i := range 200 {
		wide.Fields = append(wide.Fields, fmt.Sprintf("field_of_some_length_%d", i))
	}
	api := queryv1.NewQueryServiceClient(s.Dial(s.zhejiang.CA, s.zhejiang.AppID("flood")))
	const clerk = "spiffe://zhejiang.example/operator/wang"
	grants := grantv1.NewGrantServiceClient(s.Dial(s.zhejiang.CA, clerk))
	foreign := &grantv1.Grant{
		Resource: s.henan.ResourceName(harness.Resource), Requester: s.zhejiang.AppID("portal"), Fields: []string{"balance"}, Purposes: []string{"housing-loan-review"},
		ExpireTime: timestamppb.New(time.Now().Add(time.Hour)),
	}
	const calls = 600
	started := time.Now()
	flood := map[string][2]int64{}
	r, c := s.repeat(calls, codes.NotFound, auditv1.Reason_REASON_NOT_FOUND, func() error {
		_, err := api.QueryResource(t.Context(), wide)
		return err
	})
	flood[s.zhejiang.AppID("flood")] = [2]int64{r, c}
	r, c = s.repeat(calls, codes.PermissionDenied, auditv1.Reason_REASON_NOT_ENTITLED, func() error {
		_, err := grants.CreateGrant(t.Context(), &grantv1.CreateGrantRequest{Grant: foreign})
		return err
	})
	flood[clerk] = [2]int64{r, c}
	for id, n := range flood {
		if most := 200 + 20*int64(time.Since(started).Seconds()+1); n[0] < 200 || n[0] > most || n[1] == 0 {
			t.Errorf("%s: %d refusals on record one by one, want 200 to %d", id, n[0], most)
		}
	}
	_, err := s.zhejiang.App("portal").Query(t.Context(), harness.Query(s.henan, harness.PersonA))
	s.wantRecorded(err, codes.NotFound, auditv1.Reason_REASON_NOT_FOUND, harness.Domain, "resource")
	if got, want := s.suppressed(), flood[clerk][1]+flood[s.zhejiang.AppID("flood")][1]; got != want {
		t.Errorf("the metric counts %d refusals, want %d", got, want)
	}
	s.Stop()
	s.Serve()
	for id, n := range flood {
		s.wantCounts(id, n[0], n[1])
	}
}

// wantCounts checks what the log has of a caller that was refused too often.
func (s *system) wantCounts(id string, recorded, counted int64) {
	s.T.Helper()
	for _, a := range s.accesses(s.zhejiang) {
		i := a.GetRecord().GetIntent()
		switch {
		case i.GetCaller().GetSpiffeId() != id:
			continue
		case i.GetReason() != auditv1.Reason_REASON_REFUSALS_EXCEEDED:
			recorded--
			if len(i.GetFields()) > 64 || i.GetSuppressedRefusals() != 0 {
				s.T.Errorf("%s: a refusal on record has %d fields and counts %d", id, len(i.GetFields()), i.GetSuppressedRefusals())
			}
			continue
		}
		counted -= i.GetSuppressedRefusals()
		if i.GetVerdict() != auditv1.Verdict_VERDICT_REFUSED || i.GetSuppressedRefusals() < 1 || i.GetMethod() == "" || i.GetCaller().GetCertificateSerial() == "" {
			s.T.Errorf("%s: the record of a count is %v", id, i)
		}
	}
	if recorded != 0 || counted != 0 {
		s.T.Errorf("%s: of its refusals %d are not on record and %d not in a count", id, recorded, counted)
	}
}

func (s *system) suppressed() int64 {
	s.T.Helper()
	families, err := s.Registry.Gather()
	check(s.T, err)
	for _, f := range families {
		if f.GetName() == "kuasheng_exchange_refusals_suppressed_total" {
			return int64(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	s.T.Fatal("the exchange does not count what it does not record")
	return 0
}

// TestStaleSVID refuses expired SVIDs on record for a week after their end, and off record from then on.
func TestStaleSVID(t *testing.T) {
	s := start(t)
	conn := s.dialAs(s.zhejiang.CA, s.zhejiang.AppID("portal"), past(0, -time.Hour))
	s.Stop()
	var ahead atomic.Int64
	s.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s.Serve()
	const day = 24 * time.Hour
	for _, c := range []struct {
		ahead    time.Duration
		recorded bool
	}{{2 * time.Hour, true}, {6 * day, true}, {8 * day, false}} {
		ahead.Store(int64(c.ahead))
		_, err := queryv1.NewQueryServiceClient(conn).QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA), grpc.WaitForReady(true))
		access, _ := wantRefusal(t, err, codes.Unauthenticated, auditv1.Reason_REASON_CLIENT_CERTIFICATE_EXPIRED, harness.Domain)
		if (access != "") != c.recorded {
			t.Errorf("%v after its beginning: access %q", c.ahead, access)
		}
	}
}
