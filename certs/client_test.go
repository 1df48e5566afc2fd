package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

// handshake runs a client's handshake against a server with the certificate given and returns the client's error.
func handshake(t *testing.T, client credentials.TransportCredentials, server *tls.Certificate) error {
	t.Helper()
	here, there := net.Pipe()
	var group sync.WaitGroup
	group.Go(func() {
		defer there.Close()
		conn := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{*server}, NextProtos: []string{"h2"}, ClientAuth: tls.RequestClientCert})
		_ = conn.Handshake()
	})
	defer group.Wait()
	defer here.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, _, err := client.ClientHandshake(ctx, "localhost:443", here)
	return err
}

func TestClientVerifiesServer(t *testing.T) {
	exchange, henan := newCA(t, "exchange.example"), newCA(t, "henan.example")
	bundles := certs.NewBundleSet(exchange.Bundle(), henan.Bundle())
	const server = "spiffe://exchange.example/exchange"
	with := func(edit func(*x509.Certificate)) *tls.Certificate {
		c := template(server)
		edit(c)
		return sign(t, exchange, c)
	}
	creds := certs.ClientCredentials(mustIssue(t, henan, portal, devca.Options{}), bundles, mustID(t, server))
	for name, c := range map[string]struct {
		cert *tls.Certificate
		want error
		text string
	}{
		"right":                     {with(func(*x509.Certificate) {}), nil, ""},
		"another party of the same": {sign(t, exchange, template("spiffe://exchange.example/admin/li")), certs.ErrServer, "the server is spiffe://exchange.example/admin/li, wanted spiffe://exchange.example/exchange"},
		"a node":                    {sign(t, henan, template("spiffe://henan.example/node")), certs.ErrServer, ""},
		"the same role elsewhere":   {sign(t, henan, template("spiffe://henan.example/exchange")), certs.ErrServer, ""},
		"the ID by a wrong signer":  {sign(t, henan, template(server)), certs.ErrUntrusted, ""},
		"a stranger":                {sign(t, newCA(t, "x.example"), template("spiffe://x.example/exchange")), certs.ErrServer, ""},
		"expired":                   {with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), certs.ErrExpired, ""},
		"for clients only": {with(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), certs.ErrUntrusted, ""},
		"no ID":   {sign(t, exchange, template()), certs.ErrID, ""},
		"two IDs": {sign(t, exchange, template(server, "spiffe://exchange.example/node")), certs.ErrID, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := handshake(t, creds, c.cert)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.text != "" && !strings.Contains(err.Error(), c.text) {
				t.Errorf("error is %q, lacks %q", err, c.text)
			}
		})
	}
}

// TestClientErrorReachesCaller holds that people see the reason in the status of their call.
func TestClientErrorReachesCaller(t *testing.T) {
	s := newSystem(t)
	svid := mustIssue(t, s.henan, portal, devca.Options{})
	conn := s.dial(t, certs.ClientCredentials(svid, s.bundles, mustID(t, "spiffe://henan.example/node")))
	_, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	const text = "the server is spiffe://exchange.example/exchange, wanted spiffe://henan.example/node"
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want UNAVAILABLE with %s", err, text)
	}
}

func TestClientToPlaintextServer(t *testing.T) {
	ca := newCA(t, "exchange.example")
	creds := certs.ClientCredentials(mustIssue(t, ca, "spiffe://exchange.example/node", devca.Options{}), ca.Bundle(), mustID(t, "spiffe://exchange.example/exchange"))
	here, there := net.Pipe()
	var group sync.WaitGroup
	group.Go(func() {
		defer there.Close()
		_, _ = there.Read(make([]byte, 1))
		_, _ = there.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	})
	defer group.Wait()
	defer here.Close()
	_, _, err := creds.ClientHandshake(t.Context(), "localhost:443", &greedy{Conn: here})
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("got %v", err)
	}
}

// greedy writes one byte only and says it wrote all: the other side has seen that something came.
type greedy struct{ net.Conn }

func (g *greedy) Write(b []byte) (int, error) {
	if _, err := g.Conn.Write(b[:1]); err != nil {
		return 0, err
	}
	return len(b), nil
}

func TestServerRefusesOldTLS(t *testing.T) {
	s := newSystem(t)
	if conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}); err == nil {
		conn.Close()
		t.Error("TLS 1.2 was taken in")
	}
	// Without h2 the handshake can go through; then the server closes the connection without a word.
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("speaking %q: read %d bytes", protocols, n)
		}
		conn.Close()
	}
}

func TestNoResumption(t *testing.T) {
	s := newSystem(t)
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for range 2 {
		conn, err := tls.Dial("tcp", s.address, config)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err != nil { // the server's settings, after any ticket
			t.Fatal(err)
		}
		if conn.ConnectionState().DidResume {
			t.Error("a session was resumed: the proof of the client's key was skipped")
		}
		conn.Close()
	}
}

type brokenSource struct{}

func (brokenSource) GetX509SVID() (*x509svid.SVID, error) { return nil, certs.ErrSource }

// TestServerWithoutSVID holds that the operator learns of it, since callers only see an alert.
func TestServerWithoutSVID(t *testing.T) {
	var log bytes.Buffer
	creds := certs.ServerCredentials(brokenSource{}, certs.NewBundleSet(), slog.New(slog.NewTextHandler(&log, nil)))
	here, there := net.Pipe()
	var group sync.WaitGroup
	group.Go(func() {
		defer here.Close()
		_ = tls.Client(here, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}).Handshake()
	})
	if _, _, err := creds.ServerHandshake(there); !errors.Is(err, certs.ErrSource) {
		t.Errorf("got %v, want ErrSource", err)
	}
	group.Wait()
	if !strings.Contains(log.String(), "no svid to serve with") {
		t.Errorf("log: %s", log.String())
	}
}

func TestWrongSides(t *testing.T) {
	ca := newCA(t, "henan.example")
	svid := mustIssue(t, ca, portal, devca.Options{})
	server := certs.ServerCredentials(svid, certs.NewBundleSet(), slog.New(slog.DiscardHandler))
	client := certs.ClientCredentials(svid, ca.Bundle(), mustID(t, portal))
	if _, _, err := server.ClientHandshake(t.Context(), "x", nil); err == nil {
		t.Error("server credentials dial")
	}
	if _, _, err := client.ServerHandshake(nil); err == nil {
		t.Error("client credentials serve")
	}
	if server.OverrideServerName("x") == nil || client.OverrideServerName("x") == nil {
		t.Error("a server name is overridden silently")
	}
}
