// Package devca is a certification authority for trials, demonstrations and tests: one trust domain, one self-signed root on the disk.
// A bureau in production brings its own authority or SPIRE instead; the rest of the system cannot tell the difference.
//
// What it lacks for production, and why it must not serve there: the root's key lies unencrypted in a file, whoever reads it can be
// anybody of the trust domain, nothing records what was issued, and nothing is revoked other than by letting it expire.
//
// A directory holds
//
//	ca.key      the root's private key, PKCS #8, mode 0600
//	bundle.pem  what other parties are given to trust this domain
//	ca.pem      the root certificate; written last, so that a directory without it is an interrupted creation
package devca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

var (
	// ErrExists means that a directory already holds an authority. It is never overwritten: everything it has issued would become
	// worthless at once.
	ErrExists = errors.New("an authority exists already")
	// ErrNone means that a directory holds no usable authority.
	ErrNone = errors.New("no authority")
)

const (
	certFile   = "ca.pem"
	keyFile    = "ca.key"
	bundleFile = "bundle.pem"

	// lifetime of a root: longer than any trial, shorter than the habit of keeping one.
	lifetime = 2 * 365 * 24 * time.Hour
	// backdate makes what has just been issued valid on machines whose clocks are a little behind.
	backdate = time.Minute
)

// CA is an authority. It is safe for concurrent use.
type CA struct {
	td   spiffeid.TrustDomain
	cert *x509.Certificate
	key  crypto.Signer
}

// New makes an authority in memory only.
func New(td spiffeid.TrustDomain) (*CA, error) {
	if td.IsZero() {
		return nil, errors.New("making an authority: no trust domain is named")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating an authority's key: %w", err)
	}
	now := time.Now()
	ca := &CA{td: td, key: key}
	template := &x509.Certificate{
		Subject: pkix.Name{
			Organization: []string{"Kuasheng development CA, not for production"},
			CommonName:   td.Name(),
		},
		URIs:                  []*url.URL{td.ID().URL()},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            1, // room for one level of intermediates, which trials of a bureau's hierarchy need
	}
	if ca.cert, err = ca.Sign(template, key.Public()); err != nil {
		return nil, err
	}
	return ca, nil
}

// Create makes an authority and writes it to a directory, which it makes if need be. It returns ErrExists if the directory holds one.
//
// The key is written first and exclusively, so that of two processes one wins, and the certificate last. After a crash in between,
// Open reports what to remove; nothing can have been issued by then.
func Create(dir string, td spiffeid.TrustDomain) (*CA, error) {
	for _, name := range []string{keyFile, certFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("creating an authority in %q: %w (%s); use it, or name another directory", dir, ErrExists, name)
		}
	}
	ca, err := New(td)
	if err != nil {
		return nil, err
	}
	key, err := encodeKey(ca.key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the authority's directory: %w", err)
	}
	if err := createFile(filepath.Join(dir, keyFile), key, 0o600); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("creating an authority in %q: %w", dir, ErrExists)
	} else if err != nil {
		return nil, err
	}
	for _, name := range []string{bundleFile, certFile} {
		if err := replaceFile(filepath.Join(dir, name), encodeCertificates(ca.cert), 0o644); err != nil {
			return nil, err
		}
	}
	return ca, nil
}

// Open reads an authority that Create wrote. Errors wrap ErrNone and say what to do.
func Open(dir string) (*CA, error) {
	certPath, keyPath := filepath.Join(dir, certFile), filepath.Join(dir, keyFile)
	certPEM, err := os.ReadFile(certPath)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(keyPath); err == nil {
			return nil, fmt.Errorf("opening the authority in %q: %w: its creation was interrupted before it issued anything; remove %s and run \"kuasheng certs init\" again",
				dir, ErrNone, keyPath)
		}
		return nil, fmt.Errorf("opening the authority in %q: %w; make one with \"kuasheng certs init\"", dir, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the authority in %q: %w: %w", dir, ErrNone, err)
	}
	keyPEM, err := os.ReadFile(keyPath)
	if err != nil {
		return nil, fmt.Errorf("opening the authority in %q: %w: %w", dir, ErrNone, err)
	}
	ca, err := parse(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("opening the authority in %q: %w: %w", dir, ErrNone, err)
	}
	return ca, nil
}

func parse(certPEM, keyPEM []byte) (*CA, error) {
	cert, key, err := decode(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	if !cert.IsCA || len(cert.URIs) != 1 {
		return nil, fmt.Errorf("%s is no SPIFFE authority's certificate", certFile)
	}
	id, err := spiffeid.FromURI(cert.URIs[0])
	if err != nil || id.Path() != "" {
		return nil, fmt.Errorf("%s does not name a trust domain", certFile)
	}
	if public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return nil, fmt.Errorf("%s and %s do not belong together", certFile, keyFile)
	}
	return &CA{td: id.TrustDomain(), cert: cert, key: key}, nil
}

// TrustDomain returns the domain the authority speaks for.
func (ca *CA) TrustDomain() spiffeid.TrustDomain { return ca.td }

// Bundle returns what others need in order to trust the domain.
func (ca *CA) Bundle() *x509bundle.Bundle {
	return x509bundle.FromX509Authorities(ca.td, []*x509.Certificate{ca.cert})
}

// Sign signs any certificate, under a fresh serial number. It checks nothing, which [CA.Issue] does: it is for intermediates, and for
// tests that need certificates nobody should accept.
func (ca *CA) Sign(template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	signed := *template
	// 127 bits: positive, at most 16 octets, and never the same twice.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	signed.SerialNumber = serial.Add(serial, big.NewInt(1))
	parent := ca.cert
	if parent == nil { // the root signs itself
		parent = &signed
	}
	der, err := x509.CreateCertificate(rand.Reader, &signed, parent, public, ca.key)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading back a certificate: %w", err)
	}
	return cert, nil
}
