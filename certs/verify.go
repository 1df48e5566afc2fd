package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

var (
	// ErrUntrusted means that a certificate is no SVID or is not signed by the authority of the trust domain its ID names, or that
	// this trust domain is not a member. Nothing the certificate claims may be believed, nor be put on record as if it were true.
	ErrUntrusted = errors.New("certificate not trusted")
	// ErrExpired means that the right authority signed the certificate but that it is not, or not yet, or no longer valid. Whoever
	// holds its key is known, and is refused.
	ErrExpired = errors.New("certificate outside its validity")
)

const (
	// maxChain bounds the certificates of a chain that are looked at. An SVID needs none beside the leaf, a bureau with a hierarchy of
	// authorities one to three; further ones are ignored, so that a caller cannot make path building expensive.
	maxChain = 10
	// maxChainBytes bounds the same in bytes: ten certificates with RSA-4096 keys. It keeps a forwarded chain well below the header
	// limits of HTTP/2.
	maxChainBytes = 16 << 10
	// maxSerialBits is the limit of RFC 5280, 20 octets. Serials go into access records.
	maxSerialBits = 160
)

// identity is what a chain proves, and while which time it proves it.
type identity struct {
	id          ID
	serial      string
	notBefore   time.Time // the leaf's
	notAfter    time.Time // the leaf's
	from, until time.Time // the time during which every certificate of the chain is valid
}

// boundChain cuts a chain to the bounds above. Both ways in, TLS and forwarded, cut the same way, so that they judge alike. The leaf of
// a chain can be above the bounds by itself: then nothing is left.
func boundChain(chain []*x509.Certificate) []*x509.Certificate {
	size := 0
	for i, cert := range chain {
		if size += len(cert.Raw); i == maxChain || size > maxChainBytes {
			return chain[:i]
		}
	}
	return chain
}

// verifyChain decides which ID a chain, leaf first, proves at the time now. usage is what the leaf is used for on this hop.
//
// The order matters: ErrID before anything is looked up, ErrUntrusted before ErrExpired, so that an expired certificate is attributed
// to an ID only if the authority of that ID's own trust domain signed it. With ErrExpired the identity is filled in, with any other
// error it is empty.
func verifyChain(chain []*x509.Certificate, bundles x509bundle.Source, usage x509.ExtKeyUsage, now time.Time) (identity, error) {
	if chain = boundChain(chain); len(chain) == 0 {
		return identity{}, fmt.Errorf("%w: it is larger than %d bytes", ErrUntrusted, maxChainBytes)
	}
	leaf := chain[0]
	spiffe, err := x509svid.IDFromCert(leaf)
	if err != nil {
		return identity{}, fmt.Errorf("reading the ID of a certificate: %w: %w", ErrID, err)
	}
	id, err := FromSPIFFE(spiffe)
	if err != nil {
		return identity{}, err
	}
	if err := checkLeaf(leaf, usage); err != nil {
		return identity{}, fmt.Errorf("checking the certificate of %s: %w", id, err)
	}

	// The chain is built for the moment within the leaf's validity that is nearest to now. For a valid leaf that is now.
	when := now
	if when.After(leaf.NotAfter) {
		when = leaf.NotAfter
	}
	if when.Before(leaf.NotBefore) {
		when = leaf.NotBefore
	}
	_, chains, err := x509svid.Verify(chain, bundles, x509svid.WithTime(when))
	if err != nil {
		return identity{}, fmt.Errorf("verifying the certificate of %s: %w: %w", id, ErrUntrusted, err)
	}
	who := identity{
		id:        id,
		serial:    fmt.Sprintf("%x", leaf.SerialNumber),
		notBefore: leaf.NotBefore,
		notAfter:  leaf.NotAfter,
		from:      leaf.NotBefore,
		until:     leaf.NotAfter,
	}
	if !when.Equal(now) {
		return who, fmt.Errorf("checking the certificate of %s: %w: valid from %s to %s", id, ErrExpired,
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	for _, cert := range chains[0] {
		if cert.NotBefore.After(who.from) {
			who.from = cert.NotBefore
		}
		if cert.NotAfter.Before(who.until) {
			who.until = cert.NotAfter
		}
	}
	return who, nil
}

// checkLeaf holds the rules of the X509-SVID standard for a leaf beyond those x509svid.Verify holds. Without them a certificate made
// for another purpose, an authority's or a code signer's, would do as an identity.
func checkLeaf(leaf *x509.Certificate, usage x509.ExtKeyUsage) error {
	switch {
	case leaf.IsCA, leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return fmt.Errorf("%w: it is an authority's, not an SVID", ErrUntrusted)
	case leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return fmt.Errorf("%w: its key usage lacks digitalSignature", ErrUntrusted)
	case len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(leaf.ExtKeyUsage, usage) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return fmt.Errorf("%w: its extended key usage does not cover this side of TLS", ErrUntrusted)
	case leaf.SerialNumber.Sign() <= 0 || leaf.SerialNumber.BitLen() > maxSerialBits:
		return fmt.Errorf("%w: its serial number is not between 1 and 20 octets", ErrUntrusted)
	}
	return nil
}
