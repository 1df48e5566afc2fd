package gateway

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

// TestInline: what stands inline is the exact text, and what cannot is base64.
func TestInline(t *testing.T) {
	for _, test := range []struct {
		media, answer string
		inline        bool
	}{
		{"application/json", `[{"b":1.10,"a":"\u6f22<>& ","a":12345678901234567890}]`, true},
		{"application/json; charset=utf-8", `{ "x" : [ ] }`, true},
		{"application/json", `[]`, true},
		{"application/json", ` []`, false},
		{"application/json", "[]\n", false},
		{"application/json", `"W10="`, false},
		{"application/json", `7`, false},
		{"application/json", ``, false},
		{"application/json", `[1,]`, false},
		{"application/json", `[1] [2]`, false},
		{"application/json", "[\"\xff\"]", false},
		{"application/octet-stream", `[]`, false},
		{"", `[]`, false},
	} {
		got, err := newMessages().Marshal(&queryv1.QueryResourceResponse{Access: `x", "answer": "`, MediaType: test.media, Answer: []byte(test.answer)})
		if err != nil {
			t.Fatal(err)
		}
		var parts struct {
			Answer   json.RawMessage
			RowCount string
		}
		if err := json.Unmarshal(got, &parts); err != nil || parts.RowCount != "0" {
			t.Fatalf("%q: %v\n%s", test.answer, err, got)
		}
		if inline := bytes.Equal(parts.Answer, []byte(test.answer)); inline != test.inline {
			t.Errorf("%s %q: got %s", test.media, test.answer, parts.Answer)
		}
		if !test.inline && !strings.HasPrefix(string(parts.Answer), `"`) {
			t.Errorf("%q: got %s, want base64", test.answer, parts.Answer)
		}
	}
}

func FuzzInline(f *testing.F) {
	f.Add([]byte(`[{"a":1}]`))
	f.Add([]byte("{\"\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := newMessages().Marshal(&queryv1.QueryResourceResponse{MediaType: "application/json", Answer: answer})
		if err != nil {
			t.Fatal(err)
		}
		var parts struct{ Answer json.RawMessage }
		if err := json.Unmarshal(got, &parts); err != nil {
			t.Fatal(err)
		}
		var text []byte
		if json.Unmarshal(parts.Answer, &text) == nil && parts.Answer[0] == '"' {
			parts.Answer = text
		}
		if !bytes.Equal(parts.Answer, answer) {
			t.Errorf("%q became %q", answer, parts.Answer)
		}
	})
}

// TestRoutes: every route of the generated code is known, or its requests would fail.
func TestRoutes(t *testing.T) {
	routes, err := readRoutes(services())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"POST /v1/{resource=provinces/*/resources/*}:query": "/kuasheng.query.v1.QueryService/QueryResource",
		"PATCH /v1/{member.name=provinces/*}":               "/kuasheng.registry.v1.RegistryService/UpdateMember",
		"GET /v1/checkpoint":                                "/kuasheng.audit.v1.AuditService/GetCheckpoint",
	}
	for key, method := range want {
		if rt := routes[key]; rt == nil || rt.method != method {
			t.Errorf("%s: got %v", key, rt)
		}
	}
	if len(routes) < 18 {
		t.Errorf("only %d routes", len(routes))
	}
}
