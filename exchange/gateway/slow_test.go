package gateway_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange/gateway"
	"github.com/kuasheng/kuasheng/internal/harness"
)

// half sends the beginning of a request over HTTP/1.1 with the certificate given, and returns the connection.
func (s *rest) half(t *testing.T, path string, own ...tls.Certificate) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}, Certificates: own,
	})
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	check(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = fmt.Fprintf(conn, "POST %s:query HTTP/1.1\r\nHost: exchange\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{", path)
	check(t, err)
	return conn
}

func read(t *testing.T, conn *tls.Conn) answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return answer{resp.StatusCode, resp.Header, body}
}

func certificate(t *testing.T, ca *devca.CA, id string) tls.Certificate {
	t.Helper()
	parsed, err := certs.ParseID(id)
	check(t, err)
	svid, err := ca.Issue(parsed, devca.Options{})
	check(t, err)
	own := tls.Certificate{PrivateKey: svid.PrivateKey}
	for _, c := range svid.Certificates {
		own.Certificate = append(own.Certificate, c.Raw)
	}
	return own
}

// TestHalfBodies: bodies that never come whole hold nobody up. Strangers are refused at once, before their body; a known caller whose body
// stays away has 408, on record; and while they wait the rightful application is answered.
func TestHalfBodies(t *testing.T) {
	s := start(t)
	gateway.SetBodyTime(s.gateway, time.Second)
	path := "/v1/" + s.henan.ResourceName(harness.Resource)
	good, err := protojson.Marshal(harness.Query(s.henan, harness.PersonA))
	check(t, err)
	app := s.app(t)
	stranger, err := devca.New(s.zhejiang.CA.TrustDomain()) // the name of the domain and another key
	check(t, err)

	for _, c := range []struct {
		name   string
		own    []tls.Certificate
		reason string
	}{
		{"without a certificate", nil, "CLIENT_CERTIFICATE_MISSING"},
		{"with an imposter's", []tls.Certificate{certificate(t, stranger, s.zhejiang.AppID("portal"))}, "CLIENT_CERTIFICATE_UNTRUSTED"},
	} {
		begun := time.Now()
		got := refusalOf(t, read(t, s.half(t, path, c.own...)))
		if got.Status != http.StatusUnauthorized || got.Reason != c.reason || got.Recorded || time.Since(begun) > 900*time.Millisecond {
			t.Errorf("%s: %+v after %v", c.name, got, time.Since(begun))
		}
	}

	var slow []*tls.Conn
	own := certificate(t, s.henan.CA, s.henan.AppID("slow"))
	for range 80 { // 64 of them read at one time
		slow = append(slow, s.half(t, path, own))
	}
	s.Eventually("all its places taken", func() bool { return gateway.Busy(s.gateway, s.henan.Domain) })
	for range 40 { // the strangers' are closed by themselves
		s.half(t, path)
	}
	if got := s.do(t, app, http.MethodPost, path+":query", string(good)); got.status != http.StatusOK {
		t.Errorf("the rightful application got %d %s", got.status, got.body)
	}
	counts := map[string]int{}
	for _, conn := range slow {
		got := refusalOf(t, read(t, conn))
		counts[fmt.Sprint(got.Status, got.Reason, got.Recorded)]++
	}
	if timeout, full := counts["408MESSAGE_MALFORMEDtrue"], counts["429OVERLOADEDfalse"]; timeout == 0 || full == 0 || timeout+full != len(slow) {
		t.Errorf("slow bodies got %v", counts)
	}
	if got := s.do(t, app, http.MethodPost, path+":query", string(bytes.TrimSpace(good))); got.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
}
