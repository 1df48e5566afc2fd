package certs_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

func TestInspect(t *testing.T) {
	i := newIdentity(t)
	leaf := i.renew(t, devca.Options{DNS: []string{"localhost"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}).Certificates[0]
	got, err := certs.Inspect(i.files.SVID, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []certs.Certificate{{
		File: i.files.SVID, Kind: "svid", ID: portal, Role: "app", Serial: leaf.SerialNumber.Text(16),
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Issuer: "CN=henan.example,O=Kuasheng development CA\\, not for production",
		Hosts: []string{"localhost", "127.0.0.1"}, Key: "matches",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("svid (-want +got):\n%s", diff)
	}

	got, err = certs.Inspect(i.files.Bundles["henan.example"], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Kind != "authority" || got[0].ID != "spiffe://henan.example" || got[0].Key != "none" || got[0].Problem != "" {
		t.Errorf("bundle: %+v", got)
	}
}

func TestInspectProblems(t *testing.T) {
	i := newIdentity(t)
	now := time.Now()
	for name, c := range map[string]struct {
		cert *x509.Certificate
		now  time.Time
		kind string
		text string
	}{
		"expired":   {template(portal), now.Add(2 * time.Hour), "svid", "expired"},
		"too early": {template(portal), now.Add(-2 * time.Hour), "svid", "not valid yet"},
		"no name":   {template(), now, "other", "0 URI names"},
		"two names": {template(portal, portal), now, "other", "2 URI names"},
		"no role":   {template("spiffe://henan.example/banana"), now, "other", "/node"},
		"wrong use": {func() *x509.Certificate { c := template(portal); c.KeyUsage = x509.KeyUsageKeyAgreement; return c }(), now, "other", "digitalSignature"},
	} {
		t.Run(name, func(t *testing.T) {
			key := newKey(t)
			cert, err := i.ca.Sign(c.cert, key.Public())
			if err != nil {
				t.Fatal(err)
			}
			writeCertificates(t, i.files.SVID, cert)
			got, err := certs.Inspect(i.files.SVID, c.now)
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Kind != c.kind || !strings.Contains(got[0].Problem, c.text) || got[0].Key != "does not match" {
				t.Errorf("got %+v", got[0])
			}
		})
	}
}

func writeCertificates(t *testing.T, path string, chain ...*x509.Certificate) {
	t.Helper()
	var data []byte
	for _, cert := range chain {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	write(t, path, data)
}

func TestInspectErrors(t *testing.T) {
	i := newIdentity(t)
	if _, err := certs.Inspect(filepath.Join(i.dir, "nothing.pem"), time.Now()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := certs.Inspect(i.files.Key, time.Now()); err == nil || !strings.Contains(err.Error(), ".pem") {
		t.Errorf("a key: %v", err)
	}
	data, _ := os.ReadFile(i.files.Key)
	write(t, i.files.Key, append([]byte("junk\n"), data[:len(data)/2]...))
	if _, err := certs.Inspect(i.files.SVID, time.Now()); err == nil || !strings.Contains(err.Error(), "whole") {
		t.Errorf("half a key: %v", err)
	}
}
