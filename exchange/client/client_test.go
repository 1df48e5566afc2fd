package client_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/client"
	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// config calls the fake as the application that holds its grant.
func config(t *testing.T, e *clienttest.Exchange) client.Config {
	t.Helper()
	return client.Config{
		Address: e.Address, Exchange: e.ID, LogKey: e.Log.Key, Timeout: 10 * time.Second,
		Identity: e.Identity(t, clienttest.CallerDomain, certs.RoleApplication, "housing-portal"),
	}
}

func dial(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func purpose() *grantv1.Purpose {
	return &grantv1.Purpose{
		Code: clienttest.Purpose, LegalBasis: grantv1.LegalBasis_LEGAL_BASIS_CONSENT, ServiceItem: clienttest.ServiceItem, CaseNumber: "HZ-2026-1",
	}
}

func request() *queryv1.QueryResourceRequest {
	return &queryv1.QueryResourceRequest{
		Resource: clienttest.Resource, Fields: []string{"deposit", "name"}, Parameters: map[string]string{"since": "1890-01-01"},
		Purpose: purpose(), Operator: "clerk-7", RequestId: "r-1",
	}
}

func TestQuery(t *testing.T) {
	e := clienttest.New(t)
	e.Masked = []string{"name"}
	c := dial(t, config(t, e))
	for i := range int64(3) {
		a, err := c.Query(t.Context(), request())
		if err != nil {
			t.Fatal(err)
		}
		const want = `{"rows":[{"deposit":"1200.50","name":"*"},{"deposit":"9007199254740993","name":"*"}]}`
		if got := string(a.Bytes()); got != want {
			t.Errorf("answer = %s, want %s", got, want)
		}
		ev := a.Evidence
		if ev.Intent.Origin != e.Log.Origin() || ev.Answer.Origin != e.Journal.Origin() || ev.Intent.Index != i || ev.Pinned {
			t.Errorf("evidence = %+v", ev)
		}
	}
}

func TestRefusal(t *testing.T) {
	e := clienttest.New(t)
	c := dial(t, config(t, e))
	req := request()
	req.Fields = []string{"name", "phone"}
	_, err := c.Query(t.Context(), req)
	r, ok := client.RefusalOf(err)
	if !ok || status.Code(err) != codes.PermissionDenied {
		t.Fatalf("error = %v", err)
	}
	if r.Reason != auditv1.Reason_REASON_FIELD_NOT_GRANTED || r.Subject != "phone" || r.Access != "accesses/0" || r.Domain != clienttest.ExchangeDomain ||
		!strings.HasPrefix(r.Chinese, "信息项超出授权范围") || r.Detail != `the grant does not cover field "phone"` || r.Name != "FIELD_NOT_GRANTED" {
		t.Errorf("refusal = %+v", r)
	}
	if _, ok := client.RefusalOf(context.Canceled); ok {
		t.Error("a cancelled context counts as a refusal")
	}
}

// TestQueryLies has exchange or province say something else than what is, and expects the step that must find it.
func TestQueryLies(t *testing.T) {
	other := clienttest.NewLog(t, clienttest.ExchangeDomain+"/log")
	for _, tt := range []struct {
		name string
		lie  func(e *clienttest.Exchange)
		step client.Step
	}{
		{"no intent receipt", response(func(r *queryv1.QueryResourceResponse) { r.IntentReceipt = nil }), client.StepIntentReceipt},
		{"log of another key", response(func(r *queryv1.QueryResourceResponse) {
			r.IntentReceipt = receiptOf(t, other, r.IntentReceipt)
		}), client.StepIntentReceipt},
		{"intent not in the tree", response(func(r *queryv1.QueryResourceResponse) { r.IntentReceipt.Index++ }), client.StepIntentReceipt},
		{"record altered", response(func(r *queryv1.QueryResourceResponse) { r.IntentReceipt.Record[5] ^= 1 }), client.StepIntentReceipt},
		{"answer as intent", response(func(r *queryv1.QueryResourceResponse) { r.IntentReceipt = r.AnswerReceipt }), client.StepIntentReceipt},

		{"refused", intent(func(i *auditv1.Intent) { i.Verdict = auditv1.Verdict_VERDICT_REFUSED }), client.StepIntent},
		{"permitted with a reason", intent(func(i *auditv1.Intent) { i.Reason = auditv1.Reason_REASON_NO_GRANT }), client.StepIntent},
		{"another caller", intent(func(i *auditv1.Intent) { i.Caller.SpiffeId = "spiffe://zhejiang.example/app/other" }), client.StepIntent},
		{"no caller", intent(func(i *auditv1.Intent) { i.Caller = nil }), client.StepIntent},
		{"another method", intent(func(i *auditv1.Intent) { i.Method = "/other" }), client.StepIntent},
		{"another mode", intent(func(i *auditv1.Intent) { i.Mode = auditv1.Mode_MODE_EXPORT }), client.StepIntent},
		{"another resource", intent(func(i *auditv1.Intent) { i.Resource += "1" }), client.StepIntent},
		{"more fields", intent(func(i *auditv1.Intent) { i.Fields = append(i.Fields, "phone") }), client.StepIntent},
		{"fields in another order", intent(func(i *auditv1.Intent) { i.Fields = []string{"name", "deposit"} }), client.StepIntent},
		{"another purpose", intent(func(i *auditv1.Intent) { i.Purpose = &grantv1.Purpose{Code: "other"} }), client.StepIntent},
		{"no purpose", intent(func(i *auditv1.Intent) { i.Purpose = nil }), client.StepIntent},
		{"another operator", intent(func(i *auditv1.Intent) { i.Operator = "clerk-8" }), client.StepIntent},
		{"another request id", intent(func(i *auditv1.Intent) { i.RequestId = "r-2" }), client.StepIntent},
		{"another first row", intent(func(i *auditv1.Intent) { i.FromRow = 1 }), client.StepIntent},
		{"access of another name", response(func(r *queryv1.QueryResourceResponse) { r.Access = "accesses/7" }), client.StepIntent},

		{"other parameters", intent(func(i *auditv1.Intent) { i.ParametersDigest[0] ^= 1 }), client.StepParameters},
		{"no parameters digest", intent(func(i *auditv1.Intent) { i.ParametersDigest = nil }), client.StepParameters},
		{"no salt", response(func(r *queryv1.QueryResourceResponse) { r.ParametersSalt = nil }), client.StepParameters},
		{"another salt", response(func(r *queryv1.QueryResourceResponse) { r.ParametersSalt[0] ^= 1 }), client.StepParameters},

		{"no answer receipt", response(func(r *queryv1.QueryResourceResponse) { r.AnswerReceipt = nil }), client.StepAnswerReceipt},
		{"answer not in the journal", response(func(r *queryv1.QueryResourceResponse) { r.AnswerReceipt.Record[30] ^= 1 }), client.StepAnswerReceipt},
		{"journal not registered", intent(func(i *auditv1.Intent) { i.JournalOrigin = "henan.example/journal/2" }), client.StepAnswerReceipt},
		{"no journal", intent(func(i *auditv1.Intent) { i.JournalOrigin = "" }), client.StepAnswerReceipt},

		{"answer to another intent", answer(func(a *auditv1.Answer) { a.IntentHash[0] ^= 1 }), client.StepAnswer},
		{"answer to another index", answer(func(a *auditv1.Answer) { a.IntentIndex++ }), client.StepAnswer},
		{"answer to another log", answer(func(a *auditv1.Answer) { a.ExchangeOrigin = "elsewhere" }), client.StepAnswer},
		{"state failed", answer(func(a *auditv1.Answer) { a.State = auditv1.AnswerState_ANSWER_STATE_FAILED }), client.StepAnswer},
		{"state begun", answer(func(a *auditv1.Answer) { a.State = auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN }), client.StepAnswer},

		{"other bytes", response(func(r *queryv1.QueryResourceResponse) { r.Answer[12] ^= 1 }), client.StepContent},
		{"no bytes", response(func(r *queryv1.QueryResourceResponse) { r.Answer = nil }), client.StepContent},
		{"no answer salt", response(func(r *queryv1.QueryResourceResponse) { r.AnswerSalt = nil }), client.StepContent},
		{"another media type", response(func(r *queryv1.QueryResourceResponse) { r.MediaType = "text/html" }), client.StepContent},
		{"no digest", answer(func(a *auditv1.Answer) { a.AnswerDigest = nil }), client.StepContent},
		{"more fields released", answer(func(a *auditv1.Answer) { a.FieldsReleased = append(a.FieldsReleased, "phone") }), client.StepContent},
		{"masked field not told", response(func(r *queryv1.QueryResourceResponse) { r.MaskedFields = []string{"name"} }), client.StepContent},
		{"row count", response(func(r *queryv1.QueryResourceResponse) { r.RowCount++ }), client.StepContent},
		{"byte count", answer(func(a *auditv1.Answer) { a.AnswerBytes++ }), client.StepContent},

		{"ticket on another tree", answer(func(a *auditv1.Answer) { a.ExchangeRootHash[0] ^= 1 }), client.StepHistory},
		{"ticket on a tree without it", answer(func(a *auditv1.Answer) { a.ExchangeTreeSize = 0 }), client.StepHistory},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := clienttest.New(t)
			tt.lie(e)
			a, err := dial(t, config(t, e)).Query(t.Context(), request())
			var failed *client.EvidenceError
			if !errors.As(err, &failed) || !errors.Is(err, client.ErrEvidence) || failed.Step != tt.step {
				t.Errorf("error = %v, want one of step %v", err, tt.step)
			}
			if a != nil {
				t.Error("the answer was returned")
			}
		})
	}
}

