package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Certificate is what one certificate of a PEM file says about itself. It is for people to read: nothing in it has been verified.
type Certificate struct {
	File      string    `json:"file"`
	Kind      string    `json:"kind"` // "svid", "authority", or "other" for one that nobody here accepts
	ID        string    `json:"id"`   // its URI names, separated by spaces; an SVID has exactly one
	Role      string    `json:"role,omitempty"`
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Issuer    string    `json:"issuer"`
	Hosts     []string  `json:"hosts,omitempty"`   // DNS names and IP addresses, for tools that check host names
	Key       string    `json:"key"`               // "matches", "does not match", or "none" when there is no .key file beside it
	Problem   string    `json:"problem,omitempty"` // why it would be refused now, as far as it shows without its authority
}

// Inspect reads the certificates of a PEM file. The private key is looked for in the same file and in the one beside it that ends in
// .key: "svid.key" for "svid.pem".
func Inspect(path string, now time.Time) ([]Certificate, error) {
	data, err := readPEM(path)
	if err != nil {
		return nil, fmt.Errorf("inspecting %q: %w", path, err)
	}
	blocks, err := pemBlocks(data)
	if err != nil {
		return nil, fmt.Errorf("inspecting %q: %w", path, err)
	}
	var chain []*x509.Certificate
	for i, block := range blocks {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("inspecting block %d of %q: %w", i+1, path, err)
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("inspecting %q: it holds no certificate; name the .pem file, the .key beside it is compared with it", path)
	}
	found := make([]Certificate, 0, len(chain))
	for i, cert := range chain {
		c := describe(cert, now)
		c.File, c.Key = path, "none"
		if i == 0 { // a key belongs to the leaf
			if c.Key, err = compareKey(cert, path); err != nil {
				return nil, fmt.Errorf("inspecting the key of %q: %w", path, err)
			}
		}
		found = append(found, c)
	}
	return found, nil
}

func describe(cert *x509.Certificate, now time.Time) Certificate {
	c := Certificate{
		Kind:      "other",
		Serial:    fmt.Sprintf("%x", cert.SerialNumber),
		NotBefore: cert.NotBefore.UTC(),
		NotAfter:  cert.NotAfter.UTC(),
		Issuer:    cert.Issuer.String(),
		Hosts:     cert.DNSNames,
	}
	var uris []string
	for _, uri := range cert.URIs {
		uris = append(uris, uri.String())
	}
	c.ID = strings.Join(uris, " ")
	for _, ip := range cert.IPAddresses {
		c.Hosts = append(c.Hosts, ip.String())
	}
	switch {
	case cert.IsCA:
		c.Kind = "authority"
	case len(uris) != 1:
		c.Problem = fmt.Sprintf("it has %d URI names, an SVID has one", len(uris))
	default:
		id, err := ParseID(uris[0])
		if err == nil {
			err = checkLeaf(cert, x509.ExtKeyUsageClientAuth)
		}
		if err != nil {
			c.Problem = err.Error()
			break
		}
		c.Kind, c.Role = "svid", id.Role.String()
	}
	switch {
	case c.Problem != "":
	case now.After(cert.NotAfter):
		c.Problem = "it has expired"
	case now.Before(cert.NotBefore):
		c.Problem = "it is not valid yet"
	}
	return c
}

// compareKey says whether the private key that lies with a certificate is its own.
func compareKey(cert *x509.Certificate, path string) (string, error) {
	for _, file := range []string{path, strings.TrimSuffix(path, filepath.Ext(path)) + ".key"} {
		data, err := readPEM(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		blocks, err := pemBlocks(data)
		if err != nil {
			return "", err
		}
		for _, block := range blocks {
			if block.Type != "PRIVATE KEY" {
				continue
			}
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				// The detail could quote key material.
				return "", fmt.Errorf("%q does not hold a PKCS #8 key", file)
			}
			signer, ok := key.(crypto.Signer)
			if !ok {
				return "", fmt.Errorf("the key in %q cannot sign", file)
			}
			public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
			if ok && public.Equal(signer.Public()) {
				return "matches", nil
			}
			return "does not match", nil
		}
	}
	return "none", nil
}
