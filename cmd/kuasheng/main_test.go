package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kuasheng": main})
}

// TestScript runs each script of testdata/script with the real command, against a fake exchange of its own. The scripts find in their environment:
//
//	APP, OPERATOR, ADMIN, AUDITOR   profiles
//	LOGDIR, TAMPERED, LOGDIRKEY     a log of 300 records, a copy whose record 217 is altered, and its key
//	RESOURCE, LOGKEY, JOURNALKEY    of the fake exchange
//	CHECK                           flags of an honest question
func TestScript(t *testing.T) {
	logs := newLogs(t)
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			e := clienttest.New(t)
			if strings.Contains(file, "export") {
				exportRows(e)
			}
			profiles := newProfiles(t, e)
			testscript.Run(t, testscript.Params{Files: []string{file}, Cmds: commands(), Setup: func(env *testscript.Env) error {
				for name, path := range profiles {
					env.Setenv(name, path)
				}
				for name, value := range logs {
					env.Setenv(name, value)
				}
				env.Setenv("RESOURCE", clienttest.Resource)
				env.Setenv("LOGKEY", e.Log.Key)
				env.Setenv("JOURNALKEY", e.Journal.Key)
				env.Setenv("ADDRESS", e.Address)
				return nil
			}})
		})
	}
}

// exportRows makes an export that is cut once.
func exportRows(e *clienttest.Exchange) {
	e.Rows, e.CutAfter = nil, 400
	for i := range 1000 {
		e.Rows = append(e.Rows, map[string]string{"name": fmt.Sprintf("n%d", i), "deposit": fmt.Sprint(i)})
	}
}

// newProfiles writes a profile for each role.
func newProfiles(t *testing.T, e *clienttest.Exchange) map[string]string {
	t.Helper()
	dir := t.TempDir()
	profiles := map[string]string{}
	for name, who := range map[string]certs.Files{
		"APP":      e.Identity(t, clienttest.CallerDomain, certs.RoleApplication, "housing-portal"),
		"OPERATOR": e.Identity(t, clienttest.ProviderDomain, certs.RoleOperator, "clerk"),
		"ADMIN":    e.Identity(t, clienttest.ExchangeDomain, certs.RoleAdmin, "root"),
		"AUDITOR":  e.Identity(t, clienttest.ProviderDomain, certs.RoleAuditor, "wang"),
	} {
		path := filepath.Join(dir, name+".yaml")
		text := fmt.Sprintf("address: %s\nexchange_id: %s\nsvid: %s\nkey: %s\nbundle: %s\nlog_key: %s\n",
			e.Address, e.ID, who.SVID, who.Key, who.Bundles[clienttest.ExchangeDomain], e.Log.Key)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		profiles[name] = path
	}
	return profiles
}

// newLogs makes a log on disk and a copy with one bit of one record turned.
func newLogs(t *testing.T) map[string]string {
	t.Helper()
	const name, marked = "exchange.example/log", 217
	secret, public, err := translog.GenerateKey(name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := translog.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "log")
	cfg := segment.Config{Dir: dir, Origin: name, Signer: signer, Verifier: verifier}
	if err := segment.Create(cfg); err != nil {
		t.Fatal(err)
	}
	log, err := segment.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		r := evidence.NewRecord(clock())
		r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{Operator: fmt.Sprintf("operator-%d", i)}}
		b, err := evidence.EncodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := log.Append(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	longer := log.Checkpoint()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(checkpoint, longer, 0o600); err != nil {
		t.Fatal(err)
	}
	tampered := filepath.Join(t.TempDir(), "log")
	if err := os.CopyFS(tampered, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(tampered, "segment-00000000")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, fmt.Appendf(nil, "operator-%d", marked))
	if at < 0 {
		t.Fatal("the marked record is not in the segment")
	}
	data[at] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"LOGDIR": dir, "TAMPERED": tampered, "LOGDIRKEY": public, "CHECKPOINT": checkpoint}
}

// commands are the scripts' own: "usage" and "fails" run a command that must end with 2 and 1, "tear" leaves half a row at the end of a file, "alter"
// turns one bit of its first value.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	ends := func(want int) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, _ bool, args []string) {
			err := ts.Exec(args[0], args[1:]...)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != want {
				ts.Fatalf("exit status is not %d: %v\nstdout: %s\nstderr: %s", want, err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
			}
		}
	}
	return map[string]func(*testscript.TestScript, bool, []string){
		"usage": ends(exitUsage),
		"fails": ends(exitFailure),
		"alter": func(ts *testscript.TestScript, _ bool, args []string) {
			data := []byte(ts.ReadFile(args[0]))
			data[len(`{"name":"`)] ^= 1
			ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
		},
		"tear": func(ts *testscript.TestScript, _ bool, args []string) {
			f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
			ts.Check(err)
			_, err = f.WriteString(`{"name":"ha`)
			ts.Check(errors.Join(err, f.Close()))
		},
	}
}
