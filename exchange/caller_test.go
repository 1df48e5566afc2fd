package exchange_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
)

// TestWrongCaller calls as whoever must not: each refusal is typed, and on record wherever the caller could be identified.
func TestWrongCaller(t *testing.T) {
	s := start(t, "one")
	suspended := s.Province("440000", "guangdong.example", "one")
	s.setState(suspended, registryv1.MemberState_MEMBER_STATE_SUSPENDED)
	stranger := newAuthority(t, "stranger.example")
	imposter := newAuthority(t, "zhejiang.example") // Zhejiang's name, not its authority

	query := func(conn *grpc.ClientConn) error {
		_, err := queryv1.NewQueryServiceClient(conn).QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
		return err
	}
	export := func(conn *grpc.ClientConn) error {
		stream, err := queryv1.NewQueryServiceClient(conn).ExportResource(t.Context(), &queryv1.ExportResourceRequest{Resource: s.henan.ResourceName(harness.Bulk), Fields: []string{"seq"}, Purpose: harness.Purpose()})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	attach := func(conn *grpc.ClientConn) error {
		stream, err := linkv1.NewLinkServiceClient(conn).Attach(t.Context())
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	sendAnswer := func(conn *grpc.ClientConn) error {
		stream, err := linkv1.NewLinkServiceClient(conn).SendAnswer(t.Context())
		if err == nil {
			_, err = stream.CloseAndRecv()
		}
		return err
	}
	reflect := func(conn *grpc.ClientConn) error {
		stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	createMember := func(conn *grpc.ClientConn) error {
		_, err := registryv1.NewRegistryServiceClient(conn).CreateMember(t.Context(), &registryv1.CreateMemberRequest{})
		return err
	}
	createGrant := func(conn *grpc.ClientConn) error {
		_, err := grantv1.NewGrantServiceClient(conn).CreateGrant(t.Context(), &grantv1.CreateGrantRequest{})
		return err
	}
	listAccesses := func(conn *grpc.ClientConn) error {
		_, err := auditv1.NewAuditServiceClient(conn).ListAccesses(t.Context(), &auditv1.ListAccessesRequest{})
		return err
	}
	getCheckpoint := func(conn *grpc.ClientConn) error {
		_, err := auditv1.NewAuditServiceClient(conn).GetCheckpoint(t.Context(), &auditv1.GetCheckpointRequest{})
		return err
	}
	withdraw := func(conn *grpc.ClientConn) error {
		_, err := cataloguev1.NewCatalogueServiceClient(conn).WithdrawResource(t.Context(), &cataloguev1.WithdrawResourceRequest{Name: s.henan.ResourceName(harness.Resource)})
		return err
	}

	const (
		missing    = auditv1.Reason_REASON_CLIENT_CERTIFICATE_MISSING
		expired    = auditv1.Reason_REASON_CLIENT_CERTIFICATE_EXPIRED
		untrusted  = auditv1.Reason_REASON_CLIENT_CERTIFICATE_UNTRUSTED
		wrongID    = auditv1.Reason_REASON_SPIFFE_ID_INVALID
		notAllowed = auditv1.Reason_REASON_ROLE_NOT_ALLOWED
		isOut      = auditv1.Reason_REASON_MEMBER_SUSPENDED
	)
	portal := s.zhejiang.AppID("portal")
	for _, c := range []struct {
		name     string
		conn     *grpc.ClientConn
		call     func(*grpc.ClientConn) error
		code     codes.Code
		reason   auditv1.Reason
		recorded string // the SPIFFE ID that it stands on record against; empty: not on record
	}{
		{"no certificate", s.dialWithout(), query, codes.Unauthenticated, missing, ""},
		{"no certificate, stream", s.dialWithout(), export, codes.Unauthenticated, missing, ""},
		{"no certificate, reflection", s.dialWithout(), reflect, codes.Unauthenticated, missing, ""},
		{"no certificate, catalogue", s.dialWithout(), withdraw, codes.Unauthenticated, missing, ""},
		{"another authority", s.dialAs(imposter, portal, devca.Options{}), query, codes.Unauthenticated, untrusted, ""},
		{"another authority, attach", s.dialAs(imposter, "spiffe://zhejiang.example/node", devca.Options{}), attach, codes.Unauthenticated, untrusted, ""},
		{"unknown trust domain", s.dialAs(stranger, "spiffe://stranger.example/app/portal", devca.Options{}), query, codes.Unauthenticated, untrusted, ""},
		{"expired", s.dialAs(s.zhejiang.CA, portal, past(time.Hour, 10*time.Second)), query, codes.Unauthenticated, expired, portal},
		{"expired, stream", s.dialAs(s.zhejiang.CA, portal, past(time.Hour, 10*time.Second)), export, codes.Unauthenticated, expired, portal},
		{"expired, catalogue", s.dialAs(s.henan.CA, "spiffe://henan.example/operator/wang", past(time.Hour, 10*time.Second)), withdraw, codes.Unauthenticated, expired, "spiffe://henan.example/operator/wang"},
		{"not yet valid", s.dialAs(s.zhejiang.CA, portal, past(-time.Hour, -2*time.Hour)), query, codes.Unauthenticated, expired, portal},
		{"ID outside the scheme", s.dialRaw(s.zhejiang.CA, "spiffe://zhejiang.example/robot/portal"), query, codes.Unauthenticated, wrongID, ""},
		{"identity number as name", s.Dial(s.zhejiang.CA, "spiffe://zhejiang.example/app/p-"+harness.PersonB), query, codes.Unauthenticated, wrongID, ""},
		{"node asks for data", s.Dial(s.henan.CA, "spiffe://henan.example/node"), query, codes.PermissionDenied, notAllowed, "spiffe://henan.example/node"},
		{"node exports", s.Dial(s.henan.CA, "spiffe://henan.example/node"), export, codes.PermissionDenied, notAllowed, "spiffe://henan.example/node"},
		{"operator asks for data", s.Dial(s.zhejiang.CA, "spiffe://zhejiang.example/operator/wang"), query, codes.PermissionDenied, notAllowed, "spiffe://zhejiang.example/operator/wang"},
		{"auditor asks for data", s.Dial(s.zhejiang.CA, "spiffe://zhejiang.example/auditor/zhao"), query, codes.PermissionDenied, notAllowed, "spiffe://zhejiang.example/auditor/zhao"},
		{"application attaches", s.Dial(s.zhejiang.CA, portal), attach, codes.PermissionDenied, notAllowed, portal},
		{"application sends an answer", s.Dial(s.zhejiang.CA, portal), sendAnswer, codes.PermissionDenied, notAllowed, portal},
		{"operator attaches", s.Dial(s.henan.CA, "spiffe://henan.example/operator/wang"), attach, codes.PermissionDenied, notAllowed, "spiffe://henan.example/operator/wang"},
		{"province signs an administrator", s.Dial(s.henan.CA, "spiffe://henan.example/admin/lin"), createMember, codes.PermissionDenied, notAllowed, "spiffe://henan.example/admin/lin"},
		{"exchange's own domain asks for data", s.Dial(s.CA, "spiffe://exchange.example/app/portal"), query, codes.PermissionDenied, notAllowed, ""},
		{"exchange's own domain attaches", s.Dial(s.CA, "spiffe://exchange.example/node"), attach, codes.PermissionDenied, notAllowed, ""},
		{"administrator gives a grant", s.Admin(), createGrant, codes.PermissionDenied, notAllowed, ""},
		{"administrator reads the log", s.Admin(), listAccesses, codes.PermissionDenied, notAllowed, ""},
		{"suspended application", s.Dial(suspended.CA, suspended.AppID("portal")), query, codes.PermissionDenied, isOut, suspended.AppID("portal")},
		{"suspended node", s.Dial(suspended.CA, "spiffe://guangdong.example/node"), attach, codes.PermissionDenied, isOut, "spiffe://guangdong.example/node"},
		{"suspended auditor", s.Dial(suspended.CA, "spiffe://guangdong.example/auditor/zhao"), getCheckpoint, codes.PermissionDenied, isOut, "spiffe://guangdong.example/auditor/zhao"},
		{"withdraws another's resource", s.Dial(s.zhejiang.CA, "spiffe://zhejiang.example/operator/wang"), withdraw, codes.PermissionDenied, auditv1.Reason_REASON_NOT_ENTITLED, "spiffe://zhejiang.example/operator/wang"},
	} {
		t.Run(c.name, func(t *testing.T) {
			access, _ := wantRefusal(t, c.call(c.conn), c.code, c.reason, harness.Domain)
			national := strings.HasPrefix(c.name, "exchange's own domain") || strings.HasPrefix(c.name, "administrator")
			switch {
			case c.recorded == "" && !national && access != "":
				t.Errorf("%s is on record although nobody could be named", access)
			case (c.recorded != "" || national) && access == "":
				t.Errorf("not on record")
			}
		})
	}

	// Everything on record can be read by an auditor of the province concerned, and nothing else is there.
	s.setState(suspended, registryv1.MemberState_MEMBER_STATE_ACTIVE)
	for _, p := range []*harness.Province{s.henan, s.zhejiang, suspended} {
		for _, a := range s.accesses(p) {
			intent := a.GetRecord().GetIntent()
			if intent == nil {
				continue // the auditor's own reads
			}
			if intent.GetVerdict() != auditv1.Verdict_VERDICT_REFUSED || intent.GetReason() == auditv1.Reason_REASON_UNSPECIFIED || intent.GetCaller().GetCertificateSerial() == "" {
				t.Errorf("%s: record of a wrong caller is %v", p.Domain, a)
			}
			switch intent.GetReason() {
			case expired, notAllowed, isOut, auditv1.Reason_REASON_NOT_ENTITLED:
			default:
				t.Errorf("%s: on record: %v", p.Domain, intent.GetReason())
			}
		}
	}
	if got, want := countIntents(s.accesses(s.zhejiang), portal), 5; got != want {
		t.Errorf("the portal's refusals on record: %d, want %d", got, want)
	}
	if got, want := countIntents(s.accesses(suspended), ""), 3; got != want {
		t.Errorf("Guangdong's refusals on record: %d, want %d", got, want)
	}
}

// TestHealthNeedsNoCertificate lets a supervisor ask without an identity.
func TestHealthNeedsNoCertificate(t *testing.T) {
	s := start(t)
	s.Eventually("serving", func() bool {
		got, err := grpc_health_v1.NewHealthClient(s.dialWithout()).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		return err == nil && got.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING
	})
}

// TestSuspendedWhileAttached suspends a province whose node is attached: the stream ends within seconds, on record, and calls are refused at
// once.
func TestSuspendedWhileAttached(t *testing.T) {
	s := start(t, "one")
	r := s.run("one", "")
	s.grant(harness.Resource, nil, "account_no", "balance")
	conn := s.Dial(s.henan.CA, "spiffe://henan.example/node") // a stream of our own, as a second replica would have
	stream, err := linkv1.NewLinkServiceClient(conn).Attach(t.Context())
	check(t, err)

	s.setState(s.henan, registryv1.MemberState_MEMBER_STATE_SUSPENDED)
	_, err = s.zhejiang.App("portal").Query(t.Context(), harness.Query(s.henan, harness.PersonA))
	access, _ := wantRefusal(t, err, codes.PermissionDenied, auditv1.Reason_REASON_MEMBER_SUSPENDED, harness.Domain)
	if access == "" {
		t.Error("not on record")
	}
	s.Eventually("detached", func() bool { return !r.Node.Attached() })
	stream.CloseSend()
	if _, err := stream.Recv(); errors.Is(err, io.EOF) || err == nil {
		t.Error("a stream without a hello ended without an error")
	}

	s.setState(s.henan, registryv1.MemberState_MEMBER_STATE_ACTIVE)
	var ends int
	for _, a := range s.accesses(s.henan) {
		if i := a.GetRecord().GetIntent(); i.GetMethod() == linkv1.LinkService_Attach_FullMethodName && i.GetReason() == auditv1.Reason_REASON_MEMBER_SUSPENDED {
			ends++
		}
	}
	if ends == 0 {
		t.Error("the end of the stream is not on record")
	}
	r.WaitAttached()
	if _, err := s.zhejiang.App("portal").Query(t.Context(), harness.Query(s.henan, harness.PersonA)); err != nil {
		t.Errorf("after the suspension: %v", err)
	}
}

func countIntents(list []*auditv1.Access, caller string) (n int) {
	for _, a := range list {
		if i := a.GetRecord().GetIntent(); i != nil && (caller == "" || i.GetCaller().GetSpiffeId() == caller) {
			n++
		}
	}
	return n
}

func past(from, until time.Duration) devca.Options {
	now := time.Now()
	return devca.Options{NotBefore: now.Add(-from), NotAfter: now.Add(-until)}
}

func newAuthority(t *testing.T, domain string) *devca.CA {
	ca, err := devca.New(spiffeid.RequireTrustDomainFromString(domain))
	check(t, err)
	return ca
}

// dialWithout connects without a certificate, trusting the exchange's authority.
func (s *system) dialWithout() *grpc.ClientConn {
	s.T.Helper()
	return s.dialTLS(nil)
}

func (s *system) dialTLS(own []tls.Certificate) *grpc.ClientConn {
	s.T.Helper()
	pool := x509.NewCertPool()
	for _, c := range s.CA.Bundle().X509Authorities() {
		pool.AddCert(c)
	}
	conn, err := grpc.NewClient("passthrough:///"+s.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: own, MinVersion: tls.VersionTLS13})))
	check(s.T, err)
	s.T.Cleanup(func() { conn.Close() })
	return conn
}

// dialAs connects with an SVID that an authority issues for an ID with the options given.
func (s *system) dialAs(ca *devca.CA, id string, options devca.Options) *grpc.ClientConn {
	s.T.Helper()
	parsed, err := certs.ParseID(id)
	check(s.T, err)
	svid, err := ca.Issue(parsed, options)
	check(s.T, err)
	own := tls.Certificate{PrivateKey: svid.PrivateKey}
	for _, c := range svid.Certificates {
		own.Certificate = append(own.Certificate, c.Raw)
	}
	return s.dialTLS([]tls.Certificate{own})
}

// dialRaw connects with a certificate for an ID that devca would not issue.
func (s *system) dialRaw(ca *devca.CA, id string) *grpc.ClientConn {
	s.T.Helper()
	uri, err := url.Parse(id)
	check(s.T, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(s.T, err)
	leaf, err := ca.Sign(&x509.Certificate{
		URIs: []*url.URL{uri}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}, key.Public())
	check(s.T, err)
	return s.dialTLS([]tls.Certificate{{PrivateKey: key, Certificate: [][]byte{leaf.Raw}}})
}
