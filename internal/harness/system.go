// Package harness runs a whole system in one process for tests: an exchange and any number of provinces' nodes as real servers on loopback, each
// province with its own authority, real mTLS on every hop, real stores in the test's temporary directory.
//
// It is for tests alone; below cmd it is the only package that imports both exchange and node.
package harness

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Domain is the exchange's trust domain.
const Domain = "exchange.example"

// segmentSize keeps the logs of tests small: preallocating is most of their cost.
const segmentSize = 2 << 20

// System is an exchange with the authorities that everybody needs.
type System struct {
	T       testing.TB
	Dir     string
	CA      *devca.CA
	LogKey  string // verifier key of the access log
	Address string
	Logger  *slog.Logger
	// Now is the exchange's and the nodes' clock; nil: time.Now.
	Now func() time.Time

	Server   *exchange.Server
	Registry *prometheus.Registry

	signer    note.Signer
	signerKey string
	stop      func()
}

// Start makes an exchange and serves it. What it logs goes to logs, which may be nil.
func Start(t testing.TB, logs io.Writer) *System {
	t.Helper()
	if logs == nil {
		logs = io.Discard
	}
	s := &System{T: t, Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(logs, nil))}
	s.CA = newCA(t, Domain)
	signerKey, verifierKey, err := translog.GenerateKey(Domain + "/access")
	check(t, err)
	s.LogKey, s.signerKey = verifierKey, signerKey
	s.signer, err = translog.NewSigner(signerKey)
	check(t, err)
	s.Address = freeAddress(t)
	check(t, exchange.Create(s.config()))
	s.Serve()
	t.Cleanup(s.Stop)
	return s
}

func (s *System) config() exchange.Config {
	verifier, err := translog.NewVerifier(s.LogKey)
	check(s.T, err)
	dir := filepath.Join(s.Dir, "exchange-svid")
	if _, err := os.Stat(dir); err != nil {
		s.issue(s.CA, dir, "spiffe://"+Domain+"/exchange")
	}
	s.Registry = prometheus.NewRegistry()
	return exchange.Config{
		Dir: filepath.Join(s.Dir, "exchange"), Domain: Domain, Identity: s.source(dir, Domain, s.CA), LogSigner: s.signer, LogVerifier: verifier,
		LogKey: s.LogKey, SegmentSize: segmentSize, Registry: s.Registry, Logger: s.Logger.With("server", "exchange"), Now: s.Now,
	}
}

// Serve opens the exchange and serves it on the same address as before.
func (s *System) Serve() {
	s.T.Helper()
	server, err := exchange.Open(s.config())
	check(s.T, err)
	l, err := net.Listen("tcp", s.Address)
	check(s.T, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	s.Server = server
	s.stop = func() {
		if err := server.Close(); err != nil {
			s.T.Logf("closing exchange: %v", err)
		}
		if err := <-served; err != nil {
			s.T.Errorf("serving exchange: %v", err)
		}
	}
}

// Stop stops the exchange gracefully. Serve starts it again.
func (s *System) Stop() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Admin is a connection of an administrator.
func (s *System) Admin() *grpc.ClientConn {
	return s.Dial(s.CA, "spiffe://"+Domain+"/admin/lin")
}

// Dial connects with a fresh SVID of an ID.
func (s *System) Dial(ca *devca.CA, id string) *grpc.ClientConn {
	s.T.Helper()
	dir := s.T.TempDir()
	s.issue(ca, dir, id)
	src := s.source(dir, Domain, s.CA)
	exchangeID, err := certs.ParseID("spiffe://" + Domain + "/exchange")
	check(s.T, err)
	conn, err := grpc.NewClient("passthrough:///"+s.Address, grpc.WithTransportCredentials(certs.ClientCredentials(src, src, exchangeID)))
	check(s.T, err)
	s.T.Cleanup(func() { conn.Close() })
	return conn
}

// Grant gives a grant as the providing province's operator, with defaults for what g leaves out, and returns its name.
func (s *System) Grant(p *Province, g *grantv1.Grant) string {
	s.T.Helper()
	if g.ExpireTime == nil {
		g.ExpireTime = timestamppb.New(time.Now().Add(24 * time.Hour))
	}
	if len(g.Purposes) == 0 {
		g.Purposes = []string{"housing-loan-review"}
	}
	got, err := grantv1.NewGrantServiceClient(s.Dial(p.CA, "spiffe://"+p.Domain+"/operator/wang")).CreateGrant(s.T.Context(), &grantv1.CreateGrantRequest{Grant: g})
	check(s.T, err)
	return got.GetName()
}

// register makes a province a member.
func (s *System) register(p *Province) {
	s.T.Helper()
	bundle, err := p.CA.Bundle().Marshal()
	check(s.T, err)
	m := &registryv1.Member{
		Name: "provinces/" + p.Region, Uscc: p.USCC, DisplayNameZh: "测试数据局", DisplayNameEn: "Test data bureau " + p.Region,
		TrustDomain: p.Domain, BundlePem: string(bundle),
		Roles: []registryv1.MemberRole{registryv1.MemberRole_MEMBER_ROLE_PROVIDER, registryv1.MemberRole_MEMBER_ROLE_REQUESTER},
	}
	for _, r := range p.replicaKeys {
		m.JournalKeys = append(m.JournalKeys, &registryv1.JournalKey{VerifierKey: r.verifier})
	}
	_, err = registryv1.NewRegistryServiceClient(s.Admin()).CreateMember(s.T.Context(), &registryv1.CreateMemberRequest{Member: m})
	check(s.T, err)
}

func (s *System) issue(ca *devca.CA, dir, id string) {
	s.T.Helper()
	parsed, err := certs.ParseID(id)
	check(s.T, err)
	svid, err := ca.Issue(parsed, devca.Options{DNS: []string{"localhost"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	check(s.T, err)
	check(s.T, os.MkdirAll(dir, 0o700))
	check(s.T, devca.WriteSVID(dir, svid))
}

// Identity writes SVID and bundle files of an ID and returns where they lie.
func (s *System) Identity(ca *devca.CA, id string) certs.Files {
	s.T.Helper()
	dir := s.T.TempDir()
	s.issue(ca, dir, id)
	return s.files(dir, Domain, s.CA)
}

func (s *System) files(dir, domain string, trusted *devca.CA) certs.Files {
	bundle := filepath.Join(dir, "trusted.pem")
	pem, err := trusted.Bundle().Marshal()
	check(s.T, err)
	check(s.T, os.WriteFile(bundle, pem, 0o600))
	return certs.Files{SVID: filepath.Join(dir, devca.SVIDFile), Key: filepath.Join(dir, devca.KeyFile), Bundles: map[string]string{domain: bundle}}
}

func (s *System) source(dir, domain string, trusted *devca.CA) *certs.Source {
	src, err := certs.OpenFiles(context.Background(), s.files(dir, domain, trusted), s.Logger)
	check(s.T, err)
	s.T.Cleanup(func() { src.Close() })
	return src
}

func newCA(t testing.TB, domain string) *devca.CA {
	td, err := spiffeid.TrustDomainFromString(domain)
	check(t, err)
	ca, err := devca.New(td)
	check(t, err)
	return ca
}

func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
