package certs_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

// identity is an SVID with a bundle in files, as OpenFiles reads them.
type identity struct {
	ca    *devca.CA
	dir   string
	files certs.Files
	log   logBuffer
}

// logBuffer is a log that a source writes and a test reads.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	i := &identity{ca: newCA(t, "henan.example"), dir: t.TempDir()}
	i.files = certs.Files{
		SVID:    filepath.Join(i.dir, devca.SVIDFile),
		Key:     filepath.Join(i.dir, devca.KeyFile),
		Bundles: map[string]string{"henan.example": filepath.Join(i.dir, "bundle.pem")},
	}
	i.renew(t, devca.Options{})
	i.bundle(t, i.ca)
	return i
}

func (i *identity) renew(t *testing.T, opts devca.Options) *x509svid.SVID {
	t.Helper()
	svid := mustIssue(t, i.ca, portal, opts)
	if err := devca.WriteSVID(i.dir, svid); err != nil {
		t.Fatal(err)
	}
	return svid
}

func (i *identity) bundle(t *testing.T, authorities ...*devca.CA) {
	t.Helper()
	var data []byte
	for _, ca := range authorities {
		b, err := ca.Bundle().Marshal()
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, b...)
	}
	write(t, i.files.Bundles["henan.example"], data)
}

func (i *identity) open(t *testing.T) (*certs.Source, error) {
	t.Helper()
	source, err := certs.OpenFiles(t.Context(), i.files, slog.New(slog.NewTextHandler(&i.log, nil)))
	if err == nil {
		t.Cleanup(func() { source.Close() })
	}
	return source, err
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func serial(t *testing.T, source x509svid.Source) string {
	t.Helper()
	svid, err := source.GetX509SVID()
	if err != nil {
		t.Fatal(err)
	}
	return svid.Certificates[0].SerialNumber.String()
}

func TestOpenFilesErrors(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, *identity)
		texts []string // the file and the cure
	}{
		"no SVID":      {func(t *testing.T, i *identity) { os.Remove(i.files.SVID) }, []string{"svid.pem", "kuasheng certs issue"}},
		"no key":       {func(t *testing.T, i *identity) { os.Remove(i.files.Key) }, []string{"svid.key", "kuasheng certs issue"}},
		"no bundle":    {func(t *testing.T, i *identity) { os.Remove(i.files.Bundles["henan.example"]) }, []string{"bundle.pem"}},
		"empty bundle": {func(t *testing.T, i *identity) { write(t, i.files.Bundles["henan.example"], nil) }, []string{"bundle.pem", "no PEM block"}},
		"a key as bundle": {func(t *testing.T, i *identity) {
			i.files.Bundles["henan.example"] = i.files.Key
		}, []string{"svid.key", "no certificate"}},
		"wrong trust domain": {func(t *testing.T, i *identity) { i.files.Bundles["Henan!"] = i.files.SVID }, []string{"Henan!", "henan.example"}},
		"a directory":        {func(t *testing.T, i *identity) { i.files.Key = i.dir }, []string{"not a regular file"}},
		"a huge file":        {func(t *testing.T, i *identity) { write(t, i.files.SVID, make([]byte, 2<<20)) }, []string{"svid.pem", "larger"}},
		"key of somebody else": {func(t *testing.T, i *identity) {
			old, _ := os.ReadFile(i.files.Key)
			i.renew(t, devca.Options{})
			write(t, i.files.Key, old)
		}, []string{"svid.pem", "svid.key", "kuasheng certs show"}},
		"no identity of ours": {func(t *testing.T, i *identity) {
			writePair(t, i, "spiffe://henan.example/banana")
		}, []string{"svid.pem", "/node"}},
		"another form of key": {func(t *testing.T, i *identity) {
			data, _ := os.ReadFile(i.files.Key)
			write(t, i.files.Key, bytes.ReplaceAll(data, []byte("PRIVATE KEY"), []byte("EC PRIVATE KEY")))
		}, []string{"svid.key", "openssl pkcs8"}},
		"certificates as key": {func(t *testing.T, i *identity) { i.files.Key = i.files.SVID }, []string{"no private key"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIdentity(t)
			c.spoil(t, i)
			_, err := i.open(t)
			if !errors.Is(err, certs.ErrSource) {
				t.Fatalf("got %v, want ErrSource", err)
			}
			for _, text := range c.texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not mention %q", err, text)
				}
			}
		})
	}
}