func response(lie func(*queryv1.QueryResourceResponse)) func(*clienttest.Exchange) {
	return func(e *clienttest.Exchange) { e.OnResponse = lie }
}

func intent(lie func(*auditv1.Intent)) func(*clienttest.Exchange) {
	return func(e *clienttest.Exchange) { e.OnIntent = lie }
}

func answer(lie func(*auditv1.Answer)) func(*clienttest.Exchange) {
	return func(e *clienttest.Exchange) { e.OnAnswer = lie }
}

// receiptOf puts the same content into another log.
func receiptOf(t *testing.T, log *clienttest.Log, r *auditv1.Receipt) *auditv1.Receipt {
	record, err := evidence.DecodeRecord(r.GetRecord())
	if err != nil {
		t.Error(err)
		return nil
	}
	other, err := log.Append(func(to *auditv1.Record) { to.Kind = record.GetKind() })
	if err != nil {
		t.Error(err)
	}
	return other
}

func TestUnverified(t *testing.T) {
	e := clienttest.New(t)
	e.OnResponse = func(r *queryv1.QueryResourceResponse) { r.Answer = []byte("{}") }
	cfg := config(t, e)
	cfg.LogKey, cfg.Unverified = "", true
	c := dial(t, cfg)
	a, err := c.Query(t.Context(), request())
	if err != nil || string(a.Bytes()) != "{}" || a.Evidence != nil {
		t.Errorf("answer %v, error %v", a, err)
	}
	if _, err := c.CheckLog(t.Context()); !errors.Is(err, client.ErrConfig) {
		t.Errorf("CheckLog = %v, want ErrConfig", err)
	}
}

