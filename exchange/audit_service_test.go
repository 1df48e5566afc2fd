package exchange

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/accesslog"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// auditFixture is the service over a real log that holds these records:
//
//	0  Henan's application housing asks Zhejiang
//	1  its outcome
//	2  Guangdong's application tax asks Zhejiang, refused
//	3  Henan's application pension asks Guangdong
//	4  Zhejiang's auditor reads
type auditFixture struct {
	*testing.T
	service *auditService
	log     *accesslog.Log
}

func newAuditFixture(t *testing.T) *auditFixture {
	t.Helper()
	signerKey, verifierKey, err := translog.GenerateKey("exchange.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(signerKey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := translog.NewVerifier(verifierKey)
	if err != nil {
		t.Fatal(err)
	}
	cfg := accesslog.Config{Dir: t.TempDir(), Signer: signer, Verifier: verifier, SegmentSize: 4 << 20, Logger: slog.New(slog.DiscardHandler), Now: time.Now}
	if err := accesslog.Create(cfg); err != nil {
		t.Fatal(err)
	}
	f := &auditFixture{T: t}
	if f.log, err = accesslog.Open(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.log.Close() })
	f.service = newAuditService(f.log)

	f.permit("spiffe://henan.example/app/housing", "410000", "provinces/330000/resources/307330000001-000001")
	f.log.Outcome(&auditv1.Outcome{IntentIndex: 0, Result: auditv1.Result_RESULT_ANSWERED})
	refused := auditIntent("spiffe://guangdong.example/app/tax", "440000", "provinces/330000/resources/307330000001-000001")
	if _, err := f.log.Refuse(t.Context(), refused); err != nil {
		t.Fatal(err)
	}
	f.permit("spiffe://henan.example/app/pension", "410000", "provinces/440000/resources/307440000001-000002")
	read := &auditv1.AuditRead{Caller: &auditv1.Caller{SpiffeId: "spiffe://zhejiang.example/auditor/wang", CertificateSerial: "01", Region: "330000"}}
	if _, err := f.log.Read(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *auditFixture) permit(id, region, resource string) {
	f.Helper()
	if err := f.log.Begin(); err != nil {
		f.Fatal(err)
	}
	intent := auditIntent(id, region, resource)
	intent.Verdict = auditv1.Verdict_VERDICT_PERMITTED
	if err := f.log.Intent(intent, nil); err != nil {
		f.Fatal(err)
	}
}

func auditIntent(id, region, resource string) *auditv1.Intent {
	return &auditv1.Intent{Caller: &auditv1.Caller{SpiffeId: id, CertificateSerial: "01", Region: region}, Resource: resource}
}

// as is the context of a call by an ID of the member for a region; no region is the exchange's own domain.
func as(t *testing.T, id, region string, roles ...registryv1.MemberRole) context.Context {
	t.Helper()
	parsed, err := certs.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	c := Caller{Peer: certs.Peer{ID: parsed, Serial: "02"}}
	if region != "" {
		c.Member = &registryv1.Member{Name: "provinces/" + region, Roles: roles}
	}
	return withCaller(t.Context(), c)
}

func TestAuditVisibility(t *testing.T) {
	national := registryv1.MemberRole_MEMBER_ROLE_NATIONAL_AUDIT
	tests := []struct {
		name   string
		ctx    context.Context
		want   []string
		reason auditv1.Reason
	}{
		{name: "national audit sees everything", ctx: as(t, "spiffe://audit.example/auditor/li", "110000", national),
			want: []string{"accesses/4", "accesses/3", "accesses/2", "accesses/0"}},
		{name: "an auditor sees what its province asked", ctx: as(t, "spiffe://henan.example/auditor/liu", "410000"),
			want: []string{"accesses/3", "accesses/0"}},
		{name: "and what it was asked, and its own auditors' reads", ctx: as(t, "spiffe://zhejiang.example/auditor/wang", "330000"),
			want: []string{"accesses/4", "accesses/2", "accesses/0"}},
		{name: "an application sees its own", ctx: as(t, "spiffe://henan.example/app/pension", "410000"),
			want: []string{"accesses/3"}},
		{name: "also in the national office's domain", ctx: as(t, "spiffe://audit.example/app/x", "110000", national), want: nil},
		{name: "an operator sees nothing", ctx: as(t, "spiffe://henan.example/operator/zhao", "410000"), reason: auditv1.Reason_REASON_NOT_ENTITLED},
		{name: "an auditor of no member sees nothing", ctx: as(t, "spiffe://exchange.example/auditor/x", ""), reason: auditv1.Reason_REASON_NOT_ENTITLED},
		{name: "an administrator sees nothing", ctx: as(t, "spiffe://exchange.example/admin/x", ""), reason: auditv1.Reason_REASON_NOT_ENTITLED},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newAuditFixture(t)
			list, err := f.service.ListAccesses(tt.ctx, &auditv1.ListAccessesRequest{})
			wantReason(t, err, tt.reason)
			var got []string
			for _, a := range list.GetAccesses() {
				got = append(got, a.GetName())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			for _, name := range []string{"accesses/0", "accesses/1", "accesses/2", "accesses/3", "accesses/4", "accesses/999"} {
				reason := auditv1.Reason_REASON_NOT_FOUND
				for _, seen := range tt.want {
					if seen == name {
						reason = auditv1.Reason_REASON_UNSPECIFIED
					}
				}
				if tt.reason != auditv1.Reason_REASON_UNSPECIFIED {
					reason = tt.reason
				}
				_, err := f.service.GetAccess(tt.ctx, &auditv1.GetAccessRequest{Name: name})
				wantReason(t, err, reason)
			}
		})
	}
}