// writePair writes a certificate and key that fit each other, for any ID.
func writePair(t *testing.T, i *identity, id string) {
	t.Helper()
	key := newKey(t)
	cert, err := i.ca.Sign(template(id), key.Public())
	if err != nil {
		t.Fatal(err)
	}
	svid := &x509svid.SVID{Certificates: []*x509.Certificate{cert}, PrivateKey: key}
	if err := devca.WriteSVID(i.dir, svid); err != nil {
		t.Fatal(err)
	}
}

func TestFilesFollowChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIdentity(t)
		source, err := i.open(t)
		if err != nil {
			t.Fatal(err)
		}
		first, generation := serial(t, source), source.Generation()
		if got := source.ID().String(); got != portal {
			t.Errorf("ID %q, want %q", got, portal)
		}

		// Nothing new, even when written again.
		data, _ := os.ReadFile(i.files.SVID)
		write(t, i.files.SVID, data)
		time.Sleep(5 * time.Second)
		if source.Generation() != generation {
			t.Error("a change is reported where there is none")
		}

		changed := source.Changed()
		renewed := i.renew(t, devca.Options{})
		<-changed
		if got := serial(t, source); got != renewed.Certificates[0].SerialNumber.String() || got == first {
			t.Errorf("after the renewal: serial %s", got)
		}

		// A second authority, then the first one withdrawn: both count.
		second := newCA(t, "henan.example")
		for _, authorities := range [][]*devca.CA{{i.ca, second}, {second}} {
			changed = source.Changed()
			i.bundle(t, authorities...)
			<-changed
			b, err := source.GetX509BundleForTrustDomain(i.ca.TrustDomain())
			if err != nil || len(b.X509Authorities()) != len(authorities) {
				t.Errorf("bundle has %d authorities, want %d: %v", len(b.X509Authorities()), len(authorities), err)
			}
		}
		if _, err := source.GetX509BundleForTrustDomain(newCA(t, "zhejiang.example").TrustDomain()); err == nil {
			t.Error("a bundle that nobody configured")
		}
		if source.Generation() != generation+3 {
			t.Errorf("generation %d, want %d", source.Generation(), generation+3)
		}
	})
}

// TestFilesKeepTheOldSet: whatever is wrong with the new files, the old identity stays in use and it is logged once.
func TestFilesKeepTheOldSet(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *identity){
		"between the renames": func(t *testing.T, i *identity) {
			old, _ := os.ReadFile(i.files.SVID)
			i.renew(t, devca.Options{})
			write(t, i.files.SVID, old)
		},
		"SVID removed":     func(t *testing.T, i *identity) { os.Remove(i.files.SVID) },
		"SVID emptied":     func(t *testing.T, i *identity) { write(t, i.files.SVID, nil) },
		"key cut off":      func(t *testing.T, i *identity) { cut(t, i.files.Key, 30) },
		"bundle removed":   func(t *testing.T, i *identity) { os.Remove(i.files.Bundles["henan.example"]) },
		"bundle cut off":   func(t *testing.T, i *identity) { i.bundle(t, i.ca, i.ca); cut(t, i.files.Bundles["henan.example"], 40) },
		"bundle is no PEM": func(t *testing.T, i *identity) { write(t, i.files.Bundles["henan.example"], []byte("<html>")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newIdentity(t)
				source, err := i.open(t)
				if err != nil {
					t.Fatal(err)
				}
				before, generation := serial(t, source), source.Generation()
				spoil(t, i)
				time.Sleep(10 * time.Second)
				if serial(t, source) != before || source.Generation() != generation {
					t.Error("the old identity was given up")
				}
				if n := strings.Count(i.log.String(), "identity not renewed"); n != 1 {
					t.Errorf("logged %d times: %s", n, i.log.String())
				}
				changed := source.Changed()
				i.renew(t, devca.Options{})
				i.bundle(t, i.ca)
				<-changed
				if serial(t, source) == before {
					t.Error("not renewed after the repair")
				}
			})
		})
	}
}

