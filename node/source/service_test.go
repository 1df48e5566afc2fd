package source

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// serviceFile is a node's file with one resource of an HTTP source.
func serviceFile(source, request, parameters string) string {
	return fmt.Sprintf(`region: "410000"
replica: node-1
data_dir: data
identity: { workload_api: unix:///run/agent.sock }
exchange: { id: spiffe://exchange.example/exchange, addresses: [ "127.0.0.1:1" ], log_key: %q }
sources: { it: { http: { %s } } }
policy: { pseudonym_key: p.key }
resources:
  - code: 307410000001/000001
    title: { zh: 试 }
    abstract: { zh: 试 }
    provider: { name: 厅, uscc: 11410000MB0D00416U }
    format: service
    share: { type: unconditional, mode: service }
    update_cycle: daily
    grade: general_1
    source_department: 11410000MB0D00416U
    fields:
      - { name: a, title: { zh: 甲 }, type: C }
      - { name: b, title: { zh: 乙 }, type: N, column: deep.b }
    parameters: [ %s ]
    limits: { timeout: 1s, export_rows: 10 }
    source: it
    request: { %s }
`, sampleKey, source, parameters, request)
}

func openService1(t *testing.T, text string) *Set {
	t.Helper()
	s, err := Open(t.Context(), parse(t, text), nopLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestServiceAnswers(t *testing.T) {
	for _, c := range []struct {
		name, rows string
		status     int
		body       string
		want       string
		err        error
	}{
		{"array", "", 200, `[{"a":"x","deep":{"b":1.50}},{"a":null,"deep":{"b":null},"more":[1]}]`, `{"rows":[{"a":"x","b":"1.50"},{"a":null,"b":null}]}`, nil},
		{"one object", "", 200, `{"a":"x","deep":{"b":-1}}`, `{"rows":[{"a":"x","b":"-1"}]}`, nil},
		{"path", "d.rows", 200, `{"x":{"rows":[1]},"d":{"y":[[]],"rows":[{"a":"x","deep":{"b":"7"}}],"z":{}},"n":[1,{}]}`, `{"rows":[{"a":"x","b":"7"}]}`, nil},
		{"null rows", "d", 200, `{"d":null}`, `{"rows":[]}`, nil},
		{"no rows", "d", 200, `{"d":[]}`, `{"rows":[]}`, nil},
		{"not found", "d", 404, `nobody`, `{"rows":[]}`, nil},
		{"no content", "d", 204, ``, `{"rows":[]}`, nil},
		{"missing rows", "d", 200, `{"e":[]}`, "", ErrMapping},
		{"rows inside a list", "d.e", 200, `{"d":[{"e":[]}]}`, "", ErrMapping},
		{"scalar rows", "d", 200, `{"d":3}`, "", ErrMapping},
		{"missing member", "", 200, `[{"a":"x"}]`, "", ErrMapping},
		{"object for a value", "", 200, `[{"a":{},"deep":{"b":1}}]`, "", ErrMapping},
		{"wrong type", "", 200, `[{"a":true,"deep":{"b":1}}]`, "", ErrMapping},
		{"row is no object", "", 200, `[7]`, "", ErrMapping},
		{"row is null", "", 200, `[null]`, "", ErrMapping},
		{"not JSON", "", 200, `<html>`, "", ErrMapping},
		{"cut off in a row", "", 200, `[{"a":"x"`, "", ErrUnavailable},
		{"cut off between rows", "", 200, `[{"a":"x","deep":{"b":1}}`, "", ErrUnavailable},
		{"cut off behind the rows", "d", 200, `{"d":[{"a":"x","deep":{"b":1}}]`, "", ErrUnavailable},
		{"huge", "", 200, `[{"a":"` + strings.Repeat("x", maxElement+1) + `","deep":{"b":1}}]`, "", ErrAnswerTooLarge},
		{"deep", "d", 200, `{"d":[],"e":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "", ErrMapping},
		{"redirect", "", 302, ``, "", ErrMapping},
		{"refused", "", 401, ``, "", ErrUnavailable},
		{"bad request", "", 400, `secret-word`, "", ErrMapping},
		{"busy", "", 429, ``, "", ErrBusy},
		{"broken", "", 500, `secret-word`, "", ErrUnavailable},
		{"gateway", "", 504, ``, "", ErrTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					t.Error("a redirect was followed")
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				if c.status != http.StatusNoContent {
					fmt.Fprint(w, c.body)
				}
			}))
			defer srv.Close()
			request := "path: /x"
			if c.rows != "" {
				request += ", rows: " + c.rows
			}
			s := openService1(t, serviceFile(fmt.Sprintf("base_url: %q", srv.URL), request, ""))
			a, err := s.Query(t.Context(), ask(1, "a b"))
			if !errors.Is(err, c.err) || string(a.JSON) != c.want {
				t.Errorf("got %.200s, %v, want %s, %v", a.JSON, err, c.want, c.err)
			}
			if err != nil && (strings.Contains(err.Error(), "secret-word") || len(err.Error()) > 400) {
				t.Errorf("the error repeats the answer: %.400v", err)
			}
		})
	}
}

func TestServiceRequest(t *testing.T) {
	var path, query, auth string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, query, auth = r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization")
		fmt.Fprint(w, "[]")
	}))
	defer srv.Close()
	t.Setenv("KUASHENG_TEST_TOKEN", "Bearer secret-word")
	s := openService1(t, serviceFile(fmt.Sprintf("base_url: %q, header_env: { authorization: KUASHENG_TEST_TOKEN }", srv.URL+"/api"),
		`path: "/p/{id}/x", query: { fixed: "1", since: "{since}", pair: "{id}-{since}" }`,
		"{ name: id, type: C, required: true }, { name: since, type: D }"))
	for id, want := range map[string]string{
		"a b?#&%2F": "/api/p/a%20b%3F%23&%252F/x",
		"张":         "/api/p/%E5%BC%A0/x",
		"...":       "/api/p/.../x",
	} {
		if _, err := s.Query(t.Context(), ask(1, "a", "id", id)); err != nil {
			t.Fatal(err)
		}
		if path != want || auth != "Bearer secret-word" || strings.Contains(query, "since=") {
			t.Errorf("%q: got path %s, query %s, authorization %s", id, path, query, auth)
		}
	}
	if _, err := s.Query(t.Context(), ask(1, "a", "id", "1&x=2", "since", "2024-01-01")); err != nil {
		t.Fatal(err)
	}
	if want := "fixed=1&pair=1%26x%3D2-2024-01-01&since=2024-01-01"; query != want {
		t.Errorf("got query %s, want %s", query, want)
	}
	for _, id := range []string{"..", ".", "a/b", `a\b`, "../../admin"} {
		path = ""
		if _, err := s.Query(t.Context(), ask(1, "a", "id", id)); !errors.Is(err, ErrParameter) || path != "" {
			t.Errorf("%q: got %v and path %s", id, err, path)
		}
		if err := s.CheckParameters(suiteCode(1), map[string]string{"id": id}); !errors.Is(err, ErrParameter) {
			t.Errorf("%q: got %v", id, err)
		}
	}
}

func TestServiceConnections(t *testing.T) {
	var now, most atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for n, m := now.Add(1), most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		defer now.Add(-1)
		fmt.Fprint(w, "[]")
	}))
	defer srv.Close()
	text := serviceFile(fmt.Sprintf("base_url: %q", srv.URL), "path: /x", "")
	s := openService1(t, strings.Replace(text, "timeout: 1s", "timeout: 20s, connections: 2", 1))
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			if _, err := s.Query(t.Context(), ask(1, "a")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if most.Load() > 2 {
		t.Errorf("%d queries at once on 2 connections", most.Load())
	}
}

func TestServiceTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the stranger's handshake
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	trusted := openService1(t, serviceFile(fmt.Sprintf("base_url: %q, ca: %q", srv.URL, ca), "path: /x", ""))
	if _, err := trusted.Query(t.Context(), ask(1, "a")); err != nil {
		t.Error(err)
	}
	stranger := openService1(t, serviceFile(fmt.Sprintf("base_url: %q", srv.URL), "path: /x", ""))
	if _, err := stranger.Query(t.Context(), ask(1, "a")); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("got %v", err)
	}
}

func TestOpenReportsThisSidesFaultsAtOnce(t *testing.T) {
	_, err := Open(t.Context(), parse(t, serviceFile(`base_url: "https://h", header_env: { Authorization: KUASHENG_TEST_UNSET }`, "path: /x", "")), nopLogger())
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "KUASHENG_TEST_UNSET") {
		t.Errorf("variable: got %v", err)
	}
	_, err = Open(t.Context(), parse(t, serviceFile(`base_url: "https://h", ca: nowhere.pem`, "path: /x", "")), nopLogger())
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("authorities: got %v", err)
	}
}
