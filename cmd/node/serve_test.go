package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
)

// TestServe runs a node as its operator does, against a real exchange, and asks it something.
func TestServe(t *testing.T) {
	s := harness.Start(t, nil)
	henan := s.Province("410000", "henan.example", "node-1")
	zhejiang := s.Province("330000", "zhejiang.example")
	replica := henan.Prepare("node-1", "")
	f, err := os.OpenFile(replica.File, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "\njournal_key: %q\nlisten: { metrics: '127.0.0.1:0' }\n", filepath.Join(replica.Dir, "journal.key"))
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"check", "--config", replica.File}, &out, t.Output()); code != 0 {
		t.Fatalf("check: %d\n%s", code, out.String())
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--config", replica.File, "--log-format", "json"}, io.Discard, write)
		write.Close()
	}()
	lines := bufio.NewScanner(read)
	metrics := serving(t, lines)
	rest := make(chan struct{})
	go func() { // so that logging never blocks
		defer close(rest)
		for lines.Scan() {
		}
	}()
	get := func(path string) int {
		resp, err := http.Get("http://" + metrics + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	s.Eventually("ready", func() bool { return get("/readyz") == 200 })
	servedAlready(t, replica.File, metrics)
	henan.WaitPublished()
	s.Grant(henan, &grantv1.Grant{
		Resource: henan.ResourceName(harness.Resource), Requester: zhejiang.AppID("portal"), Fields: []string{"account_no", "balance"}, Quota: &grantv1.Quota{},
	})
	answer, err := zhejiang.App("portal").Query(t.Context(), harness.Query(henan, harness.PersonA))
	if err != nil || answer.Response.GetRowCount() != 1 {
		t.Errorf("query: %v", err)
	}

	s.Stop() // without an exchange the node is alive, and ready for nothing
	s.Eventually("detached", func() bool { return get("/readyz") == 503 })
	if got := get("/healthz"); got != 200 {
		t.Errorf("/healthz gives %d without an exchange", got)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("serve ended with %d", code)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not stop")
	}
	<-rest
}

// serving reads the log up to the line that tells where health is.
func serving(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		var line struct{ Msg, Metrics string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("log line %q: %v", lines.Text(), err)
		}
		if line.Msg == "node is serving" {
			return line.Metrics
		}
	}
	t.Fatal("it never served")
	return ""
}

// servedAlready serves the same node a second time, on the same port: the journal's lock is what its operator hears of, not the port.
func servedAlready(t *testing.T, name, metrics string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(filepath.Dir(name), "second.yaml")
	if err := os.WriteFile(second, bytes.Replace(text, []byte("127.0.0.1:0"), []byte(metrics), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--config", second}, io.Discard, &said); code != 1 || !strings.Contains(said.String(), "this node is being served already") {
		t.Errorf("a second serve ends with %d: %s", code, said.String())
	}
}
