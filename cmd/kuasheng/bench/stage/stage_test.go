package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/kuasheng/kuasheng/exchange/client"
	"google.golang.org/protobuf/proto"
)

// TestMain lets the test's program stand for the command that children run.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "child" {
		if err := Serve(context.Background(), os.Args[2], os.Args[3], os.Stdin, os.Stdout, slog.New(slog.DiscardHandler)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func children(t *testing.T) Config {
	return Config{Dir: t.TempDir(), Child: []string{os.Args[0], "child"}, Stderr: os.Stderr, SegmentSize: 4 << 20}
}

// TestChildren starts a system in processes of its own, asks it with a verifying client, and sees that nothing is left.
func TestChildren(t *testing.T) {
	cfg := children(t)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.StartSystem(t.Context())
	if err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	c, err := client.Dial(t.Context(), client.Config{
		Address: e.Address, Exchange: e.Server, Identity: e.Identity, LogKey: e.LogKey, JournalKeys: e.JournalKeys,
	})
	if err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	before := samples(t, e)
	profile := filepath.Join(t.TempDir(), "cpu")
	if err := e.Processes[0].Profile(profile); err != nil {
		t.Error(err)
	}
	const calls = 20
	for i := range calls {
		a, err := c.Query(t.Context(), e.Requests[i])
		if err != nil {
			t.Fatal(errors.Join(err, s.Close()))
		}
		if n := len(a.Bytes()); n < 780 || n > 820 || a.Response.GetRowCount() != 1 || !a.Evidence.Pinned {
			t.Fatalf("answer %d: %d bytes, %d rows, %+v", i, n, a.Response.GetRowCount(), a.Evidence)
		}
	}
	if err := e.Processes[0].Profile(""); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
		t.Errorf("the profile: %v, %v", info, err)
	}
	after := samples(t, e)
	for i, p := range e.Processes {
		records, commits := after[i].Records-before[i].Records, after[i].Commits-before[i].Commits
		if !after[i].Own || after[i].CPU <= before[i].CPU || after[i].Memory <= 0 || records < calls || commits < 1 || commits > records {
			t.Errorf("%s: before %+v, after %+v", p.Name(), before[i], after[i])
		}
	}
	if err := errors.Join(c.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func samples(t *testing.T, e Endpoint) []Sample {
	t.Helper()
	var all []Sample
	for _, p := range e.Processes {
		s, err := p.Sample()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// TestChildGone: a child that was killed shows as an error, not as a run that hangs.
func TestChildGone(t *testing.T) {
	s, err := New(children(t))
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.StartPlain(t.Context(), SampleAnswer())
	if err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	p := e.Processes[0]
	if err := p.host.(*child).cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Sample(); err == nil {
		t.Error("a killed server still answers")
	}
	if _, err := p.Sample(); err == nil {
		t.Error("a killed server answers again")
	}
	if err := s.Close(); err == nil {
		t.Error("nobody tells that the server was killed")
	}
}

// TestChildFails: what keeps a child from starting reaches its parent.
func TestChildFails(t *testing.T) {
	cfg := children(t)
	cfg.Stderr = io.Discard
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if p, err := s.start(t.Context(), "janitor"); p != nil || err == nil {
		t.Errorf("started %v, %v", p, err)
	}
	cfg.Child = []string{filepath.Join(t.TempDir(), "no-such-program")}
	if s, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.StartPlain(t.Context(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestServeRefuses: a role that does not exist, and a directory that is no stage.
func TestServeRefuses(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.DiscardHandler)
	if err := Serve(t.Context(), "exchange", t.TempDir(), &bytes.Buffer{}, &out, logger); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	s, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := Serve(t.Context(), "janitor", s.Dir(), &bytes.Buffer{}, &out, logger); !errors.Is(err, errRole) {
		t.Errorf("got %v", err)
	}
}

func TestRequests(t *testing.T) {
	all, err := Requests()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, r := range all {
		if n := proto.Size(r); n != requestBytes {
			t.Fatalf("question %d has %d bytes", i, n)
		}
		seen[r.GetParameters()["id_number"]] = true
	}
	if len(seen) != questions {
		t.Errorf("%d questions about %d people", len(all), len(seen))
	}
	if n := len(SampleAnswer()); n != 800 {
		t.Errorf("the sample answer has %d bytes", n)
	}
}
