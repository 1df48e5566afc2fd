package certs_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

const portal = "spiffe://henan.example/app/housing-portal"

func TestPeerFromContext(t *testing.T) {
	s := newSystem(t)
	svid := mustIssue(t, s.henan, portal, devca.Options{})
	leaf := svid.Certificates[0]
	got := s.call(t, s.dialAs(t, svid))
	want := verdict{peer: certs.Peer{
		ID: mustID(t, portal), Serial: fmt.Sprintf("%x", leaf.SerialNumber), NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(verdict{}), cmpopts.EquateComparable(certs.ID{})); diff != "" {
		t.Errorf("peer (-want +got):\n%s", diff)
	}
	if _, err := certs.PeerFromContext(t.Context(), time.Now()); !errors.Is(err, certs.ErrNoCertificate) {
		t.Errorf("outside a call: %v, want ErrNoCertificate", err)
	}
}

// wrongCaller is somebody who gets through the handshake and must not get further.
type wrongCaller struct {
	name string
	cert *tls.Certificate
	want error
}

func wrongCallers(t *testing.T, s *system) []wrongCaller {
	t.Helper()
	with := func(edit func(*x509.Certificate)) *tls.Certificate {
		c := template(portal)
		edit(c)
		return sign(t, s.henan, c)
	}
	return []wrongCaller{
		{"no certificate", nil, certs.ErrNoCertificate},
		{"another province's authority", sign(t, s.zhejiang, template(portal)), certs.ErrUntrusted},
		{"a member's authority for another member", sign(t, s.exchange, template(portal)), certs.ErrUntrusted},
		{"a province that is no member", sign(t, s.zhejiang, template("spiffe://zhejiang.example/node")), certs.ErrUntrusted},
		{"self-signed", selfSigned(t), certs.ErrUntrusted},
		{"an impostor authority of the same name", sign(t, newCA(t, "henan.example"), template(portal)), certs.ErrUntrusted},
		{"expired", with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), certs.ErrExpired},
		{"not yet valid", with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), certs.ErrExpired},
		{"expired and another province's authority", func() *tls.Certificate {
			c := template(portal)
			c.NotAfter = time.Now().Add(-time.Second)
			return sign(t, s.zhejiang, c)
		}(), certs.ErrUntrusted},
		{"an ID of no role", sign(t, s.henan, template("spiffe://henan.example/banana")), certs.ErrID},
		{"an ID that is no SPIFFE ID", sign(t, s.henan, template("https://henan.example/node")), certs.ErrID},
		{"no ID", sign(t, s.henan, template()), certs.ErrID},
		{"two IDs", sign(t, s.henan, template(portal, "spiffe://henan.example/node")), certs.ErrID},
		{"an authority's certificate as leaf", with(func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign
		}), certs.ErrUntrusted},
		{"a leaf that may sign certificates", with(func(c *x509.Certificate) {
			c.KeyUsage |= x509.KeyUsageCRLSign
		}), certs.ErrUntrusted},
		{"a key not for signatures", with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), certs.ErrUntrusted},
		{"no key usage", with(func(c *x509.Certificate) { c.KeyUsage = 0 }), certs.ErrUntrusted},
		{"a certificate for signing code", with(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		}), certs.ErrUntrusted},
		{"a leaf above the bounds", with(func(c *x509.Certificate) {
			for i := range 2000 {
				c.DNSNames = append(c.DNSNames, fmt.Sprintf("host-%d.henan.example", i))
			}
		}), certs.ErrUntrusted},
	}
}

// selfSigned is a leaf that says it is the portal because it says so.
func selfSigned(t *testing.T) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	c := template(portal)
	c.SerialNumber = big.NewInt(1)
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// check compares what the server thought of a wrong caller with what it should have thought.
func (w wrongCaller) check(t *testing.T, got verdict) {
	t.Helper()
	if !errors.Is(got.err, w.want) {
		t.Errorf("got %+v, %v, want %v", got.peer, got.err, w.want)
	}
	for _, other := range []error{certs.ErrNoCertificate, certs.ErrID, certs.ErrUntrusted, certs.ErrExpired} {
		if !errors.Is(other, w.want) && errors.Is(got.err, other) {
			t.Errorf("%v is %v as well", got.err, other)
		}
	}
	// Only an expired caller is known well enough to be put on record.
	if known := !got.peer.ID.IsZero(); known != errors.Is(w.want, certs.ErrExpired) {
		t.Errorf("peer is %+v with error %v", got.peer, got.err)
	}
}

func TestWrongCallers(t *testing.T) {
	s := newSystem(t)
	for _, w := range wrongCallers(t, s) {
		t.Run(w.name, func(t *testing.T) {
			conn := s.dialWith(t, w.cert)
			w.check(t, s.call(t, conn))
			w.check(t, s.call(t, conn)) // the remembered verdict is the same
		})
	}
}

