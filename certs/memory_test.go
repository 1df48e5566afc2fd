package certs_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

// restSystem puts an HTTPS server with a REST gateway before the gRPC server of a system, as the exchange does.
type restSystem struct {
	*system
	conn *grpc.ClientConn // the gateway's, in memory
	url  string
}

func newRESTSystem(t *testing.T) *restSystem {
	t.Helper()
	s := newSystem(t)
	conn, err := s.memory.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	mux := runtime.NewServeMux()
	health := grpc_health_v1.NewHealthClient(conn)
	// What generated gateway code does for a method, with its copying of headers into metadata.
	if err := mux.HandlePath(http.MethodGet, "/health", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		ctx, err := runtime.AnnotateContext(r.Context(), mux, r, grpc_health_v1.Health_Check_FullMethodName)
		if err == nil {
			_, err = health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}); err != nil {
		t.Fatal(err)
	}
	svid := mustIssue(t, s.exchange, s.server.String(), devca.Options{})
	server := &http.Server{
		TLSConfig: certs.HTTPServerTLS(svid, slog.New(slog.DiscardHandler)),
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mux.ServeHTTP(w, r.WithContext(certs.Forward(r.Context(), r.TLS)))
		}),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() { _ = server.ServeTLS(listener, "", "") })
	t.Cleanup(func() {
		server.Close()
		group.Wait()
	})
	return &restSystem{system: s, conn: conn, url: "https://" + listener.Addr().String() + "/health"}
}

// get makes a REST call under a certificate, nil for none, and returns what the gRPC server thought of the caller.
func (s *restSystem) get(t *testing.T, cert *tls.Certificate, header http.Header) verdict {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	return s.do(t, transport, header)
}