// wantReason checks that err is a refusal for a reason, or nil for REASON_UNSPECIFIED.
func wantReason(t *testing.T, err error, reason auditv1.Reason) {
	t.Helper()
	if reason == auditv1.Reason_REASON_UNSPECIFIED {
		if err != nil {
			t.Errorf("unexpected error: %v", err)
		}
		return
	}
	if !errors.Is(err, refusal.New(reason, "")) {
		t.Errorf("error %v, want %s", err, refusal.Name(reason))
	}
}

func TestGetAccessProvesAndIsOnRecord(t *testing.T) {
	f := newAuditFixture(t)
	ctx := as(t, "spiffe://zhejiang.example/auditor/wang", "330000")
	before := f.log.Size()
	access, err := f.service.GetAccess(ctx, &auditv1.GetAccessRequest{Name: "accesses/0"})
	if err != nil {
		t.Fatal(err)
	}
	intent, err := evidence.VerifyReceipt(access.GetReceipt(), f.log.Verifier())
	if err != nil || intent.Index != 0 || intent.Record.GetIntent().GetCaller().GetRegion() != "410000" {
		t.Errorf("receipt: %v, record %d", err, intent.Index)
	}
	outcome, err := evidence.VerifyReceipt(access.GetOutcomeReceipt(), f.log.Verifier())
	if err != nil || outcome.Record.GetOutcome().GetResult() != access.GetOutcome().GetResult() {
		t.Errorf("outcome receipt: %v", err)
	}
	if access.GetOutcomeTime() == nil {
		t.Error("outcome has no time")
	}
	f.wantRead(before, &auditv1.AuditRead{Method: auditv1.AuditService_GetAccess_FullMethodName, Selection: "accesses/0", Returned: 1})
}

// wantRead checks that exactly one record was added, and which.
func (f *auditFixture) wantRead(before int64, want *auditv1.AuditRead) {
	f.Helper()
	if f.log.Size() != before+1 {
		f.Fatalf("%d records were added, want 1", f.log.Size()-before)
	}
	b, err := f.log.Record(before)
	if err != nil {
		f.Fatal(err)
	}
	r, err := evidence.DecodeRecord(b)
	if err != nil {
		f.Fatal(err)
	}
	got := r.GetAuditRead()
	if got.GetMethod() != want.GetMethod() || got.GetSelection() != want.GetSelection() || got.GetReturned() != want.GetReturned() ||
		got.GetVerdict() != auditv1.Verdict_VERDICT_PERMITTED || got.GetCaller().GetSpiffeId() == "" {
		f.Errorf("on record is %v, want %v", got, want)
	}
}