func TestIntermediateAuthorities(t *testing.T) {
	s := newSystem(t)
	authority := sign(t, s.henan, &x509.Certificate{
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(30 * time.Minute),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	})
	key := newKey(t)
	c := template(portal)
	c.SerialNumber = big.NewInt(7)
	der, err := x509.CreateCertificate(rand.Reader, c, authority.Leaf, key.Public(), authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	chain := &tls.Certificate{Certificate: [][]byte{der, authority.Certificate[0]}, PrivateKey: key}
	conn := s.dialWith(t, chain)
	if got := s.call(t, conn); got.err != nil || got.peer.ID.String() != portal {
		t.Errorf("leaf and intermediate: %+v, %v", got.peer, got.err)
	}
	// The intermediate ends before the leaf does: the remembered verdict must not outlive it.
	s.clock(time.Now().Add(40 * time.Minute))
	if got := s.call(t, conn); !errors.Is(got.err, certs.ErrUntrusted) {
		t.Errorf("after the intermediate's end: %+v, %v, want ErrUntrusted", got.peer, got.err)
	}
	s.clock(time.Now())
	chain.Certificate = chain.Certificate[:1]
	if got := s.call(t, s.dialWith(t, chain)); !errors.Is(got.err, certs.ErrUntrusted) {
		t.Errorf("without the intermediate: %+v, %v, want ErrUntrusted", got.peer, got.err)
	}
	// Certificates beyond the bound are not looked at.
	for range 12 {
		chain.Certificate = append(chain.Certificate, s.zhejiang.Bundle().X509Authorities()[0].Raw)
	}
	chain.Certificate = append(chain.Certificate, authority.Certificate[0])
	if got := s.call(t, s.dialWith(t, chain)); !errors.Is(got.err, certs.ErrUntrusted) {
		t.Errorf("intermediate beyond the bound: %+v, %v, want ErrUntrusted", got.peer, got.err)
	}
}

// TestRefusalIsRechecked: an authority whose validity begins later makes a refused chain right without any change of the bundles.
func TestRefusalIsRechecked(t *testing.T) {
	s := newSystem(t)
	start := time.Now().Add(time.Minute)
	authority := sign(t, s.henan, &x509.Certificate{
		NotBefore: start, NotAfter: start.Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	})
	key := newKey(t)
	c := template(portal)
	c.SerialNumber = big.NewInt(7)
	der, err := x509.CreateCertificate(rand.Reader, c, authority.Leaf, key.Public(), authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	conn := s.dialWith(t, &tls.Certificate{Certificate: [][]byte{der, authority.Certificate[0]}, PrivateKey: key})
	for _, step := range []struct {
		now  time.Time
		want error
	}{{start.Add(-10 * time.Second), certs.ErrUntrusted}, {start.Add(time.Second), nil}} {
		s.clock(step.now)
		if got := s.call(t, conn); !errors.Is(got.err, step.want) {
			t.Errorf("at %s: %v, want %v", step.now, got.err, step.want)
		}
	}
}

func TestExpiryOfOpenConnection(t *testing.T) {
	s := newSystem(t)
	svid := mustIssue(t, s.henan, portal, devca.Options{})
	end := svid.Certificates[0].NotAfter
	conn := s.dialAs(t, svid)
	for _, step := range []struct {
		now  time.Time
		want error
	}{
		{time.Now(), nil},
		{end, nil},
		{end.Add(time.Nanosecond), certs.ErrExpired},
		{end.Add(time.Hour), certs.ErrExpired},
		{end.Add(-time.Second), nil}, // a corrected clock
		{svid.Certificates[0].NotBefore.Add(-time.Second), certs.ErrExpired},
	} {
		s.clock(step.now)
		got := s.call(t, conn)
		if !errors.Is(got.err, step.want) || got.peer.ID.String() != portal {
			t.Errorf("at %s: %+v, %v, want %v", step.now, got.peer, got.err, step.want)
		}
	}
}

func TestBundleChangeCutsOpenConnection(t *testing.T) {
	s := newSystem(t)
	conn := s.dialAs(t, mustIssue(t, s.henan, portal, devca.Options{}))
	expect := func(when string, want error) {
		t.Helper()
		if got := s.call(t, conn); !errors.Is(got.err, want) {
			t.Errorf("%s: %v, want %v", when, got.err, want)
		}
	}
	expect("at first", nil)
	s.bundles.Remove(s.henan.TrustDomain())
	expect("after removal", certs.ErrUntrusted)
	s.bundles.Set(s.henan.Bundle())
	expect("after return", nil)
	s.bundles.Set(newCA(t, "henan.example").Bundle())
	expect("after another authority took over", certs.ErrUntrusted)
	both := newCA(t, "henan.example").Bundle()
	both.AddX509Authority(s.henan.Bundle().X509Authorities()[0])
	s.bundles.Set(both)
	expect("with both authorities, during a roll-over", nil)
	s.bundles.Remove(s.zhejiang.TrustDomain())
	s.bundles.Set(s.zhejiang.Bundle())
	expect("after a change elsewhere", nil)
}

// TestStreamAsksAgain holds the promise to handlers of long-lived streams: the context of the open call tells of the change.
func TestStreamAsksAgain(t *testing.T) {
	s := newSystem(t)
	conn := s.dialAs(t, mustIssue(t, s.henan, "spiffe://henan.example/node", devca.Options{}))
	stream, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	ctx := s.last
	s.mu.Unlock()
	if _, err := certs.PeerFromContext(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	s.bundles.Remove(s.henan.TrustDomain())
	if _, err := certs.PeerFromContext(ctx, time.Now()); !errors.Is(err, certs.ErrUntrusted) {
		t.Errorf("after removal: %v, want ErrUntrusted", err)
	}
}

// BenchmarkPeerFromContext is what every call on an open connection pays.
func BenchmarkPeerFromContext(b *testing.B) {
	ca := newCA(b, "henan.example")
	info, err := certs.TakeIn(certs.NewBundleSet(ca.Bundle()), mustIssue(b, ca, portal, devca.Options{}).Certificates)
	if err != nil {
		b.Fatal(err)
	}
	ctx := peer.NewContext(b.Context(), &peer.Peer{AuthInfo: info})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := certs.PeerFromContext(ctx, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