func (s *restSystem) do(t *testing.T, transport *http.Transport, header http.Header) verdict {
	t.Helper()
	s.mu.Lock()
	s.seen = verdict{err: errors.New("the call did not arrive")}
	s.mu.Unlock()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		request.Header[k] = v
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", response.Status, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func TestRESTCallers(t *testing.T) {
	s := newRESTSystem(t)
	svid := mustIssue(t, s.henan, portal, devca.Options{})
	for range 2 { // the second call finds the chain remembered
		got := s.get(t, certificate(svid), nil)
		if got.err != nil || got.peer.ID.String() != portal || !got.peer.Forwarded ||
			got.peer.Serial != fmt.Sprintf("%x", svid.Certificates[0].SerialNumber) {
			t.Errorf("a right caller: %+v, %v", got.peer, got.err)
		}
	}
	transport := &http.Transport{TLSClientConfig: certs.HTTPClientTLS(svid, s.exchange.Bundle(), s.server), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	if got := s.do(t, transport, nil); got.err != nil || got.peer.ID.String() != portal {
		t.Errorf("with HTTPClientTLS: %+v, %v", got.peer, got.err)
	}
	for _, w := range wrongCallers(t, s.system) {
		t.Run(w.name, func(t *testing.T) { w.check(t, s.get(t, w.cert, nil)) })
	}
	s.bundles.Remove(s.henan.TrustDomain())
	if got := s.get(t, certificate(svid), nil); !errors.Is(got.err, certs.ErrUntrusted) {
		t.Errorf("after removal: %+v, %v, want ErrUntrusted", got.peer, got.err)
	}
}

// TestRESTHeaderSpoofing: certificates are public, so that anybody can send the portal's along, and a gateway copies headers.
func TestRESTHeaderSpoofing(t *testing.T) {
	s := newRESTSystem(t)
	victim := mustIssue(t, s.henan, portal, devca.Options{}).Certificates[0].Raw
	header := http.Header{}
	for _, name := range []string{certs.ForwardKey, "Kuasheng-Peer-Chain-Bin", "KUASHENG-PEER-CHAIN-BIN"} {
		header["Grpc-Metadata-"+name] = []string{base64.StdEncoding.EncodeToString(victim)}
		header[name] = []string{base64.StdEncoding.EncodeToString(victim)}
	}
	if got := s.get(t, nil, header); !errors.Is(got.err, certs.ErrNoCertificate) {
		t.Errorf("without a certificate: %+v, %v, want ErrNoCertificate", got.peer, got.err)
	}
	other := mustIssue(t, s.henan, "spiffe://henan.example/app/other", devca.Options{})
	if got := s.get(t, certificate(other), header); got.err != nil || got.peer.ID.Name != "other" {
		t.Errorf("with another certificate: %+v, %v", got.peer, got.err)
	}
}

// TestMetadataSpoofing: on a connection from the network the forwarding key means nothing.
func TestMetadataSpoofing(t *testing.T) {
	s := newSystem(t)
	victim := mustIssue(t, s.henan, portal, devca.Options{}).Certificates[0].Raw
	ctx := metadata.AppendToOutgoingContext(t.Context(), certs.ForwardKey, string(victim))
	other := mustIssue(t, s.henan, "spiffe://henan.example/app/other", devca.Options{})
	for name, c := range map[string]struct {
		conn *grpc.ClientConn
		want string
		err  error
	}{
		"no certificate":      {s.dialWith(t, nil), "", certs.ErrNoCertificate},
		"another certificate": {s.dialAs(t, other), "spiffe://henan.example/app/other", nil},
	} {
		if _, err := grpc_health_v1.NewHealthClient(c.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		got := s.seen
		s.mu.Unlock()
		if !errors.Is(got.err, c.err) || got.peer.ID.String() != c.want || got.peer.Forwarded {
			t.Errorf("%s: %+v, %v", name, got.peer, got.err)
		}
	}
}

func TestMemoryStream(t *testing.T) {
	s := newRESTSystem(t)
	svid := mustIssue(t, s.henan, portal, devca.Options{})
	ctx := certs.Forward(t.Context(), &tls.ConnectionState{PeerCertificates: svid.Certificates})
	// A stream, and metadata that has the key already.
	ctx = metadata.AppendToOutgoingContext(ctx, "Kuasheng-Peer-Chain-Bin", "junk", "other", "kept")
	stream, err := grpc_health_v1.NewHealthClient(s.conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen.err != nil || s.seen.peer.ID.String() != portal {
		t.Errorf("got %+v, %v", s.seen.peer, s.seen.err)
	}
	if got := metadata.ValueFromIncomingContext(s.last, "other"); len(got) != 1 || got[0] != "kept" {
		t.Errorf("other metadata: %q", got)
	}
}

// TestMemoryWithoutForward: who forgets Forward gets nobody, not the gateway's own standing.
func TestMemoryWithoutForward(t *testing.T) {
	s := newRESTSystem(t)
	if got := s.call(t, s.conn); !errors.Is(got.err, certs.ErrNoCertificate) {
		t.Errorf("got %+v, %v, want ErrNoCertificate", got.peer, got.err)
	}
}

// TestMemoryOddValues gives the server values that Memory.Dial never sends.
func TestMemoryOddValues(t *testing.T) {
	s := newRESTSystem(t)
	svid := mustIssue(t, s.henan, portal, devca.Options{})
	ctx := certs.Forward(t.Context(), &tls.ConnectionState{PeerCertificates: svid.Certificates})
	if _, err := grpc_health_v1.NewHealthClient(s.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	memory, _ := peer.FromContext(s.last) // what marks a context as one of an in-memory connection
	s.mu.Unlock()
	raw := string(svid.Certificates[0].Raw)
	for name, c := range map[string]struct {
		values []string
		want   error
	}{
		"right":     {[]string{raw}, nil},
		"two":       {[]string{raw, raw}, certs.ErrUntrusted},
		"none":      {nil, certs.ErrNoCertificate},
		"empty":     {[]string{""}, certs.ErrNoCertificate},
		"junk":      {[]string{"junk"}, certs.ErrUntrusted},
		"cut off":   {[]string{raw[:len(raw)-1]}, certs.ErrUntrusted},
		"more":      {[]string{raw + "x"}, certs.ErrUntrusted},
		"too large": {[]string{string(make([]byte, 1<<20))}, certs.ErrUntrusted},
	} {
		ctx := peer.NewContext(metadata.NewIncomingContext(context.Background(), metadata.MD{certs.ForwardKey: c.values}), memory)
		if got, err := certs.PeerFromContext(ctx, time.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestForwardedCallersAreBounded(t *testing.T) {
	ca := newCA(t, "henan.example")
	var contexts []context.Context
	for range certs.MaxForwarded + 10 {
		raw := sign(t, ca, template(portal)).Certificate[0]
		contexts = append(contexts, metadata.NewIncomingContext(t.Context(), metadata.MD{certs.ForwardKey: {string(raw)}}))
	}
	if got := certs.ForwardedCallers(certs.NewBundleSet(), contexts); got != certs.MaxForwarded {
		t.Errorf("%d chains remembered, want %d", got, certs.MaxForwarded)
	}
}

func TestMemoryCredentialsRefuseNetwork(t *testing.T) {
	s := newSystem(t)
	// Options of the caller cannot lead the forwarded chain elsewhere.
	conn, err := s.memory.Dial(
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return net.Dial("tcp", s.address) }),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s.call(t, conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, _ := peer.FromContext(s.last); p.AuthInfo.AuthType() != "memory" {
		t.Errorf("the call went over %q", p.AuthInfo.AuthType())
	}
}

// TestMemoryInterceptorsCannotForge: what a gateway adds on the way out, for tracing say, runs before ours.
func TestMemoryInterceptorsCannotForge(t *testing.T) {
	s := newSystem(t)
	victim := string(mustIssue(t, s.henan, portal, devca.Options{}).Certificates[0].Raw)
	forge := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(metadata.AppendToOutgoingContext(ctx, certs.ForwardKey, victim), method, req, reply, cc, opts...)
	}
	conn, err := s.memory.Dial(grpc.WithUnaryInterceptor(forge), grpc.WithChainUnaryInterceptor(forge))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := s.call(t, conn); !errors.Is(got.err, certs.ErrNoCertificate) {
		t.Errorf("got %+v, %v, want ErrNoCertificate", got.peer, got.err)
	}
}

func TestMemoryClose(t *testing.T) {
	memory := certs.NewMemory()
	if err := memory.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := memory.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
	}
}

func FuzzForwarded(f *testing.F) {
	ca := newCA(f, "henan.example")
	raw := mustIssue(f, ca, portal, devca.Options{}).Certificates[0].Raw
	f.Add(string(raw))
	f.Add(string(raw) + string(raw))
	f.Add(string(raw[:40]))
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, value string) {
		if err := certs.ParseForwarded(value); err != nil && !errors.Is(err, certs.ErrUntrusted) {
			t.Errorf("%v does not wrap ErrUntrusted", err)
		}
	})
}
