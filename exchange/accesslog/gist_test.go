package accesslog

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// decoded is the gist of a record that was decoded in full.
type decoded struct {
	Access, Waits, Counts, Final               bool
	Time                                       time.Time
	Requester, Region, Resource, Grant, Origin string
	Intent                                     int64
}

func decode(t testing.TB, b []byte) (decoded, bool) {
	t.Helper()
	r, err := evidence.DecodeRecord(b)
	if err != nil || r.GetAnswer() != nil || r.GetOutcome().GetIntentIndex() < 0 {
		return decoded{}, false
	}
	d := decoded{Access: true, Final: true, Time: r.GetTime().AsTime()}
	caller := r.GetAuditRead().GetCaller()
	switch k := r.GetKind().(type) {
	case *auditv1.Record_Intent:
		caller = k.Intent.GetCaller()
		d.Resource, d.Grant, d.Origin = k.Intent.GetResource(), k.Intent.GetGrant(), k.Intent.GetJournalOrigin()
		d.Waits = k.Intent.GetVerdict() == auditv1.Verdict_VERDICT_PERMITTED
		d.Counts = d.Waits && k.Intent.GetReplacesPlusOne() <= 0 && d.Grant != ""
	case *auditv1.Record_Outcome:
		d.Access, d.Intent = false, k.Outcome.GetIntentIndex()
		d.Final = k.Outcome.GetResult() != auditv1.Result_RESULT_INTERRUPTED
	}
	d.Requester, d.Region = caller.GetSpiffeId(), caller.GetRegion()
	return d, true
}

func (g *gist) decoded() decoded {
	return decoded{
		Access: g.access(), Waits: g.waits(), Counts: g.counts(), Final: g.final(), Time: g.time().UTC(),
		Requester: string(g.requester), Region: string(g.region), Resource: string(g.resource), Grant: string(g.grant), Origin: string(g.origin),
		Intent: g.intent,
	}
}

func records(t testing.TB) [][]byte {
	t.Helper()
	caller := &auditv1.Caller{SpiffeId: "spiffe://henan.example/app/a", CertificateSerial: "0a", Region: "410000"}
	kinds := []func(r *auditv1.Record){
		func(r *auditv1.Record) {
			r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{Caller: caller, Method: "/m", Verdict: auditv1.Verdict_VERDICT_PERMITTED,
				Mode: auditv1.Mode_MODE_QUERY, Resource: "provinces/330000/resources/307510000001-000001", Grant: "grants/1",
				Fields: []string{"a", "b"}, JournalOrigin: "zhejiang.example/journal", ReplacesPlusOne: 7, FromRow: 9, ParametersDigest: []byte{1, 2}}}
		},
		func(r *auditv1.Record) {
			r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{Caller: caller, Verdict: auditv1.Verdict_VERDICT_REFUSED, Reason: auditv1.Reason_REASON_NO_GRANT}}
		},
		func(r *auditv1.Record) {
			r.Kind = &auditv1.Record_Outcome{Outcome: &auditv1.Outcome{IntentIndex: 1 << 40, Result: auditv1.Result_RESULT_INTERRUPTED, JournalOrigin: "x"}}
		},
		func(r *auditv1.Record) {
			r.Kind = &auditv1.Record_AuditRead{AuditRead: &auditv1.AuditRead{Caller: caller, Selection: "accesses/1", Returned: 3}}
		},
		func(r *auditv1.Record) { r.Kind = &auditv1.Record_Answer{Answer: &auditv1.Answer{IntentIndex: 4}} },
		func(r *auditv1.Record) { r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{}} },
	}
	var all [][]byte
	for _, kind := range kinds {
		r := evidence.NewRecord(time.Date(1969, 12, 31, 23, 59, 59, 5, time.UTC))
		kind(r)
		b, err := evidence.EncodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func agree(t *testing.T, b []byte) {
	t.Helper()
	want, ok := decode(t, b)
	var g gist
	err := g.read(b)
	if err != nil && !errors.Is(err, errRecord) {
		t.Errorf("error %v, want errRecord", err)
	}
	if !ok {
		return // the gist may know less of what is wrong with a record: nobody but the exchange writes its log
	}
	if err != nil {
		t.Fatalf("a valid record was refused: %v", err)
	}
	if diff := cmp.Diff(want, g.decoded()); diff != "" {
		t.Errorf("gist differs (-decoder +gist):\n%s", diff)
	}
}

func TestGistAgreesWithTheDecoder(t *testing.T) {
	for i, b := range records(t) {
		agree(t, b)
		for n := range b {
			agree(t, b[:n])
		}
		var g gist
		if err := g.read(b); (err != nil) != (i == 4) {
			t.Errorf("record %d: %v", i, err)
		}
	}
}

func FuzzGist(f *testing.F) {
	for _, b := range records(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b) })
}

func TestProvider(t *testing.T) {
	for resource, want := range map[string]string{
		"provinces/410000/resources/307510000001-000012": "410000",
		"provinces/410000":             "410000",
		"provinces/410001/resources/x": "",
		"provinces//resources/x":       "",
		"grants/410000":                "",
		"":                             "",
	} {
		if got := (&gist{resource: []byte(resource)}).provider(); got != want {
			t.Errorf("provider of %q is %q, want %q", resource, got, want)
		}
	}
}