func TestConfig(t *testing.T) {
	e := clienttest.New(t)
	for _, tt := range []struct {
		name string
		edit func(*client.Config)
		want error
	}{
		{"address", func(c *client.Config) { c.Address = "nowhere" }, client.ErrConfig},
		{"no exchange", func(c *client.Config) { c.Exchange = certs.ID{} }, client.ErrConfig},
		{"no identity", func(c *client.Config) { c.Identity = certs.Files{} }, client.ErrConfig},
		{"no bundle", func(c *client.Config) { c.Identity.Bundles = nil }, client.ErrConfig},
		{"no log key", func(c *client.Config) { c.LogKey = "" }, client.ErrConfig},
		{"bad log key", func(c *client.Config) { c.LogKey = "key" }, client.ErrConfig},
		{"bad pin", func(c *client.Config) { c.JournalKeys = map[string]string{"a": e.Journal.Key} }, client.ErrConfig},
		{"negative time-out", func(c *client.Config) { c.Timeout = -1 }, client.ErrConfig},
		{"huge message", func(c *client.Config) { c.MaxMessageBytes = 1 << 30 }, client.ErrConfig},
		{"no such file", func(c *client.Config) { c.Identity.SVID = "nothing.pem" }, certs.ErrSource},
	} {
		cfg := config(t, e)
		tt.edit(&cfg)
		if _, err := client.Dial(t.Context(), cfg); !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestWrongServer(t *testing.T) {
	e := clienttest.New(t)
	cfg := config(t, e)
	id, err := certs.ParseID("spiffe://other.example/exchange")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Exchange = id
	cfg.Identity.Bundles = map[string]string{"other.example": e.BundleFile(clienttest.ExchangeDomain)}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := dial(t, cfg).Query(ctx, request()); status.Code(err) != codes.Unavailable {
		t.Errorf("error = %v, want UNAVAILABLE", err)
	}
}

func TestClosed(t *testing.T) {
	e := clienttest.New(t)
	c, err := client.Dial(t.Context(), config(t, e))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), request()); !errors.Is(err, client.ErrClosed) {
		t.Errorf("error = %v, want ErrClosed", err)
	}
}

// TestRenewal replaces the SVID and expects calls to be made with the new one: the exchange judges a connection by its certificate.
func TestRenewal(t *testing.T) {
	e := clienttest.New(t)
	serials := make(chan string, 1)
	e.OnIntent = func(i *auditv1.Intent) { serials <- i.GetCaller().GetCertificateSerial() }
	c := dial(t, config(t, e))
	serial := func() string {
		if _, err := c.Query(t.Context(), request()); err != nil {
			t.Fatal(err)
		}
		return <-serials
	}
	old := serial()
	e.Identity(t, clienttest.CallerDomain, certs.RoleApplication, "housing-portal") // the same files
	deadline := time.Now().Add(20 * time.Second)
	for serial() == old {
		if time.Now().After(deadline) {
			t.Fatal("the old certificate is still in use")
		}
	}
	if _, err := c.Registry().GetExchange(t.Context(), &registryv1.GetExchangeRequest{}); err != nil {
		t.Error(err)
	}
}

// TestConcurrent has one client ask many questions at once: receipts overtake one another, and that is no fault.
func TestConcurrent(t *testing.T) {
	e := clienttest.New(t)
	c := dial(t, config(t, e))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 8 {
				if _, err := c.Query(t.Context(), request()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if cp, err := c.CheckLog(t.Context()); err != nil || cp.Size != 16*8 {
		t.Errorf("CheckLog = %+v, %v", cp, err)
	}
}
