package gateway_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/kuasheng/kuasheng/certs/devca"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/harness"
)

// TestREST runs everything against one system: starting one is most of the cost.
func TestREST(t *testing.T) {
	s := start(t)
	resource := "/v1/" + s.henan.ResourceName(harness.Resource)
	good, err := protojson.Marshal(harness.Query(s.henan, harness.PersonA))
	check(t, err)

	t.Run("answer inline and exact", func(t *testing.T) { s.inline(t, resource, string(good)) })
	t.Run("export", s.export)
	t.Run("export refused", func(t *testing.T) {
		got := refusalOf(t, s.do(t, s.app(t), http.MethodPost, "/v1/"+s.henan.ResourceName(harness.Bulk)+":export", `{"fields":["seq","secret"],"purpose":{"code":"housing-loan-review"}}`))
		if got.Status == http.StatusOK || got.Reason == "" || !got.Recorded {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("callers", func(t *testing.T) { s.callers(t, resource, string(good)) })
	t.Run("untranslatable", func(t *testing.T) { s.untranslatable(t, resource, string(good)) })
	t.Run("lists", func(t *testing.T) {
		got := s.do(t, s.app(t), http.MethodGet, "/v1/provinces/410000/resources?pageSize=1", "")
		var list struct{ Resources []json.RawMessage }
		if err := json.Unmarshal(got.body, &list); err != nil || got.status != http.StatusOK || len(list.Resources) != 1 {
			t.Errorf("got %d %s %v", got.status, got.body, err)
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers are %v", got.header)
		}
	})
	t.Run("openapi for anybody", func(t *testing.T) {
		got := s.do(t, s.caller(t, nil, ""), http.MethodGet, "/openapi.json", "")
		var description struct {
			Swagger     string
			Paths       map[string]any
			Definitions map[string]struct{ Properties map[string]map[string]any }
		}
		if err := json.Unmarshal(got.body, &description); err != nil || description.Swagger != "2.0" || len(description.Paths) < 10 {
			t.Fatalf("got %d %v", got.status, err)
		}
		if _, typed := description.Definitions["v1QueryResourceResponse"].Properties["answer"]["type"]; typed {
			t.Error("answers are described as strings")
		}
	})
}

// inline checks that the answer is the very text whose digest the province put on record.
func (s *rest) inline(t *testing.T, resource, body string) {
	got := s.do(t, s.app(t), http.MethodPost, resource+":query", body)
	if got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	var parts map[string]json.RawMessage
	check(t, json.Unmarshal(got.body, &parts))
	raw := parts["answer"]
	if !bytes.HasPrefix(raw, []byte("[")) && !bytes.HasPrefix(raw, []byte("{")) {
		t.Fatalf("the answer is not inline: %s", raw)
	}
	parts["answer"] = []byte(`""`)
	rest := &queryv1.QueryResourceResponse{}
	check(t, protojson.Unmarshal([]byte(encode(t, parts)), rest))
	record := &auditv1.Record{}
	check(t, proto.Unmarshal(rest.GetAnswerReceipt().GetRecord(), record))
	want := record.GetAnswer().GetAnswerDigest()
	if len(want) == 0 || !bytes.Equal(want, evidence.AnswerDigest(rest.GetAnswerSalt(), rest.GetMediaType(), raw)) {
		t.Errorf("the digest on record is not that of the inline answer %s", raw)
	}
	if rest.GetRowCount() != 1 || rest.GetAccess() == "" {
		t.Errorf("got %v", rest)
	}
}

func (s *rest) export(t *testing.T) {
	body := `{"fields":["seq","note"],"parameters":{"from_seq":"4000"},"purpose":` + encode(t, json.RawMessage(must(protojson.Marshal(harness.Purpose())))) + `}`
	got := s.do(t, s.app(t), http.MethodPost, "/v1/"+s.henan.ResourceName(harness.Bulk)+":export", body)
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("got %d %s %.300s", got.status, got.header.Get("Content-Type"), got.body)
	}
	var rows int
	var trailer *queryv1.ExportTrailer
	lines := bufio.NewScanner(bytes.NewReader(got.body))
	lines.Buffer(nil, 8<<20)
	for n := 0; lines.Scan(); n++ {
		var line struct{ Result json.RawMessage }
		check(t, json.Unmarshal(lines.Bytes(), &line))
		m := &queryv1.ExportResourceResponse{}
		check(t, protojson.Unmarshal(line.Result, m))
		if (n == 0) != (m.GetHeader() != nil) {
			t.Fatalf("message %d: %v", n, m)
		}
		rows += bytes.Count(m.GetChunk().GetData(), []byte("\n"))
		trailer = m.GetTrailer()
	}
	if trailer == nil || int64(rows) != trailer.GetRowCount() || rows < 100 {
		t.Errorf("%d rows, trailer %v", rows, trailer)
	}
}

func (s *rest) callers(t *testing.T, resource, body string) {
	for _, test := range []struct {
		name, id string
		ca       *devca.CA
		header   []string
		want     refusal
	}{
		{name: "no certificate", want: refusal{401, 16, "CLIENT_CERTIFICATE_MISSING", "", false}},
		{name: "another province's authority", id: s.henan.AppID("portal"), ca: forged(t), want: refusal{401, 16, "CLIENT_CERTIFICATE_UNTRUSTED", "", false}},
		{name: "no member", id: "spiffe://other.example/app/x", ca: authority(t, "other.example"), want: refusal{401, 16, "CLIENT_CERTIFICATE_UNTRUSTED", "", false}},
		{name: "wrong role", id: "spiffe://zhejiang.example/operator/li", ca: s.zhejiang.CA, want: refusal{403, 7, "ROLE_NOT_ALLOWED", "", true}},
		{name: "no grant", id: s.zhejiang.AppID("other"), ca: s.zhejiang.CA, want: refusal{403, 7, "NO_GRANT", "", true}},
		{name: "identity by header", header: []string{
			"Grpc-Metadata-Kuasheng-Peer-Chain-Bin", "AAAA", "Kuasheng-Peer-Chain-Bin", "AAAA", "X-Http-Method-Override", "GET", "Authorization", "Bearer x",
		}, want: refusal{401, 16, "CLIENT_CERTIFICATE_MISSING", "", false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := refusalOf(t, s.do(t, s.caller(t, test.ca, test.id), http.MethodPost, resource+":query", body, test.header...))
			got.Subject = ""
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// untranslatable requests are refused on record against an identified caller, and tell an anonymous one nothing.
func (s *rest) untranslatable(t *testing.T, resource, body string) {
	app, anybody := s.app(t), s.caller(t, nil, "")
	malformed := func(status int, subject string) refusal {
		return refusal{status, 3, "MESSAGE_MALFORMED", subject, true}
	}
	for _, test := range []struct {
		name, method, path, body string
		header                   []string
		want                     refusal
		catalogue                bool // not about data: refused without a record
	}{
		{name: "unknown field", body: `{"fieldz": []}`, want: malformed(400, "fieldz")},
		{name: "unknown nested field", body: `{"purpose": {"why": 1}}`, want: malformed(400, "why")},
		{name: "wrong type", body: `{"fields": "account_no"}`, want: malformed(400, "fields")},
		{name: "wrong type of an element", body: `{"fields": ["account_no", 7]}`, want: malformed(400, "fields")},
		{name: "wrong type of a message", body: `{"purpose": [` + harness.PersonA[:17] + `]}`, want: malformed(400, "purpose")},
		{name: "number as a parameter", body: `{"parameters": {"id_number": ` + harness.PersonA[:17] + `}}`, want: malformed(400, "parameters")},
		{name: "parameter twice in the body", body: `{"parameters": {"a": "1", "a": "2"}}`, want: malformed(400, "parameters")},
		{name: "compressed", body: "\x1f\x8b", header: []string{"Content-Encoding", "gzip"}, want: malformed(415, "Content-Encoding")},
		{name: "wrong type of a scalar", body: `{"operator": 7}`, want: malformed(400, "operator")},
		{name: "field twice", body: `{"operator": "a", "operator": "b"}`, want: malformed(400, "operator")},
		{name: "identity number as a name", body: `{"` + harness.PersonA + `": 1}`, want: malformed(400, "(withheld)")},
		{name: "no JSON", body: `fields=x`, want: malformed(400, "")},
		{name: "two values", body: body + body, want: malformed(400, "")},
		{name: "not UTF-8", body: "{\"operator\": \"\xff\"}", want: malformed(400, "operator")},
		{name: "another resource in the body", body: `{"resource": "provinces/330000/resources/x"}`, want: malformed(400, "resource")},
		{name: "deep", body: strings.Repeat("[", 20000), want: malformed(400, "")},
		{name: "oversize", body: `{"operator": "` + strings.Repeat("a", 2<<20) + `"}`, want: malformed(413, "")},
		{name: "form", body: "a=b", header: []string{"Content-Type", "application/x-www-form-urlencoded"}, want: malformed(415, "")},
		{name: "parameter with a whole body", path: resource + ":query?operator=x", body: body, want: malformed(400, "operator")},
		{name: "bad timeout", body: body, header: []string{"Grpc-Timeout", "soon"}, want: malformed(400, "Grpc-Timeout")},
		{name: "unit in lower case", body: body, header: []string{"Grpc-Timeout", "5s"}, want: malformed(400, "Grpc-Timeout")},
		{name: "no time", body: body, header: []string{"Grpc-Timeout", "0S"}, want: malformed(400, "Grpc-Timeout")},
		{name: "time that is none", body: body, header: []string{"Grpc-Timeout", "99999999H"}, want: malformed(400, "Grpc-Timeout")},
		{name: "time back", body: body, header: []string{"Grpc-Timeout", "-5S"}, want: malformed(400, "Grpc-Timeout")},
		{name: "unknown parameter", method: http.MethodGet, path: "/v1/accesses?colour=red", want: malformed(400, "colour")},
		{name: "wrong parameter", method: http.MethodGet, path: "/v1/accesses?pageSize=many", want: malformed(400, "pageSize")},
		{name: "parameter twice", method: http.MethodGet, path: "/v1/accesses?pageSize=1&pageSize=2", want: malformed(400, "pageSize")},
		{name: "broken parameters", method: http.MethodGet, path: "/v1/accesses?a=%zz", want: malformed(400, "")},
		{name: "body where none belongs", method: http.MethodGet, path: "/v1/accesses", body: "{}", want: malformed(400, "")},
		{name: "catalogue", method: http.MethodGet, path: "/v1/provinces?x=1", want: malformed(400, "x"), catalogue: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.path == "" {
				test.path = resource + ":query"
			}
			test.want.Recorded = !test.catalogue
			got := s.do(t, app, test.method, test.path, test.body, test.header...)
			if diff := cmp.Diff(test.want, refusalOf(t, got)); diff != "" {
				t.Errorf("%s\n%.400s", diff, got.body)
			}
			if bytes.Contains(got.body, []byte(harness.PersonA[:17])) || bytes.Contains(got.body, []byte("many")) {
				t.Errorf("the refusal quotes what was sent: %s", got.body)
			}
			unknown := refusalOf(t, s.do(t, anybody, test.method, test.path, test.body, test.header...))
			if unknown.Reason != "CLIENT_CERTIFICATE_MISSING" || unknown.Status != http.StatusUnauthorized {
				t.Errorf("an anonymous caller gets %+v", unknown)
			}
		})
	}
	t.Run("no such path", func(t *testing.T) {
		got := refusalOf(t, s.do(t, app, http.MethodGet, "/v2/x", ""))
		if diff := cmp.Diff(refusal{404, 5, "NOT_FOUND", "", false}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("wrong verb", func(t *testing.T) {
		for _, test := range []struct{ method, path string }{
			{http.MethodDelete, "/v1/accesses"},
			{http.MethodGet, resource + ":query"},
			{http.MethodPut, resource + ":query"},
			{http.MethodPut, resource + "%3Aexport"},
			{http.MethodGet, resource + ":withdraw"},
			{http.MethodGet, "/v1/grants/1:revoke"},
		} {
			got := refusalOf(t, s.do(t, app, test.method, test.path, ""))
			if diff := cmp.Diff(refusal{405, 3, "MESSAGE_MALFORMED", "", false}, got); diff != "" {
				t.Errorf("%s %s: %s", test.method, test.path, diff)
			}
		}
	})
}

// authority is one that nobody has registered.
func authority(t *testing.T, domain string) *devca.CA {
	td, err := spiffeid.TrustDomainFromString(domain)
	check(t, err)
	ca, err := devca.New(td)
	check(t, err)
	return ca
}

// forged is an authority that claims a member's domain.
func forged(t *testing.T) *devca.CA { return authority(t, "henan.example") }

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
