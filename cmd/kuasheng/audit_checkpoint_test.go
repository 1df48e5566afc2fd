package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// TestRejectedCheckpoint has the log contradict a checkpoint that it signed: both must be there afterwards, and only then.
func TestRejectedCheckpoint(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, e *clienttest.Exchange, path string)
		told   string
		saved  bool
	}{
		{"rewritten at the same size", func(_ *testing.T, e *clienttest.Exchange, _ string) { e.Log.Rewrite() }, "DOES NOT EXTEND", true},
		{"rewritten and grown", func(t *testing.T, e *clienttest.Exchange, _ string) { e.Log.Rewrite(); grow(t, e.Log, 2) }, "DOES NOT EXTEND", true},
		{"empty file", func(t *testing.T, _ *clienttest.Exchange, path string) { write(t, path, nil) }, "says nothing about the log", false},
		{"garbage", func(t *testing.T, _ *clienttest.Exchange, path string) { write(t, path, []byte("x\ny\n")) }, "says nothing about the log", false},
		{"another log's", func(t *testing.T, e *clienttest.Exchange, path string) {
			other := clienttest.NewLog(t, e.Log.Origin())
			grow(t, other, 1)
			keep(t, other, path)
		}, "says nothing about the log", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := clienttest.New(t)
			t.Setenv(profileEnv, newProfiles(t, e)["AUDITOR"])
			path := filepath.Join(t.TempDir(), "kept")
			grow(t, e.Log, 3)
			command(t, 0, "audit", "checkpoint", "--remember", path)
			tt.change(t, e, path)
			kept := read(t, path)
			stdout, stderr := command(t, 1, "audit", "checkpoint", "--remember", path)
			if !strings.Contains(stderr, tt.told) || strings.Contains(stderr, "answer") || stdout != "" {
				t.Errorf("printed %q, told:\n%s", stdout, stderr)
			}
			if !bytes.Equal(read(t, path), kept) {
				t.Error("the kept checkpoint was changed")
			}
			rejected, err := filepath.Glob(path + ".rejected-*")
			if err != nil || len(rejected) == 1 != tt.saved {
				t.Fatalf("saved %q, %v, want %v", rejected, err, tt.saved)
			}
			if !tt.saved {
				return
			}
			shown := read(t, rejected[0])
			key, err := translog.NewVerifier(e.Log.Key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := translog.OpenCheckpoint(shown, key); err != nil {
				t.Errorf("what was saved is no evidence: %v", err)
			}
			for _, signed := range [][]byte{kept, shown} {
				if !strings.Contains(stderr, string(signed)) {
					t.Errorf("a checkpoint is not printed so that it can be copied out:\n%s", stderr)
				}
			}
		})
	}
}

// TestRejectedNotSaved has no place for the new checkpoint: it must at least be printed.
func TestRejectedNotSaved(t *testing.T) {
	e := clienttest.New(t)
	t.Setenv(profileEnv, newProfiles(t, e)["AUDITOR"])
	grow(t, e.Log, 1)
	// So long a name that nothing fits behind it.
	path := filepath.Join(t.TempDir(), strings.Repeat("k", 250))
	keep(t, e.Log, path)
	e.Log.Rewrite()
	shown, err := e.Log.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	_, stderr := command(t, 1, "audit", "checkpoint", "--remember", path)
	if !strings.Contains(stderr, "NOT SAVED") || !strings.Contains(stderr, string(shown)) {
		t.Errorf("the evidence is lost:\n%s", stderr)
	}
}

// TestUnprovenCheckpoint has the exchange refuse the proof: that must leave a trace as well. A command that was ended has learnt nothing.
func TestUnprovenCheckpoint(t *testing.T) {
	for _, tt := range []struct {
		cause, want error
		saved       int
	}{
		{status.Error(codes.Unavailable, "later"), errUnproven, 1},
		{status.Error(codes.Internal, ""), errUnproven, 1},
		{fmt.Errorf("asking: %w", context.Canceled), context.Canceled, 0},
	} {
		path := filepath.Join(t.TempDir(), "kept")
		cmd := &cobra.Command{}
		cmd.SetErr(io.Discard)
		if err := reject(cmd, path, []byte("a\n"), []byte("b\n"), tt.cause); !errors.Is(err, tt.want) || errors.Is(err, errHistory) {
			t.Errorf("%v becomes %v", tt.cause, err)
		}
		if saved, err := filepath.Glob(path + ".rejected-*"); err != nil || len(saved) != tt.saved {
			t.Errorf("%v saves %q, %v", tt.cause, saved, err)
		}
	}
}

func grow(t *testing.T, l *clienttest.Log, n int) {
	t.Helper()
	for range n {
		if _, err := l.Append(clienttest.SampleRecord); err != nil {
			t.Fatal(err)
		}
	}
}

// keep writes a log's checkpoint as if it had been kept.
func keep(t *testing.T, l *clienttest.Log, path string) {
	t.Helper()
	signed, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, signed)
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
