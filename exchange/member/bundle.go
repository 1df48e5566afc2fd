package member

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// errBundle means that a PEM text is not the bundle of a trust domain.
var errBundle = errors.New("not a trust bundle")

// authority is the digest of an authority's public key: the same key in another certificate is the same authority.
type authority [sha256.Size]byte

// parseBundle reads authorities from PEM. It is strict where common parsers skip: a block that is cut off would silently lose an
// authority, and with it a province's callers; a private key that someone pasted along must be refused and not be stored.
func parseBundle(domain spiffeid.TrustDomain, text string) (*x509bundle.Bundle, error) {
	bundle := x509bundle.New(domain)
	rest, blocks := []byte(text), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks++
		switch {
		case strings.Contains(block.Type, "PRIVATE KEY"):
			return nil, fmt.Errorf("block %d is a private key, which is compromised now and must be replaced: %w", blocks, errBundle)
		case block.Type != "CERTIFICATE":
			return nil, fmt.Errorf("block %d is no certificate: %w", blocks, errBundle)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("block %d cannot be parsed: %w", blocks, errBundle)
		}
		if err := checkAuthority(domain, certificate); err != nil {
			return nil, fmt.Errorf("block %d: %w", blocks, err)
		}
		bundle.AddX509Authority(certificate)
	}
	if blocks == 0 {
		return nil, fmt.Errorf("it holds no PEM block: %w", errBundle)
	}
	if strings.Count(text, "-----BEGIN ") != blocks {
		return nil, fmt.Errorf("a PEM block is damaged or cut off: %w", errBundle)
	}
	return bundle, nil
}

// checkAuthority holds the rules of the X509-SVID standard for signing certificates (section 4).
func checkAuthority(domain spiffeid.TrustDomain, certificate *x509.Certificate) error {
	switch {
	case !certificate.BasicConstraintsValid || !certificate.IsCA:
		return fmt.Errorf("not an authority's certificate (basic constraints): %w", errBundle)
	case certificate.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("not an authority's certificate (key usage): %w", errBundle)
	case len(certificate.URIs) > 1:
		return fmt.Errorf("more than one URI name: %w", errBundle)
	case len(certificate.URIs) == 1 && certificate.URIs[0].String() != domain.IDString():
		return fmt.Errorf("its URI name is not that of the trust domain: %w", errBundle)
	}
	return nil
}

// encodeBundle writes the certificates and nothing that stood between them.
func encodeBundle(bundle *x509bundle.Bundle) string {
	var text bytes.Buffer
	for _, certificate := range bundle.X509Authorities() {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	}
	return text.String()
}

// usable reports whether an authority is valid at the time. A bundle may hold old and future ones beside it while keys are rolled over.
func usable(bundle *x509bundle.Bundle, now time.Time) bool {
	for _, certificate := range bundle.X509Authorities() {
		if !now.Before(certificate.NotBefore) && !now.After(certificate.NotAfter) {
			return true
		}
	}
	return false
}

func authorities(bundle *x509bundle.Bundle) map[authority]bool {
	set := make(map[authority]bool)
	for _, certificate := range bundle.X509Authorities() {
		set[sha256.Sum256(certificate.RawSubjectPublicKeyInfo)] = true
	}
	return set
}

func (r *record) shares(set map[authority]bool) bool {
	for a := range set {
		if r.authorities[a] {
			return true
		}
	}
	return false
}
