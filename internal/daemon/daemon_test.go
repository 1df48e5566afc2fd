package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
)

func TestMonitor(t *testing.T) {
	m, err := StartMonitor("127.0.0.1:0", true, NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var alive, ready error
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + m.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, step := range []struct {
		name          string
		watch         bool
		alive, ready  error
		health, readi int
	}{
		{"starting", false, nil, nil, 200, 503},
		{"serving", true, nil, nil, 200, 200},
		{"draining", true, nil, errors.New("stopping"), 200, 503},
		{"log failed", true, errors.New("disk full"), nil, 503, 503},
		{"recovered", true, nil, nil, 200, 200},
	} {
		alive, ready = step.alive, step.ready
		if step.watch {
			m.Watch(Health{Alive: func() error { return alive }, Ready: func() error { return ready }})
		}
		code, body := get("/healthz")
		var state struct{ Status, Reason string }
		if err := json.Unmarshal([]byte(body), &state); err != nil || code != step.health || (alive != nil) != (state.Reason != "") {
			t.Errorf("%s: /healthz gives %d %s %v", step.name, code, body, err)
		}
		if code, body := get("/readyz"); code != step.readi {
			t.Errorf("%s: /readyz gives %d %s", step.name, code, body)
		}
	}
	if code, body := get("/metrics"); code != 200 || !strings.Contains(body, "go_goroutines") {
		t.Errorf("/metrics gives %d", code)
	}
	if code, _ := get("/debug/pprof/"); code != 200 {
		t.Errorf("profiles give %d", code)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestProfilesStayLocal(t *testing.T) {
	if _, err := StartMonitor("0.0.0.0:0", true, prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); !errors.Is(err, ErrUsage) {
		t.Errorf("got %v", err)
	}
	m, err := StartMonitor("127.0.0.1:0", false, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + m.Address() + "/debug/pprof/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("profiles without --pprof give %d", resp.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets", "log.key")
	key, err := WriteLogKey(path, "exchange.example/access")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteLogKey(path, "exchange.example/access"); !errors.Is(err, ErrExists) {
		t.Errorf("overwriting: %v", err)
	}
	again, err := ReadLogKey(path)
	if err != nil || again.Public != key.Public || again.Signer.Name() != "exchange.example/access" {
		t.Errorf("read back %q, %v", again.Public, err)
	}
	message := []byte("m\n")
	signature, err := key.Signer.Sign(message)
	if err != nil || !key.Verifier.Verify(message, signature) || key.Verifier.KeyHash() != key.Signer.KeyHash() {
		t.Error("the derived verifier is not the signer's")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty": "", "garbage": "PRIVATE+KEY+x", "cut": string(text[:len(text)-8]), "long": strings.Repeat("x", maxSecret+1), "algorithm": "PRIVATE+KEY+a+00000000+Ag==",
	} {
		bad := filepath.Join(dir, name)
		if err := WriteNew(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadLogKey(bad); err == nil || len(content) > 20 && strings.Contains(err.Error(), content[:20]) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLogKey(path); !errors.Is(err, ErrOpenSecret) {
		t.Errorf("readable by others: %v", err)
	}
	if _, err := ReadSecret(dir); err == nil {
		t.Error("a directory was read")
	}
}

func TestProblems(t *testing.T) {
	one, two := fmt.Errorf("a: %w: %w", io.EOF, io.ErrUnexpectedEOF), errors.New("b")
	got := Problems("f", "", fmt.Errorf("opening: %w", errors.Join(one, errors.Join(two))))
	want := []Finding{{File: "f", Problem: one.Error()}, {File: "f", Problem: "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := (Finding{File: "f", Line: 3, Warning: true, Resource: "r", Field: "x", Problem: "p", Cure: "c"}).String(); got != "f:3: warning: resource r: field x: p; c" {
		t.Error(got)
	}
}

func TestRun(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		err  error
		want int
	}{
		{"fine", []string{"do", "--x", "1"}, nil, 0},
		{"failure", []string{"do", "--x", "1"}, io.EOF, 1},
		{"reported", []string{"do", "--x", "1"}, ErrReported, 1},
		{"usage", []string{"do", "--x", "1"}, Usage(io.EOF), 2},
		{"missing flag", []string{"do"}, nil, 2},
		{"unknown flag", []string{"do", "--y"}, nil, 2},
		{"argument", []string{"do", "--x", "1", "z"}, nil, 2},
		{"unknown command", []string{"od"}, nil, 2},
		{"help", []string{"do", "--help"}, nil, 0},
		{"completion", []string{"completion", "bash"}, nil, 0},
	} {
		root := &cobra.Command{Use: "daemon", RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
		do := &cobra.Command{Use: "do", RunE: func(*cobra.Command, []string) error { return test.err }}
		do.Flags().String("x", "", "")
		Require(do, "x")
		root.AddCommand(do)
		var out, errOut bytes.Buffer
		if got := Run(context.Background(), root, test.args, &out, &errOut); got != test.want {
			t.Errorf("%s: exit status %d, want %d\n%s", test.name, got, test.want, errOut.String())
		}
		if silent := errOut.Len() == 0; silent != (test.want == 0 || errors.Is(test.err, ErrReported)) {
			t.Errorf("%s: standard error is %q", test.name, errOut.String())
		}
	}
}

func TestLogFlags(t *testing.T) {
	var b bytes.Buffer
	f := &LogFlags{format: "json", level: "warn"}
	l, err := f.Logger(&b)
	if err != nil {
		t.Fatal(err)
	}
	l.Info("no")
	l.Warn("yes")
	if !json.Valid(b.Bytes()) || bytes.Contains(b.Bytes(), []byte("no")) {
		t.Error(b.String())
	}
	for _, wrong := range []*LogFlags{{"xml", "info"}, {"text", "loud"}} {
		if _, err := wrong.Logger(&b); !errors.Is(err, ErrUsage) {
			t.Errorf("%v: got %v", wrong, err)
		}
	}
}
