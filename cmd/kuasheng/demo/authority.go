package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// renewal is how often all SVIDs are issued anew: twice within their life, so that one failure harms nobody.
const renewal = devca.DefaultTTL / 3

// bundleFile is what package devca calls the file that others get.
const bundleFile = "bundle.pem"

// authorities are the four authorities, and who has an SVID of them.
type authorities struct {
	folder *folder
	byKey  map[string]*devca.CA
	issued []holder
}

// holder is somebody with an SVID.
type holder struct {
	owner string // key of the trust domain
	id    certs.ID
	dir   string
	opts  devca.Options
}

// openAuthorities opens the authorities, or makes them at the first start.
func openAuthorities(f *folder) (*authorities, error) {
	a := &authorities{folder: f, byKey: map[string]*devca.CA{}}
	for _, key := range []string{exchangeKey, henanKey, zhejiangKey, guangdongKey} {
		td, err := trustDomainOf(key)
		if err != nil {
			return nil, err
		}
		dir := f.path("ca", key)
		if f.kept != nil {
			a.byKey[key], err = devca.Open(dir)
		} else {
			a.byKey[key], err = devca.Create(dir, td)
		}
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// bundle is the file that makes others trust a domain.
func (a *authorities) bundle(key string) string { return a.folder.path("ca", key, bundleFile) }

// issueAll issues an SVID to every server and party. Those of an earlier start have expired.
func (a *authorities) issueAll() error {
	local := devca.Options{DNS: []string{"localhost"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	if err := a.add("exchange/exchange", filepath.Join(exchangeKey, "certs"), local); err != nil {
		return err
	}
	for _, b := range bureaus() {
		if err := a.add(b.key+"/node", filepath.Join(b.key, "certs"), devca.Options{}); err != nil {
			return err
		}
	}
	for _, p := range parties() {
		if err := a.add(p, partyDir(p), devca.Options{}); err != nil {
			return err
		}
	}
	// Within the life of the authority, which may be seconds old and is backdated by a minute: otherwise it would be untrusted and not expired.
	past := devca.Options{NotBefore: time.Now().Add(-30 * time.Second), NotAfter: time.Now().Add(-10 * time.Second)}
	if err := a.add(housingPortal, expiredDir, past); err != nil {
		return err
	}
	return a.forge(housingPortal, henanKey, forgedDir)
}

func (a *authorities) add(party, dir string, opts devca.Options) error {
	id, err := idOf(party)
	if err != nil {
		return err
	}
	owner, _, _ := strings.Cut(party, "/")
	h := holder{owner: owner, id: id, dir: a.folder.path(dir), opts: opts}
	a.issued = append(a.issued, h)
	return a.issue(h)
}

func (a *authorities) issue(h holder) error {
	svid, err := a.byKey[h.owner].Issue(h.id, h.opts)
	if err != nil {
		return err
	}
	return devca.WriteSVID(h.dir, svid)
}

// Where the SVIDs lie that must be refused: one that has expired, and one with a Zhejiang ID that Henan's authority has signed.
const (
	expiredDir = "refused/expired"
	forgedDir  = "refused/forged"
)

// forge has one province's authority sign another province's ID, which Issue refuses to do.
func (a *authorities) forge(party, signer, dir string) error {
	id, err := idOf(party)
	if err != nil {
		return err
	}
	spiffe, err := spiffeid.FromString(id.String())
	if err != nil {
		return fmt.Errorf("forging an SVID: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("forging an SVID: %w", err)
	}
	now := time.Now()
	leaf, err := a.byKey[signer].Sign(&x509.Certificate{
		URIs: []*url.URL{spiffe.URL()}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(devca.MaxTTL), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key.Public())
	if err != nil {
		return err
	}
	return devca.WriteSVID(a.folder.path(dir), &x509svid.SVID{ID: spiffe, Certificates: []*x509.Certificate{leaf}, PrivateKey: key})
}

// renew issues SVIDs anew until ctx ends. Servers and clients read the new files by themselves.
func (a *authorities) renew(ctx context.Context, logger *slog.Logger) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, h := range a.issued {
			if err := a.issue(h); err != nil {
				logger.Error("svid not renewed", "id", h.id.String(), "error", err)
			}
		}
	}
}

// identity is the files of somebody who calls, or attaches to, the exchange.
func (a *authorities) identity(dir string) certs.Files {
	return certs.Files{
		SVID: filepath.Join(a.folder.path(dir), devca.SVIDFile), Key: filepath.Join(a.folder.path(dir), devca.KeyFile),
		Bundles: map[string]string{domainOf(exchangeKey): a.bundle(exchangeKey)},
	}
}
