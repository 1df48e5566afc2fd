package devca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/kuasheng/kuasheng/certs"
)

// ErrRequest means that an SVID was asked for that the authority does not issue.
var ErrRequest = errors.New("not issued")

const (
	// DefaultTTL is the life of an SVID unless another is asked for. Nothing is revoked, so that this is how long a stolen key serves.
	DefaultTTL = time.Hour
	// LongTTL is from where on a command should warn about the life asked for.
	LongTTL = 24 * time.Hour
	// MaxTTL is the longest life.
	MaxTTL = 30 * 24 * time.Hour
)

// Options say how an SVID differs from the usual one.
type Options struct {
	TTL time.Duration // from now; 0 means DefaultTTL
	// DNS and IP are further names, of a server whose clients (curl, grpcurl, browsers) check host names. SPIFFE clients ignore them.
	DNS []string
	IP  []netip.Addr
	// NotBefore and NotAfter, where set, override the validity that follows from TTL: tests make expired SVIDs with them.
	NotBefore, NotAfter time.Time
}

// Issue makes a key and an SVID for it. Errors wrap ErrRequest when the request is at fault.
func (ca *CA) Issue(id certs.ID, opts Options) (*x509svid.SVID, error) {
	spiffe, err := ca.check(id, opts)
	if err != nil {
		return nil, fmt.Errorf("issuing an SVID for %s: %w", id, err)
	}
	from, until, err := ca.validity(opts)
	if err != nil {
		return nil, fmt.Errorf("issuing an SVID for %s: %w", id, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the key of %s: %w", id, err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{ca.td.Name()}, CommonName: commonName(id)},
		URIs:                  []*url.URL{spiffe.URL()},
		DNSNames:              opts.DNS,
		NotBefore:             from,
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, ip := range opts.IP {
		template.IPAddresses = append(template.IPAddresses, net.IP(ip.Unmap().AsSlice()))
	}
	leaf, err := ca.Sign(template, key.Public())
	if err != nil {
		return nil, err
	}
	return &x509svid.SVID{ID: spiffe, Certificates: []*x509.Certificate{leaf}, PrivateKey: key}, nil
}

func (ca *CA) check(id certs.ID, opts Options) (spiffeid.ID, error) {
	if id.TrustDomain != ca.td {
		return spiffeid.ID{}, fmt.Errorf("%w: this authority speaks for %s only", ErrRequest, ca.td.Name())
	}
	// An ID can be put together by hand; parsing it holds it to the scheme.
	if _, err := certs.ParseID(id.String()); err != nil {
		return spiffeid.ID{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	for _, name := range opts.DNS {
		if !validDNS(name) {
			return spiffeid.ID{}, fmt.Errorf("%w: %.128q is not a DNS name", ErrRequest, name)
		}
	}
	for _, ip := range opts.IP {
		if !ip.IsValid() || ip.Zone() != "" {
			return spiffeid.ID{}, fmt.Errorf("%w: %q is not an IP address", ErrRequest, ip.String())
		}
	}
	return spiffeid.FromString(id.String())
}

func (ca *CA) validity(opts Options) (from, until time.Time, err error) {
	ttl := opts.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	if ttl < 0 || ttl > MaxTTL {
		return from, until, fmt.Errorf("%w: a life of %s is not between 0 and %s; renew instead, running programs read the new files by themselves",
			ErrRequest, ttl, MaxTTL)
	}
	now := time.Now()
	from, until = now.Add(-backdate), now.Add(ttl)
	if !opts.NotBefore.IsZero() {
		from = opts.NotBefore
	}
	if !opts.NotAfter.IsZero() {
		until = opts.NotAfter
	}
	switch {
	case !until.After(from) || until.Sub(from) > MaxTTL+backdate:
		return from, until, fmt.Errorf("%w: a life from %s to %s is not between 0 and %s", ErrRequest, from, until, MaxTTL)
	case until.After(ca.cert.NotAfter):
		return from, until, fmt.Errorf("%w: the authority itself expires at %s; make a new one", ErrRequest, ca.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return from, until, nil
}

// commonName is for the eyes of people who look at a certificate with other tools. X.509 allows it 64 characters.
func commonName(id certs.ID) string {
	if id.Name != "" {
		return id.Name
	}
	return id.Role.String()
}

// validDNS takes host names, with a wildcard as first label at most.
func validDNS(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(name, "*."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
