package certs_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

// agent is a Workload API that says what a test tells it to: each answer goes out on the stream that is open.
type agent struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	answers chan answer
	socket  string
}

// answer is one message on the stream, or the error that ends it.
type answer struct {
	response *workload.X509SVIDResponse
	err      error
}

func newAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{answers: make(chan answer), socket: filepath.Join(t.TempDir(), "agent.sock")}
	listener, err := net.Listen("unix", a.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, a)
	var group sync.WaitGroup
	group.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		server.Stop()
		group.Wait()
	})
	return a
}

func (a *agent) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	if got := metadata.ValueFromIncomingContext(stream.Context(), "workload.spiffe.io"); len(got) != 1 || got[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing")
	}
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case next := <-a.answers:
			if next.err != nil {
				return next.err
			}
			if err := stream.Send(next.response); err != nil {
				return err
			}
		}
	}
}

// respond puts SVIDs and federated authorities into an answer.
func respond(t *testing.T, ca *devca.CA, federated []*devca.CA, svids ...*x509svid.SVID) answer {
	t.Helper()
	response := &workload.X509SVIDResponse{FederatedBundles: map[string][]byte{}}
	for _, svid := range svids {
		chain, key, err := svid.MarshalRaw()
		if err != nil {
			t.Fatal(err)
		}
		response.Svids = append(response.Svids, &workload.X509SVID{
			SpiffeId: svid.ID.String(), X509Svid: chain, X509SvidKey: key, Bundle: ca.Bundle().X509Authorities()[0].Raw,
		})
	}
	for _, f := range federated {
		response.FederatedBundles[f.TrustDomain().IDString()] = f.Bundle().X509Authorities()[0].Raw
	}
	return answer{response: response}
}

func TestWorkload(t *testing.T) {
	henan, exchange := newCA(t, "henan.example"), newCA(t, "exchange.example")
	a := newAgent(t)
	// The agent serves a system that is not ours as well, and names it first.
	foreignKey := newKey(t)
	foreign, err := henan.Sign(template("spiffe://henan.example/banana"), foreignKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	banana := &x509svid.SVID{Certificates: []*x509.Certificate{foreign}, PrivateKey: foreignKey}
	if banana.ID, err = x509svid.IDFromCert(foreign); err != nil {
		t.Fatal(err)
	}
	first := mustIssue(t, henan, portal, devca.Options{})
	var group sync.WaitGroup
	group.Go(func() { a.answers <- respond(t, henan, []*devca.CA{exchange}, banana, first) })
	var log logBuffer
	source, err := certs.OpenWorkload(t.Context(), a.socket, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	group.Wait()
	defer source.Close()
	if got := source.ID().String(); got != portal {
		t.Errorf("ID %q, want %q", got, portal)
	}
	if got := serial(t, source); got != first.Certificates[0].SerialNumber.String() {
		t.Errorf("serial %s", got)
	}
	for _, ca := range []*devca.CA{henan, exchange} {
		if b, err := source.GetX509BundleForTrustDomain(ca.TrustDomain()); err != nil || !b.Equal(ca.Bundle()) {
			t.Errorf("bundle of %s: %v", ca.TrustDomain(), err)
		}
	}

	changed := source.Changed()
	second := mustIssue(t, henan, portal, devca.Options{})
	a.answers <- respond(t, henan, []*devca.CA{exchange}, second)
	<-changed
	if got := serial(t, source); got != second.Certificates[0].SerialNumber.String() {
		t.Errorf("after the renewal: serial %s", got)
	}

	// The agent goes away and comes back with another SVID; meanwhile the last one serves. Our client waits a second before it asks
	// again, so the send below waits for it.
	changed = source.Changed()
	a.answers <- answer{err: status.Error(codes.Unavailable, "restarting")}
	if got := serial(t, source); got != second.Certificates[0].SerialNumber.String() {
		t.Errorf("without the agent: serial %s", got)
	}
	third := mustIssue(t, henan, portal, devca.Options{})
	a.answers <- respond(t, henan, []*devca.CA{exchange}, third)
	<-changed
	if got := serial(t, source); got != third.Certificates[0].SerialNumber.String() {
		t.Errorf("after the agent's return: serial %s", got)
	}
	// An answer with nothing for us changes nothing; the next one counts again.
	changed = source.Changed()
	a.answers <- respond(t, henan, nil, banana)
	a.answers <- respond(t, henan, []*devca.CA{exchange}, mustIssue(t, henan, portal, devca.Options{}))
	<-changed
	if got := source.ID().String(); got != portal {
		t.Errorf("ID %q, want %q", got, portal)
	}
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "not answering"); n != 2 {
		t.Errorf("%d warnings, want one per trouble:\n%s", n, log.String())
	}
}

func TestWorkloadErrors(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for _, socket := range []string{"", "http://127.0.0.1:1", "unix://"} {
		if _, err := certs.OpenWorkload(t.Context(), socket, logger); !errors.Is(err, certs.ErrSource) {
			t.Errorf("socket %q: %v, want ErrSource", socket, err)
		}
	}
	// The reason the agent gives is in the error, not only that time is up.
	a := newAgent(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		a.answers <- answer{err: status.Error(codes.PermissionDenied, "no identity issued")}
		// Taken by the second attempt: the first error has been handled by then.
		a.answers <- answer{err: status.Error(codes.PermissionDenied, "no identity issued")}
		cancel()
	})
	_, err := certs.OpenWorkload(ctx, a.socket, logger)
	group.Wait()
	if !errors.Is(err, certs.ErrSource) || !strings.Contains(err.Error(), "no identity issued") || !strings.Contains(err.Error(), a.socket) {
		t.Errorf("got %v", err)
	}
}
