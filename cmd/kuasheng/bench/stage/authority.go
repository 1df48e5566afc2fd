package stage

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// lifetime of the SVIDs: longer than the longest run that bench permits.
const lifetime = devca.LongTTL

// trustedFile holds, in every identity's folder, the bundle of the domain that it deals with.
const trustedFile = "trusted.pem"

func newAuthority(domain string) (*devca.CA, error) {
	td, err := spiffeid.TrustDomainFromString(domain)
	if err != nil {
		return nil, fmt.Errorf("naming a trust domain: %w", err)
	}
	return devca.New(td)
}

// issue writes an SVID and the bundle of the authority it will deal with, and returns where they lie.
func issue(ca *devca.CA, dir, id string, trusted *devca.CA) (certs.Files, error) {
	parsed, err := certs.ParseID(id)
	if err != nil {
		return certs.Files{}, err
	}
	svid, err := ca.Issue(parsed, devca.Options{TTL: lifetime, IP: []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}})
	if err != nil {
		return certs.Files{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return certs.Files{}, fmt.Errorf("making the folder of %s: %w", id, err)
	}
	if err := devca.WriteSVID(dir, svid); err != nil {
		return certs.Files{}, err
	}
	bundle, err := trusted.Bundle().Marshal()
	if err != nil {
		return certs.Files{}, fmt.Errorf("encoding the bundle of %s: %w", trusted.TrustDomain(), err)
	}
	files := identity(dir, trusted.TrustDomain().Name())
	if err := os.WriteFile(files.Bundles[trusted.TrustDomain().Name()], bundle, 0o600); err != nil {
		return certs.Files{}, fmt.Errorf("writing the bundle of %s: %w", trusted.TrustDomain(), err)
	}
	return files, nil
}

// identity names the files that issue writes.
func identity(dir, trusted string) certs.Files {
	return certs.Files{
		SVID: filepath.Join(dir, devca.SVIDFile), Key: filepath.Join(dir, devca.KeyFile),
		Bundles: map[string]string{trusted: filepath.Join(dir, trustedFile)},
	}
}
