package devca_test

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

func domain() spiffeid.TrustDomain { return spiffeid.RequireTrustDomainFromString("henan.example") }

func node() certs.ID { return certs.ID{TrustDomain: domain(), Role: certs.RoleNode} }

func create(t *testing.T) (string, *devca.CA) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs", "henan")
	ca, err := devca.Create(dir, domain())
	if err != nil {
		t.Fatal(err)
	}
	return dir, ca
}

func TestCreateAndOpen(t *testing.T) {
	dir, created := create(t)
	for name, mode := range map[string]os.FileMode{"ca.key": 0o600, "ca.pem": 0o644, "bundle.pem": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), mode)
		}
	}
	opened, err := devca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if opened.TrustDomain() != domain() || !opened.Bundle().Equal(created.Bundle()) {
		t.Errorf("opened the authority of %s", opened.TrustDomain())
	}
	svid, err := opened.Issue(node(), devca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := x509svid.Verify(svid.Certificates, created.Bundle()); err != nil {
		t.Errorf("verifying what the opened authority issued: %v", err)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	dir, _ := create(t)
	read := func() string {
		var all strings.Builder
		for _, name := range []string{"ca.key", "ca.pem", "bundle.pem"} {
			data, _ := os.ReadFile(filepath.Join(dir, name))
			all.Write(data)
		}
		return all.String()
	}
	before := read()
	if _, err := devca.Create(dir, domain()); !errors.Is(err, devca.ErrExists) {
		t.Errorf("creating again: %v, want ErrExists", err)
	}
	if read() != before {
		t.Error("files changed")
	}
	// One file is enough to stop it: a lost certificate can be restored, an overwritten key cannot.
	for _, gone := range []string{"ca.pem", "bundle.pem"} {
		if err := os.Remove(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
		if _, err := devca.Create(dir, domain()); !errors.Is(err, devca.ErrExists) {
			t.Errorf("creating without %s: %v, want ErrExists", gone, err)
		}
	}
}

func TestCreateConcurrently(t *testing.T) {
	dir := t.TempDir()
	var made atomic.Int32
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			switch _, err := devca.Create(dir, domain()); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, devca.ErrExists):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if made.Load() != 1 {
		t.Errorf("%d authorities were made", made.Load())
	}
	if _, err := devca.Open(dir); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(dir string) error
		text  string
	}{
		"nothing there": {func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "ca.pem")), os.Remove(filepath.Join(dir, "ca.key")))
		}, "certs init"},
		"interrupted creation": {func(dir string) error { return os.Remove(filepath.Join(dir, "ca.pem")) }, "remove"},
		"no key":               {func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) }, "ca.key"},
		"no PEM":               {func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("x"), 0o600) }, "ca.pem"},
		"key spoilt":           {func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca.key"), []byte("x"), 0o600) }, "ca.key"},
		"key of another": {func(dir string) error {
			other := filepath.Join(dir, "other")
			if _, err := devca.Create(other, domain()); err != nil {
				return err
			}
			return os.Rename(filepath.Join(other, "ca.key"), filepath.Join(dir, "ca.key"))
		}, "belong together"},
		"an SVID as authority": {func(dir string) error {
			ca, err := devca.Open(dir)
			if err != nil {
				return err
			}
			svid, err := ca.Issue(node(), devca.Options{})
			if err != nil {
				return err
			}
			err = devca.WriteSVID(dir, svid)
			return errors.Join(err, os.Rename(filepath.Join(dir, "svid.pem"), filepath.Join(dir, "ca.pem")),
				os.Rename(filepath.Join(dir, "svid.key"), filepath.Join(dir, "ca.key")))
		}, "no SPIFFE authority"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := create(t)
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := devca.Open(dir); !errors.Is(err, devca.ErrNone) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want ErrNone mentioning %q", err, c.text)
			}
		})
	}
}

