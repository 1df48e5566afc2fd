package exchange_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/protobuf/encoding/protojson"
)

// TestPrivacy runs queries that are answered, refused, malformed and failed, and then looks for every identity number, parameter value and
// answer in all that anybody but the two ends could read: logs, errors, metrics, the exchange's store, the nodes' journals, the auditors'
// view.
func TestPrivacy(t *testing.T) {
	s := start(t, "one")
	r := s.run("one", "")
	s.grant(harness.Resource, nil, "account_no", "balance", "name")
	s.grant(byName, nil, "account_no")
	s.grant(service, nil, "value")
	s.grant(harness.Bulk, nil, "note")
	app := s.zhejiang.App("portal")
	var errs strings.Builder
	query := func(req *queryv1.QueryResourceRequest) {
		t.Helper()
		if _, err := app.Query(t.Context(), req); err != nil {
			fmt.Fprintln(&errs, err, details(err))
		}
	}
	persons := []string{harness.PersonA, harness.PersonB, brokenPerson, deadDate}
	for i := range 10 {
		for _, p := range persons {
			req := harness.Query(s.henan, p)
			req.Fields = []string{"account_no", "balance", "name"}
			query(req)
			req.Purpose.Code = "marketing"
			query(req)
			query(s.ask(service, map[string]string{"person": p, "size": "5"}, "value"))
			query(s.ask(service, map[string]string{"person": p, "size": "five-and-a-half"}, "value"))
			query(s.ask(service, map[string]string{p: "secret-value-in-odd-place"}, "value"))
			req = s.ask(service, map[string]string{"size": "1"}, "value")
			req.Purpose.Cause = "本人 " + p // two of the four are no identity numbers, only resemble one: free text may say so
			if p == harness.PersonA || p == harness.PersonB {
				query(req)
			}
		}
		query(s.ask(byName, map[string]string{"name": fmt.Sprint("欧阳测试", i)}, "account_no"))
		query(s.ask(byName, map[string]string{"name": injection}, "account_no"))
	}
	_, err := app.Export(t.Context(), &queryv1.ExportResourceRequest{Resource: s.henan.ResourceName(harness.Bulk), Fields: []string{"note"}, Purpose: harness.Purpose(), Parameters: map[string]string{"from_seq": "4242"}}, func([]byte, int64) error { return nil })
	check(t, err)
	s.source.Close() // a source that is down has much to say
	query(s.ask(service, map[string]string{"person": harness.PersonA, "pad": "padding-of-the-caller"}, "value"))
	s.change("DROP TABLE deposits") // and so has one that does not fit its mapping
	query(s.ask(byName, map[string]string{"name": "欧阳测试"}, "account_no"))

	secrets := append([]string{
		"12345678901234567890.12", "A-0001", "A-0002", "张三丰", "five-and-a-half", "secret-value-in-odd-place", "欧阳测试", injection, "DROP TABLE", "entry number 4242", "xxxxx", "padding-of-the-caller",
	}, persons...)
	metrics := httptest.NewRecorder()
	promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}).ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
	var seen strings.Builder
	for _, p := range []*harness.Province{s.henan, s.zhejiang} {
		for _, a := range s.accesses(p) {
			seen.WriteString(protojson.Format(a))
		}
	}
	if n := strings.Count(seen.String(), `"verdict"`); n < 400 {
		t.Fatalf("only %d records were looked at", n)
	}
	for where, text := range map[string]string{"an error": errs.String(), "the logs": s.logs.String(), "the metrics": metrics.Body.String(), "the auditor's view": seen.String()} {
		if len(text) < 100 {
			t.Errorf("%s: nothing to look at", where)
		}
		for _, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s: %q stands in %q", where, secret, text[max(0, i-100):min(len(text), i+100)])
			}
		}
	}
	r.Stop()
	s.Stop()
	s.notStored(secrets...)
}
