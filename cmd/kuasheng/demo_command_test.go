package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLongFlags holds that -once is --once, and that a single letter stays what it is.
func TestLongFlags(t *testing.T) {
	got := longFlags([]string{"-once", "-dir", "x-y", "--port", "7", "-h", "-", "-dir=z"})
	want := []string{"--once", "--dir", "x-y", "--port", "7", "-h", "-", "--dir=z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDemoUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int
		says string
	}{
		{[]string{"demo", "-h"}, 0, "demo.json"},
		{[]string{"demo", "--help"}, 0, "Exit status"},
		{[]string{"demo", "-twice"}, exitUsage, "twice"},
		{[]string{"demo", "here"}, exitUsage, "no arguments"},
		{[]string{"demo", "--port", "70000"}, exitUsage, "65534"},
		{[]string{"demo", "-once", "-people", "3"}, exitUsage, "10 to"},
		{[]string{"__complete", "demo", "--o"}, 0, "--once"},
	} {
		var stdout, stderr bytes.Buffer
		got := run(t.Context(), c.args, strings.NewReader(""), &stdout, &stderr)
		if told := stdout.String() + stderr.String(); got != c.want || !strings.Contains(told, c.says) {
			t.Errorf("%v: exit status %d, want %d, and %q in\n%s", c.args, got, c.want, c.says, told)
		}
	}
}

// watched tells when a text was written.
type watched struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
	want string
	seen chan struct{}
	once sync.Once
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.text.Write(p)
	if strings.Contains(w.text.String(), w.want) {
		w.once.Do(func() { close(w.seen) })
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// TestDemoCommands runs the commands of this command line that the demo shows, while it is up, and stops it.
func TestDemoCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, errs := &watched{want: "# Refused", seen: make(chan struct{})}, &watched{want: "never", seen: make(chan struct{})}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "-dir", dir, "--people", "40", "--enterprises", "20"}, strings.NewReader(""), out, errs)
	}()
	select {
	case <-out.seen:
	case status := <-ended:
		t.Fatalf("the demo ended with %d:\n%s\n%s", status, out, errs)
	case <-time.After(time.Minute):
		t.Fatalf("the demo does not come up:\n%s\n%s", out, errs)
	}
	for _, c := range []struct {
		has    string // which of the commands shown
		status int
		says   string
	}{
		{"query provinces/410000", 0, "balance"},
		{"query export", 0, "rows"},
		{"audit list", 0, "accesses/"},
		{"exchange/data/accesslog/log", 0, "all of them"},
		{"/tampered", exitFailure, "is the first that is wrong"},
	} {
		args := shown(t, out.String(), dir, c.has)
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
		if told := stdout.String() + stderr.String(); status != c.status || !strings.Contains(told, c.says) {
			t.Errorf("%v: exit status %d, want %d, and %q in\n%s", args, status, c.status, c.says, told)
		}
	}
	stop()
	if status := <-ended; status != 0 {
		t.Errorf("the demo ended with %d:\n%s", status, errs)
	}
}

// shown finds the command that the demo shows, and takes it apart as a shell would.
func shown(t *testing.T, text, dir, has string) []string {
	t.Helper()
	party := filepath.Join(dir, "party", "zhejiang-app-housing-portal")
	text = os.Expand(strings.ReplaceAll(text, "$(date +%s)", "now"), func(name string) string {
		return map[string]string{"D": dir, "P": party}[name]
	})
	for command := range strings.SplitSeq(strings.ReplaceAll(text, " \\\n", " "), "\n") {
		program, rest, ok := strings.Cut(command, " ")
		if !strings.Contains(program, "test") && program != "go" || !ok || !strings.Contains(rest, has) {
			continue
		}
		rest = strings.TrimPrefix(rest, "run ./cmd/kuasheng ")
		rest, _, _ = strings.Cut(rest, "   #")
		return strings.Fields(strings.ReplaceAll(rest, `"`, ""))
	}
	t.Fatalf("no command with %q is shown", has)
	return nil
}
