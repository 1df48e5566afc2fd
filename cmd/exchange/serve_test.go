package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
)

// TestServe takes an exchange from an empty directory to a graceful stop.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	if code := run(t.Context(), []string{"init", "--dir", dir, "--domain", "exchange.example"}, io.Discard, t.Output()); code != 0 {
		t.Fatalf("init: %d", code)
	}
	issue(t, filepath.Join(dir, "certs"))
	file := filepath.Join(dir, "exchange.yaml")
	anyPort(t, file)
	var out bytes.Buffer
	if code := run(t.Context(), []string{"check", "--config", file}, &out, t.Output()); code != 0 || !strings.Contains(out.String(), "nothing to correct") {
		t.Fatalf("check: %d\n%s", code, out.String())
	}

	for range 2 { // the second time on stores that have been used
		ctx, stop := context.WithCancel(t.Context())
		read, write := io.Pipe()
		ended := make(chan int, 1)
		go func() {
			ended <- run(ctx, []string{"serve", "--config", file, "--log-format", "json", "--pprof"}, io.Discard, write)
			write.Close()
		}()
		lines := bufio.NewScanner(read)
		address := serving(t, lines)
		rest := make(chan struct{})
		go func() { // so that logging never blocks
			defer close(rest)
			for lines.Scan() {
			}
		}()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // an anonymous caller who asks nobody
		for _, probe := range []struct {
			url  string
			want int
		}{
			{"http://" + address["metrics"] + "/healthz", 200}, {"http://" + address["metrics"] + "/readyz", 200},
			{"http://" + address["metrics"] + "/metrics", 200}, {"http://" + address["metrics"] + "/debug/pprof/", 200},
			{"https://" + address["rest"] + "/openapi.json", 200}, {"https://" + address["rest"] + "/v1/accesses", 401},
		} {
			resp, err := client.Get(probe.url)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != probe.want {
				t.Errorf("%s gives %d, want %d", probe.url, resp.StatusCode, probe.want)
			}
		}
		client.CloseIdleConnections()
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("serve ended with %d", code)
		}
		<-rest
	}
}

// serving reads the log up to the line that tells the addresses.
func serving(t *testing.T, lines *bufio.Scanner) map[string]string {
	t.Helper()
	for lines.Scan() {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("log line %q: %v", lines.Text(), err)
		}
		if line["msg"] != "exchange is serving" {
			continue
		}
		found := map[string]string{}
		for _, key := range []string{"grpc", "rest", "metrics"} {
			found[key], _ = line[key].(string)
		}
		return found
	}
	t.Fatal("it never served")
	return nil
}

// issue puts the exchange's certificate where the configuration looks for it.
func issue(t *testing.T, dir string) {
	t.Helper()
	ca, err := devca.Create(dir, spiffeid.RequireTrustDomainFromString("exchange.example"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := certs.ParseID("spiffe://exchange.example/exchange")
	if err != nil {
		t.Fatal(err)
	}
	svid, err := ca.Issue(id, devca.Options{DNS: []string{"localhost"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := devca.WriteSVID(filepath.Join(dir, "server"), svid); err != nil {
		t.Fatal(err)
	}
}

// anyPort lets the system choose the ports.
func anyPort(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{":7443", ":7444", ":9463"} {
		text = bytes.Replace(text, []byte("127.0.0.1"+port), []byte("127.0.0.1:0"), 1)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
