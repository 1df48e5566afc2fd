package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

// runCerts runs "kuasheng certs" with arguments.
func runCerts(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := newCertsCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

func TestCertsCommands(t *testing.T) {
	dir := t.TempDir()
	ca, node := filepath.Join(dir, "henan"), filepath.Join(dir, "henan", "node")
	out, _, err := runCerts(t, "init", "--trust-domain", "henan.example", "--dir", ca)
	if err != nil || !strings.Contains(out, filepath.Join(ca, "bundle.pem")) {
		t.Fatalf("init: %v\n%s", err, out)
	}
	if _, _, err := runCerts(t, "init", "--trust-domain", "henan.example", "--dir", ca); !errors.Is(err, devca.ErrExists) {
		t.Errorf("init again: %v, want ErrExists", err)
	}
	issue := []string{"issue", "--ca", ca, "--id", "spiffe://henan.example/node", "--dir", node, "--dns", "localhost", "--ip", "127.0.0.1,::1"}
	for _, step := range []struct {
		extra   []string
		warning string
	}{{nil, ""}, {[]string{"--ttl", "48h"}, "warning:"}} { // the second time renews
		out, warning, err := runCerts(t, append(issue, step.extra...)...)
		if err != nil || !strings.Contains(out, "svid.key") || (step.warning == "") != (warning == "") {
			t.Fatalf("issue %v: %v\n%s%s", step.extra, err, out, warning)
		}
	}

	out, warning, err := runCerts(t, "show", "-o", "json", filepath.Join(node, "svid.pem"), filepath.Join(ca, "bundle.pem"))
	if err != nil || warning != "" {
		t.Fatalf("show: %v\n%s", err, warning)
	}
	var shown []certs.Certificate
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown) != 2 || shown[0].ID != "spiffe://henan.example/node" || shown[0].Key != "matches" ||
		strings.Join(shown[0].Hosts, " ") != "localhost 127.0.0.1 ::1" || shown[1].Kind != "authority" {
		t.Errorf("show: %+v", shown)
	}
	out, _, err = runCerts(t, "show", filepath.Join(node, "svid.pem"))
	if err != nil || !strings.Contains(out, "NOT AFTER") || !strings.Contains(out, "spiffe://henan.example/node") || !strings.Contains(out, "matches") {
		t.Errorf("show as a table: %v\n%s", err, out)
	}
}

func TestCertsCommandMistakes(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "henan")
	if _, _, err := runCerts(t, "init", "--trust-domain", "henan.example", "--dir", ca); err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(dir, "node")
	if _, _, err := runCerts(t, "issue", "--ca", ca, "--id", "spiffe://henan.example/node", "--dir", node); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want error
		text string
	}{
		"no such command":       {[]string{"renew"}, nil, "renew"},
		"a missing flag":        {[]string{"init", "--dir", dir}, nil, "trust-domain"},
		"a wrong trust domain":  {[]string{"init", "--dir", filepath.Join(dir, "x"), "--trust-domain", "Henan"}, nil, "henan.example"},
		"no authority":          {[]string{"issue", "--ca", node, "--id", "spiffe://henan.example/node", "--dir", dir}, devca.ErrNone, "certs init"},
		"a wrong ID":            {[]string{"issue", "--ca", ca, "--id", "spiffe://henan.example/nodes", "--dir", dir}, certs.ErrID, ""},
		"another domain's ID":   {[]string{"issue", "--ca", ca, "--id", "spiffe://zhejiang.example/node", "--dir", dir}, devca.ErrRequest, "henan.example"},
		"too long a life":       {[]string{"issue", "--ca", ca, "--id", "spiffe://henan.example/node", "--dir", dir, "--ttl", "721h"}, devca.ErrRequest, ""},
		"no life":               {[]string{"issue", "--ca", ca, "--id", "spiffe://henan.example/node", "--dir", dir, "--ttl", "0s"}, nil, "--ttl"},
		"a wrong address":       {[]string{"issue", "--ca", ca, "--id", "spiffe://henan.example/node", "--dir", dir, "--ip", "localhost"}, nil, "--ip"},
		"somebody else's place": {[]string{"issue", "--ca", ca, "--id", "spiffe://henan.example/app/x", "--dir", node}, nil, "spiffe://henan.example/node"},
		"nothing to show":       {[]string{"show"}, nil, ""},
		"no such file":          {[]string{"show", filepath.Join(dir, "x.pem")}, fs.ErrNotExist, "x.pem"},
		"no such format":        {[]string{"show", "-o", "yaml", filepath.Join(node, "svid.pem")}, nil, "json"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := runCerts(t, c.args...)
			if err == nil || out != "" {
				t.Fatalf("no error, printed %q", out)
			}
			if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v mentioning %q", err, c.want, c.text)
			}
		})
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("mistakes left files: %v, %v", entries, err)
	}
}

func TestCertsShowWarns(t *testing.T) {
	dir := t.TempDir()
	ca, err := devca.New(spiffeid.RequireTrustDomainFromString("henan.example"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := certs.ParseID("spiffe://henan.example/node")
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	svid, err := ca.Issue(id, devca.Options{NotBefore: past, NotAfter: past.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if err := devca.WriteSVID(dir, svid); err != nil {
		t.Fatal(err)
	}
	_, warning, err := runCerts(t, "show", filepath.Join(dir, "svid.pem"))
	if err != nil || !strings.Contains(warning, "has expired") {
		t.Errorf("got %v\n%s", err, warning)
	}
}

func TestPrintable(t *testing.T) {
	if got := printable("CN=\x1b[2J河南\n"); got != "CN=\uFFFD[2J河南\uFFFD" {
		t.Errorf("got %q", got)
	}
}