func cut(t *testing.T, path string, n int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-n); err != nil {
		t.Fatal(err)
	}
}

func TestFilesWarnOfLateRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIdentity(t)
		i.renew(t, devca.Options{TTL: 100 * time.Second})
		if err := os.Chmod(i.files.Key, 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := i.open(t)
		if err != nil {
			t.Fatal(err)
		}
		logged := func(text string) int { return strings.Count(i.log.String(), text) }
		if logged("chmod 600") != 1 || logged("expires soon") != 0 {
			t.Errorf("at first: %s", i.log.String())
		}
		time.Sleep(90 * time.Second)
		if logged("expires soon") != 1 || logged("has expired") != 0 {
			t.Errorf("after 90 s: %s", i.log.String())
		}
		time.Sleep(90 * time.Second)
		if logged("expires soon") != 1 || logged("has expired") != 1 {
			t.Errorf("after 180 s: %s", i.log.String())
		}
		changed := source.Changed()
		i.renew(t, devca.Options{TTL: 100 * time.Second})
		<-changed
		time.Sleep(90 * time.Second)
		if logged("expires soon") != 2 {
			t.Errorf("after the renewal: %s", i.log.String())
		}
		// Closed, it follows no more and still has what it read.
		if err := source.Close(); err != nil {
			t.Fatal(err)
		}
		last := serial(t, source)
		i.renew(t, devca.Options{})
		time.Sleep(10 * time.Second)
		if serial(t, source) != last {
			t.Error("changed after Close")
		}
	})
}

// TestNoKeyMaterialInErrors spoils a key file and looks for it in the error.
func TestNoKeyMaterialInErrors(t *testing.T) {
	i := newIdentity(t)
	data, _ := os.ReadFile(i.files.Key)
	block, _ := pem.Decode(data)
	block.Bytes[10] ^= 0xff
	write(t, i.files.Key, pem.EncodeToMemory(block))
	_, err := i.open(t)
	if err == nil {
		t.Fatal("a spoilt key was taken")
	}
	lines := strings.Split(string(data), "\n")
	for _, line := range lines[1 : len(lines)-2] {
		if strings.Contains(err.Error(), line[:16]) {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}

// TestRotationWithoutRestart renews both ends of a running system under its feet.
func TestRotationWithoutRestart(t *testing.T) {
	s := newSystem(t)
	i := newIdentity(t)
	i.ca = s.henan
	client := i.renew(t, devca.Options{})
	i.bundle(t, s.henan)
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	open := func(files certs.Files) *certs.Source {
		t.Helper()
		source, err := certs.OpenFiles(t.Context(), files, logger)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { source.Close() })
		return source
	}
	dir := t.TempDir()
	own := open(i.files)
	if err := devca.WriteSVID(dir, mustIssue(t, s.exchange, s.server.String(), devca.Options{})); err != nil {
		t.Fatal(err)
	}
	server := open(certs.Files{SVID: filepath.Join(dir, devca.SVIDFile), Key: filepath.Join(dir, devca.KeyFile)})
	s.memory = certs.NewMemory()
	s.address = s.serve(t, server)

	// From here on the server's old SVID is no longer good enough: a new authority has taken over the exchange's domain.
	old := s.dialAs(t, own)
	if got := s.call(t, old); got.err != nil || got.peer.Serial != client.Certificates[0].SerialNumber.Text(16) {
		t.Fatalf("before: %+v, %v", got.peer, got.err)
	}
	s.exchange = newCA(t, "exchange.example")
	serverChanged, clientChanged := server.Changed(), own.Changed()
	if err := devca.WriteSVID(dir, mustIssue(t, s.exchange, s.server.String(), devca.Options{})); err != nil {
		t.Fatal(err)
	}
	client = i.renew(t, devca.Options{})
	<-serverChanged
	<-clientChanged
	if got := s.call(t, s.dialAs(t, own)); got.err != nil || got.peer.Serial != client.Certificates[0].SerialNumber.Text(16) {
		t.Errorf("after: %+v, %v", got.peer, got.err)
	}
	if got := s.call(t, old); got.err != nil {
		t.Errorf("the connection made before: %v", got.err)
	}
}
