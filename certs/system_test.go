package certs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

// system is a gRPC server on loopback with three trust domains around it. Henan and the exchange are federated, Zhejiang is not.
type system struct {
	exchange, henan, zhejiang *devca.CA
	bundles                   *certs.BundleSet
	server                    certs.ID
	memory                    *certs.Memory
	address                   string

	mu   sync.Mutex
	now  func() time.Time
	seen verdict         // of the last call
	last context.Context // of the last call, as a handler of a stream holds it
}

// verdict is what PeerFromContext said.
type verdict struct {
	peer certs.Peer
	err  error
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{
		exchange: newCA(t, "exchange.example"),
		henan:    newCA(t, "henan.example"),
		zhejiang: newCA(t, "zhejiang.example"),
		server:   mustID(t, "spiffe://exchange.example/exchange"),
		memory:   certs.NewMemory(),
		now:      time.Now,
	}
	s.bundles = certs.NewBundleSet(s.exchange.Bundle(), s.henan.Bundle())
	s.address = s.serve(t, mustIssue(t, s.exchange, s.server.String(), devca.Options{}))
	return s
}

// serve starts a server under the SVID of the source, on loopback and on s.memory.
func (s *system) serve(t *testing.T, svid x509svid.Source) string {
	t.Helper()
	server := grpc.NewServer(
		grpc.Creds(certs.ServerCredentials(svid, s.bundles, slog.New(slog.DiscardHandler))),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			s.look(ctx)
			return handle(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			s.look(stream.Context())
			return handle(srv, stream)
		}),
	)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, l := range []net.Listener{listener, s.memory} {
		group.Go(func() { _ = server.Serve(l) })
	}
	t.Cleanup(func() {
		server.Stop()
		group.Wait()
	})
	return listener.Addr().String()
}

func (s *system) look(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	peer, err := certs.PeerFromContext(ctx, s.now())
	s.seen, s.last = verdict{peer, err}, ctx
}

// clock sets what the server takes for the time.
func (s *system) clock(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = func() time.Time { return now }
}

// call makes a call and returns what the server thought of the caller.
func (s *system) call(t *testing.T, conn *grpc.ClientConn) verdict {
	t.Helper()
	s.mu.Lock()
	s.seen = verdict{}
	s.mu.Unlock()
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatalf("the call did not reach the server: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func (s *system) dial(t *testing.T, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// dialAs connects as the owner of an SVID, the way a program of ours does.
func (s *system) dialAs(t *testing.T, svid x509svid.Source) *grpc.ClientConn {
	t.Helper()
	return s.dial(t, certs.ClientCredentials(svid, s.exchange.Bundle(), s.server))
}

// dialWith connects with whatever certificate, the way an attacker does.
func (s *system) dialWith(t *testing.T, cert *tls.Certificate) *grpc.ClientConn {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	return s.dial(t, credentials.NewTLS(config))
}

func newCA(t testing.TB, domain string) *devca.CA {
	t.Helper()
	ca, err := devca.New(spiffeid.RequireTrustDomainFromString(domain))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func mustID(t testing.TB, s string) certs.ID {
	t.Helper()
	id, err := certs.ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustIssue(t testing.TB, ca *devca.CA, id string, opts devca.Options) *x509svid.SVID {
	t.Helper()
	svid, err := ca.Issue(mustID(t, id), opts)
	if err != nil {
		t.Fatal(err)
	}
	return svid
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// template is a faultless SVID for tests to spoil.
func template(ids ...string) *x509.Certificate {
	cert := &x509.Certificate{
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, id := range ids {
		uri, err := url.Parse(id)
		if err != nil {
			panic(err)
		}
		cert.URIs = append(cert.URIs, uri)
	}
	return cert
}

// sign makes a certificate from a template with a new key.
func sign(t testing.TB, ca *devca.CA, template *x509.Certificate) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	cert, err := ca.Sign(template, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// certificate shapes an SVID for crypto/tls.
func certificate(svid *x509svid.SVID) *tls.Certificate {
	cert := &tls.Certificate{PrivateKey: svid.PrivateKey, Leaf: svid.Certificates[0]}
	for _, c := range svid.Certificates {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert
}