func TestListAccessesIsOnRecord(t *testing.T) {
	f := newAuditFixture(t)
	before := f.log.Size()
	_, err := f.service.ListAccesses(as(t, "spiffe://henan.example/auditor/liu", "410000"), &auditv1.ListAccessesRequest{
		Requester: "spiffe://henan.example/app/housing", Resource: "provinces/330000/resources/307330000001-000001",
		StartTime: timestamppb.New(time.Unix(0, 0)), EndTime: timestamppb.New(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.wantRead(before, &auditv1.AuditRead{Method: auditv1.AuditService_ListAccesses_FullMethodName, Returned: 1,
		Selection: "start_time=1970-01-01T00:00:00Z end_time=2100-01-01T00:00:00Z requester=spiffe://henan.example/app/housing resource=provinces/330000/resources/307330000001-000001"})
}

// TestNoRecordNoData closes the log: reading it still works in part, recording does not, so nothing may be shown.
func TestNoRecordNoData(t *testing.T) {
	f := newAuditFixture(t)
	if err := f.log.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := as(t, "spiffe://henan.example/auditor/liu", "410000")
	if a, err := f.service.GetAccess(ctx, &auditv1.GetAccessRequest{Name: "accesses/0"}); a != nil || err == nil {
		t.Errorf("access %v, error %v", a, err)
	}
	if l, err := f.service.ListAccesses(ctx, &auditv1.ListAccessesRequest{}); l != nil || err == nil {
		t.Errorf("list %v, error %v", l, err)
	}
	if err := f.service.record(ctx, callerFrom(ctx), "/m", "", 0); !errors.Is(err, accesslog.ErrUnavailable) {
		t.Errorf("recording: %v, want ErrUnavailable", err)
	}
}

func TestListAccessesPages(t *testing.T) {
	f := newAuditFixture(t)
	ctx := as(t, "spiffe://zhejiang.example/auditor/wang", "330000")
	var got []string
	req := &auditv1.ListAccessesRequest{PageSize: 1}
	for {
		page, err := f.service.ListAccesses(ctx, req) // each call adds a record, which no page may show
		if err != nil {
			t.Fatal(err)
		}
		if page.GetTreeSize() != 5 {
			t.Errorf("tree size %d, want 5", page.GetTreeSize())
		}
		for _, a := range page.GetAccesses() {
			got = append(got, a.GetName())
		}
		if page.GetNextPageToken() == "" {
			break
		}
		req.PageToken = page.GetNextPageToken()
	}
	if diff := cmp.Diff([]string{"accesses/4", "accesses/2", "accesses/0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestListAccessesRefusals(t *testing.T) {
	f := newAuditFixture(t)
	ctx := as(t, "spiffe://zhejiang.example/auditor/wang", "330000")
	first, err := f.service.ListAccesses(ctx, &auditv1.ListAccessesRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	token := first.GetNextPageToken()
	invalidToken, invalid := auditv1.Reason_REASON_PAGE_TOKEN_INVALID, auditv1.Reason_REASON_ARGUMENT_INVALID
	caller := callerFrom(ctx)
	ahead := pageToken("3/1000000", accessList(caller, accesslog.Filter{Region: "330000"})...)
	tests := []struct {
		name   string
		ctx    context.Context
		req    *auditv1.ListAccessesRequest
		reason auditv1.Reason
	}{
		{"a token of its own", ctx, &auditv1.ListAccessesRequest{PageToken: token}, auditv1.Reason_REASON_UNSPECIFIED},
		{"with another page size", ctx, &auditv1.ListAccessesRequest{PageToken: token, PageSize: 7}, auditv1.Reason_REASON_UNSPECIFIED},
		{"another caller's token", as(t, "spiffe://zhejiang.example/auditor/chen", "330000"), &auditv1.ListAccessesRequest{PageToken: token}, invalidToken},
		{"a token of another filter", ctx, &auditv1.ListAccessesRequest{PageToken: token, Requester: "spiffe://henan.example/app/housing"}, invalidToken},
		{"no token at all", ctx, &auditv1.ListAccessesRequest{PageToken: "x"}, invalidToken},
		{"a cut token", ctx, &auditv1.ListAccessesRequest{PageToken: token[:len(token)-3]}, invalidToken},
		{"a token from the future", ctx, &auditv1.ListAccessesRequest{PageToken: ahead}, invalidToken},
		{"times turned round", ctx, &auditv1.ListAccessesRequest{StartTime: timestamppb.New(time.Unix(2, 0)), EndTime: timestamppb.New(time.Unix(1, 0))}, invalid},
		{"no valid time", ctx, &auditv1.ListAccessesRequest{StartTime: &timestamppb.Timestamp{Nanos: -1}}, invalid},
		{"no SPIFFE ID", ctx, &auditv1.ListAccessesRequest{Requester: "housing"}, invalid},
		{"no resource", ctx, &auditv1.ListAccessesRequest{Resource: "resources/1"}, invalid},
		{"page too large", ctx, &auditv1.ListAccessesRequest{PageSize: 1001}, invalid},
		{"an identity number as a name", ctx, &auditv1.ListAccessesRequest{Requester: "spiffe://henan.example/app/440100188506150028"}, auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.service.ListAccesses(tt.ctx, tt.req)
			wantReason(t, err, tt.reason)
			if err != nil && strings.Contains(err.Error(), "440100188506150028") {
				t.Error("the error repeats an identity number")
			}
		})
	}
}

func TestAuditProofs(t *testing.T) {
	f := newAuditFixture(t)
	ctx := t.Context()
	cp, err := f.service.GetCheckpoint(ctx, &auditv1.GetCheckpointRequest{})
	if err != nil {
		t.Fatal(err)
	}
	head, err := translog.OpenCheckpoint(cp.GetCheckpoint(), f.log.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	for index := range head.Size {
		p, err := f.service.GetInclusionProof(ctx, &auditv1.GetInclusionProofRequest{Index: index, TreeSize: head.Size})
		if err != nil {
			t.Fatal(err)
		}
		path, err := evidence.HashesFromBytes(p.GetHashes())
		if err != nil {
			t.Fatal(err)
		}
		if err := translog.VerifyInclusion(index, head.Size, translog.Hash(p.GetLeafHash()), path, head.Root); err != nil {
			t.Error(err)
		}
	}
	before := f.log.Size()
	if _, err := f.service.ListAccesses(as(t, "spiffe://henan.example/auditor/liu", "410000"), &auditv1.ListAccessesRequest{}); err != nil {
		t.Fatal(err)
	}
	cp, err = f.service.GetCheckpoint(ctx, &auditv1.GetCheckpointRequest{})
	if err != nil {
		t.Fatal(err)
	}
	next, err := translog.OpenCheckpoint(cp.GetCheckpoint(), f.log.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.service.GetConsistencyProof(ctx, &auditv1.GetConsistencyProofRequest{OldSize: head.Size, NewSize: next.Size})
	if err != nil {
		t.Fatal(err)
	}
	proof, err := evidence.HashesFromBytes(p.GetHashes())
	if err != nil {
		t.Fatal(err)
	}
	if err := translog.VerifyConsistency(head.Size, head.Root, next.Size, next.Root, proof); err != nil {
		t.Error(err)
	}
	if f.log.Size() != before+1 {
		t.Error("proofs and checkpoints went on record")
	}
	for _, r := range []*auditv1.GetInclusionProofRequest{{Index: 5, TreeSize: 5}, {Index: -1, TreeSize: 5}, {Index: 0, TreeSize: 0}, {Index: 0, TreeSize: 7}} {
		_, err := f.service.GetInclusionProof(ctx, r)
		wantReason(t, err, auditv1.Reason_REASON_ARGUMENT_INVALID)
	}
	for _, r := range []*auditv1.GetConsistencyProofRequest{{OldSize: 0, NewSize: 5}, {OldSize: 6, NewSize: 5}, {OldSize: 1, NewSize: 7}} {
		_, err := f.service.GetConsistencyProof(ctx, r)
		wantReason(t, err, auditv1.Reason_REASON_ARGUMENT_INVALID)
	}
}