func TestIssue(t *testing.T) {
	ca, err := devca.New(domain())
	if err != nil {
		t.Fatal(err)
	}
	svid, err := ca.Issue(node(), devca.Options{DNS: []string{"localhost", "*.henan.example"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}})
	if err != nil {
		t.Fatal(err)
	}
	leaf := svid.Certificates[0]
	if life := time.Until(leaf.NotAfter); life > time.Hour || life < time.Hour-time.Minute {
		t.Errorf("valid for another %s", life)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Bundle().X509Authorities()[0])
	for _, host := range []string{"localhost", "node.henan.example", "127.0.0.1", "::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
			t.Errorf("a client that checks host names: %v", err)
		}
	}
	if again, err := ca.Issue(node(), devca.Options{TTL: devca.MaxTTL}); err != nil {
		t.Errorf("the longest life: %v", err)
	} else if again.Certificates[0].SerialNumber.Cmp(leaf.SerialNumber) == 0 {
		t.Error("a serial number came twice")
	}
	past := time.Now().Add(-48 * time.Hour)
	expired, err := ca.Issue(node(), devca.Options{NotBefore: past, NotAfter: past.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if !expired.Certificates[0].NotAfter.Before(time.Now()) {
		t.Error("asked for an expired SVID, got a valid one")
	}
}

func TestIssueRefuses(t *testing.T) {
	ca, err := devca.New(domain())
	if err != nil {
		t.Fatal(err)
	}
	zhejiang := spiffeid.RequireTrustDomainFromString("zhejiang.example")
	for name, c := range map[string]struct {
		id   certs.ID
		opts devca.Options
	}{
		"another trust domain":    {certs.ID{TrustDomain: zhejiang, Role: certs.RoleNode}, devca.Options{}},
		"no trust domain":         {certs.ID{Role: certs.RoleNode}, devca.Options{}},
		"no role":                 {certs.ID{TrustDomain: domain()}, devca.Options{}},
		"a node with a name":      {certs.ID{TrustDomain: domain(), Role: certs.RoleNode, Name: "one"}, devca.Options{}},
		"a path in the name":      {certs.ID{TrustDomain: domain(), Role: certs.RoleApplication, Name: "a/b"}, devca.Options{}},
		"negative life":           {node(), devca.Options{TTL: -time.Second}},
		"too long a life":         {node(), devca.Options{TTL: devca.MaxTTL + time.Second}},
		"an end before the start": {node(), devca.Options{NotBefore: time.Now(), NotAfter: time.Now().Add(-time.Hour)}},
		"too long by dates":       {node(), devca.Options{NotAfter: time.Now().Add(devca.MaxTTL + time.Hour)}},
		"beyond the authority":    {node(), devca.Options{NotBefore: time.Now().Add(3 * 365 * 24 * time.Hour), NotAfter: time.Now().Add(3*365*24*time.Hour + time.Hour)}},
		"no host name":            {node(), devca.Options{DNS: []string{""}}},
		"an address as name":      {node(), devca.Options{DNS: []string{"https://localhost"}}},
		"a name with a space":     {node(), devca.Options{DNS: []string{"local host"}}},
		"a name in Chinese":       {node(), devca.Options{DNS: []string{"河南.example"}}},
		"no IP address":           {node(), devca.Options{IP: []netip.Addr{{}}}},
	} {
		if _, err := ca.Issue(c.id, c.opts); !errors.Is(err, devca.ErrRequest) {
			t.Errorf("%s: %v, want ErrRequest", name, err)
		}
	}
	if _, err := devca.New(spiffeid.TrustDomain{}); err == nil {
		t.Error("an authority of no trust domain")
	}
}

// TestWriteSVIDAtomically reads all the while as a running server does: each file by itself is whole at any time.
func TestWriteSVIDAtomically(t *testing.T) {
	ca, err := devca.New(domain())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "node")
	issue := func() {
		t.Helper()
		svid, err := ca.Issue(node(), devca.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := devca.WriteSVID(dir, svid); err != nil {
			t.Fatal(err)
		}
	}
	issue()
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, name := range []string{devca.SVIDFile, devca.KeyFile} {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil || !strings.HasPrefix(string(data), "-----BEGIN ") || !strings.HasSuffix(string(data), "-----\n") {
					t.Errorf("%s is not whole (%d bytes): %v", name, len(data), err)
					return
				}
			}
		}
	})
	for range 50 {
		issue()
	}
	close(stop)
	group.Wait()
	if _, err := x509svid.Load(filepath.Join(dir, devca.SVIDFile), filepath.Join(dir, devca.KeyFile)); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if info, err := os.Stat(filepath.Join(dir, devca.KeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode: %v, %v", info.Mode(), err)
	}
}

func TestWriteSVIDFails(t *testing.T) {
	ca, err := devca.New(domain())
	if err != nil {
		t.Fatal(err)
	}
	svid, err := ca.Issue(node(), devca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// A directory in the place of the certificate: the rename fails, and no temporary file stays.
	if err := os.Mkdir(filepath.Join(dir, devca.SVIDFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := devca.WriteSVID(dir, svid); err == nil {
		t.Error("a directory was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := devca.WriteSVID(filepath.Join(dir, devca.KeyFile, "x"), svid); err == nil {
		t.Error("a file served as directory")
	}
}
