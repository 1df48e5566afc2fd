package member

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// certificate makes a self-signed one that edit has shaped.
func certificate(t testing.TB, edit func(*x509.Certificate)) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	edit(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func uri(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestParseBundle(t *testing.T) {
	domain := spiffeid.RequireTrustDomainFromString("henan.example")
	good := certificate(t, func(c *x509.Certificate) { c.URIs = []*url.URL{uri(t, "spiffe://henan.example")} })
	for _, c := range []struct {
		name, text string
		want       int // authorities; 0: refused
	}{
		{"named authority", good, 1},
		{"authority without a name", certificate(t, func(*x509.Certificate) {}), 1},
		{"two, with text between", "# old\n" + good + "# new\n" + certificate(t, func(*x509.Certificate) {}), 2},
		{"X509-SVID 4.1: not an authority", certificate(t, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }), 0},
		{"X509-SVID 4.3: key usage", certificate(t, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), 0},
		{"X509-SVID 4.2: path in the name", certificate(t, func(c *x509.Certificate) { c.URIs = []*url.URL{uri(t, "spiffe://henan.example/node")} }), 0},
		{"two names", certificate(t, func(c *x509.Certificate) {
			c.URIs = []*url.URL{uri(t, "spiffe://henan.example"), uri(t, "spiffe://zhejiang.example")}
		}), 0},
		{"another kind of block", good + "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0},
		{"empty", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := parseBundle(domain, c.text)
			if c.want == 0 {
				if !errors.Is(err, errBundle) {
					t.Errorf("error %v, want errBundle", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := len(b.X509Authorities()); got != c.want {
				t.Errorf("%d authorities, want %d", got, c.want)
			}
		})
	}
}

// TestSharedAuthority registers one authority for two members: each could then issue SVIDs of the other.
func TestSharedAuthority(t *testing.T) {
	r := newRegistry(t)
	shared := certificate(t, func(*x509.Certificate) {})
	first, second := henan(t), zhejiang(t)
	first.BundlePem += shared
	r.create(t, first)
	second.BundlePem += shared
	_, err := r.Create(t.Context(), second)
	wantRefusal(t, err, auditv1.Reason_REASON_RULE_VIOLATED, "member.bundle_pem")

	created := r.create(t, zhejiang(t))
	created.BundlePem += shared
	_, err = r.Update(t.Context(), created, []string{"bundle_pem"})
	wantRefusal(t, err, auditv1.Reason_REASON_RULE_VIOLATED, "member.bundle_pem")
}

func FuzzParseBundle(f *testing.F) {
	f.Add(certificate(f, func(*x509.Certificate) {}))
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Add("-----BEGIN ")
	domain := spiffeid.RequireTrustDomainFromString("henan.example")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parseBundle(domain, text)
		if err != nil {
			return
		}
		again, err := parseBundle(domain, encodeBundle(b))
		if err != nil || !again.Equal(b) {
			t.Errorf("a bundle does not come back as it was written: %v", err)
		}
	})
}
