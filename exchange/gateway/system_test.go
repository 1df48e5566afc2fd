package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange/gateway"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
)

// rest is a whole system with a gateway in front of its exchange.
type rest struct {
	*harness.System
	henan, zhejiang *harness.Province
	url             string
	gateway         *gateway.Gateway
}

func start(t *testing.T) *rest {
	t.Helper()
	s := &rest{System: harness.Start(t, nil)}
	s.henan = s.Province("410000", "henan.example", "node-1")
	s.zhejiang = s.Province("330000", "zhejiang.example")
	s.henan.Run("node-1", "")
	s.Grant(s.henan, &grantv1.Grant{
		Resource: s.henan.ResourceName(harness.Resource), Requester: s.zhejiang.AppID("portal"), Fields: []string{"account_no", "balance"}, Quota: &grantv1.Quota{},
	})
	s.Grant(s.henan, &grantv1.Grant{
		Resource: s.henan.ResourceName(harness.Bulk), Requester: s.zhejiang.AppID("portal"), Fields: []string{"seq", "note"}, Quota: &grantv1.Quota{},
	})
	own, err := certs.OpenFiles(context.Background(), s.Identity(s.CA, "spiffe://"+harness.Domain+"/exchange"), s.Logger)
	check(t, err)
	g, err := gateway.New(gateway.Config{Exchange: s.Server.Memory(), Identity: own, Domain: harness.Domain, Logger: s.Logger})
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Errorf("closing: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
		own.Close()
	})
	s.gateway = g
	s.url = "https://" + l.Addr().String()
	return s
}

// caller is an HTTPS client with an SVID; without one if ca is nil.
func (s *rest) caller(t *testing.T, ca *devca.CA, id string) *http.Client {
	t.Helper()
	exchange, err := certs.ParseID("spiffe://" + harness.Domain + "/exchange")
	check(t, err)
	anybody := ca == nil
	if anybody {
		ca, id = s.zhejiang.CA, s.zhejiang.AppID("nobody")
	}
	own, err := certs.OpenFiles(context.Background(), s.Identity(ca, id), s.Logger)
	check(t, err)
	conf := certs.HTTPClientTLS(own, own, exchange)
	if anybody {
		conf.GetClientCertificate = nil
	}
	transport := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		own.Close()
	})
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func (s *rest) app(t *testing.T) *http.Client {
	return s.caller(t, s.zhejiang.CA, s.zhejiang.AppID("portal"))
}

// answer is a response with its body read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (s *rest) do(t *testing.T, c *http.Client, method, path, body string, header ...string) answer {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, in)
	check(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	check(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	check(t, err)
	return answer{resp.StatusCode, resp.Header, got}
}

// refusal is what an error says about itself.
type refusal struct {
	Status          int
	Code            int32
	Reason, Subject string
	Recorded        bool
}

func refusalOf(t *testing.T, a answer) refusal {
	t.Helper()
	s := &spb.Status{}
	if err := protojson.Unmarshal(a.body, s); err != nil || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, no error in JSON: %v\n%s", a.status, err, a.body)
	}
	r := refusal{Status: a.status, Code: s.GetCode()}
	chinese := false
	for _, d := range s.GetDetails() {
		m, err := d.UnmarshalNew()
		check(t, err)
		switch m := m.(type) {
		case *errdetails.ErrorInfo:
			r.Reason, r.Subject, r.Recorded = m.GetReason(), m.GetMetadata()["subject"], m.GetMetadata()["access"] != ""
			if m.GetDomain() != harness.Domain {
				t.Errorf("domain is %q", m.GetDomain())
			}
		case *errdetails.LocalizedMessage:
			chinese = m.GetLocale() == "zh-CN" && m.GetMessage() != ""
		}
	}
	if !chinese {
		t.Errorf("no message in Chinese: %s", a.body)
	}
	return r
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	check(t, err)
	return string(b)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
