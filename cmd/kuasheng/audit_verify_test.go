package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// signedLog makes a log of n records about operators of the given name under one key, and files with its checkpoints by size.
func signedLog(t *testing.T, secret, public, operator string, n int) (dir string, checkpoints []string) {
	t.Helper()
	signer, err := translog.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := translog.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "log")
	cfg := segment.Config{Dir: dir, Origin: verifier.Name(), Signer: signer, Verifier: verifier, SegmentSize: 8 << 20}
	if err := segment.Create(cfg); err != nil {
		t.Fatal(err)
	}
	log, err := segment.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	keep := func() {
		path := filepath.Join(t.TempDir(), "checkpoint")
		if err := os.WriteFile(path, log.Checkpoint(), 0o600); err != nil {
			t.Fatal(err)
		}
		checkpoints = append(checkpoints, path)
	}
	for i := range n {
		keep()
		r := evidence.NewRecord(time.Date(2026, 12, 1, 8, i, 0, 0, china()))
		r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{Operator: fmt.Sprintf("%s-%d", operator, i)}}
		b, err := evidence.EncodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := log.Append(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	keep()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, checkpoints
}

// TestAuditVerifyHistory gives "audit verify" two histories signed with one key, which only a kept checkpoint tells apart.
func TestAuditVerifyHistory(t *testing.T) {
	secret, public, err := translog.GenerateKey("exchange.example/access")
	if err != nil {
		t.Fatal(err)
	}
	truth, kept := signedLog(t, secret, public, "clerk", 9)
	rewritten, _ := signedLog(t, secret, public, "klerk", 9)
	broken := func(t *testing.T, change func(b []byte)) string {
		dir := filepath.Join(t.TempDir(), "log")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(truth, "segment-00000000"))
		if err != nil {
			t.Fatal(err)
		}
		change(b)
		if err := os.WriteFile(filepath.Join(dir, "segment-00000000"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	const page = 4096 // each commit of one record
	for _, tt := range []struct {
		name  string
		dir   string
		flags []string
		want  error
		hint  string // part of the output to people
	}{
		{"truth", truth, nil, nil, "compared with no checkpoint"},
		{"truth, all checkpoints", truth, []string{"--checkpoint", kept[0], "--checkpoint", kept[4], "--checkpoint", kept[9]}, nil, ""},
		{"rewritten, no checkpoint", rewritten, nil, nil, "compared with no checkpoint"},
		{"rewritten, last checkpoint", rewritten, []string{"--checkpoint", kept[9]}, segment.ErrContradicted, "history was rewritten"},
		{"rewritten, older checkpoint", rewritten, []string{"--checkpoint", kept[2]}, segment.ErrContradicted, "history was rewritten"},
		{"rewritten, both logs' proof", rewritten, []string{"--checkpoint", kept[2]}, translog.ErrFork, "the proof"},
		{"cut off", broken(t, func(b []byte) { clear(b[5*page:]) }), []string{"--checkpoint", kept[9]}, segment.ErrShort, "take a new copy"},
		{"nothing whole", broken(t, func(b []byte) { b[page+100]++; clear(b[2*page:]) }), nil, errNothing, "never finished a write"},
		{"file cut", broken(t, func(b []byte) { b[40]++ }), nil, segment.ErrCorrupt, "a whole file is wrong"},
		{"header lost", broken(t, func(b []byte) { b[3*page]++ }), nil, segment.ErrCorrupt, "record 2 or a later one of its commit"},
		{"later commits kept from sight", broken(t, func(b []byte) {
			for i := 4; i < 10; i++ {
				b[i*page]++
			}
		}), nil, segment.ErrCorrupt, "the first 3 records stand"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, shown, err := runVerify(t, append([]string{"--dir", tt.dir, "--key", public}, tt.flags...)...)
			if !errors.Is(err, tt.want) || (tt.want != nil && out != "") {
				t.Errorf("verify = %v, want %v\n%s", err, tt.want, out)
			}
			var hint hinted
			if errors.As(err, &hint) {
				shown += hint.hint
			}
			if !strings.Contains(shown, tt.hint) {
				t.Errorf("it says %q, want %q", shown, tt.hint)
			}
		})
	}

	// The times are those of the records, not of the files.
	out, _, err := runVerify(t, "--dir", truth, "--key", public, "--checkpoint", kept[4], "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		FirstRecordTime, LastRecordTime string
		ComparedSizes                   []int64
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.FirstRecordTime != "2026-12-01T08:00:00+08:00" || report.LastRecordTime != "2026-12-01T08:08:00+08:00" || len(report.ComparedSizes) != 1 || report.ComparedSizes[0] != 4 {
		t.Errorf("report = %+v", report)
	}
}

// runVerify runs "kuasheng audit verify" with arguments.
func runVerify(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := newAuditVerifyCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}
