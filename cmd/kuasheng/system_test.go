package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kuasheng/kuasheng/exchange/client"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
)

// TestRealSystem runs commands against a real exchange and a real node: what the scripts try on a fake must hold on the servers.
func TestRealSystem(t *testing.T) {
	sys := harness.Start(t, nil)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example", "one")
	henan.Run("one", "")
	for code, fields := range map[string][]string{harness.Resource: {"account_no", "balance"}, harness.Bulk: {"seq", "note"}} {
		sys.Grant(henan, &grantv1.Grant{Resource: henan.ResourceName(code), Requester: zhejiang.AppID("portal"), Fields: fields})
	}
	app, auditor := sys.Identity(zhejiang.CA, zhejiang.AppID("portal")), sys.Identity(henan.CA, "spiffe://henan.example/auditor/wang")
	command := func(stdin string, want int, args ...string) (stdout, stderr string) {
		t.Helper()
		who := app
		if args[0] == "audit" {
			who = auditor
		}
		args = append(args, "--address", sys.Address, "--exchange-id", "spiffe://"+harness.Domain+"/exchange",
			"--svid", who.SVID, "--key", who.Key, "--bundle", who.Bundles[harness.Domain], "--log-key", sys.LogKey)
		var out, errOut bytes.Buffer
		if got := run(t.Context(), args, strings.NewReader(stdin), &out, &errOut); got != want {
			t.Fatalf("%v: exit status %d, want %d\n%s%s", args[:3], got, want, out.String(), errOut.String())
		}
		return out.String(), errOut.String()
	}
	holds := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	why := []string{"--purpose", "housing-loan-review", "--basis", "statutory-duty", "--item", "11510000MB0D00512U2000117005001", "--case", "HZ-1"}
	query := append([]string{"query", henan.ResourceName(harness.Resource), "--field", "account_no", "--field", "balance", "--param-file", "-"}, why...)

	out, told := command("id_number="+harness.PersonA, 0, query...)
	holds(out, "A-0001      12345678901234567890.12")
	holds(told, "verified: answer is on record")
	_, told = command("id_number=1", 1, query...)
	holds(told, "PARAMETER_INVALID")
	holds(told, "on record as")
	_, told = command("id_number="+harness.PersonA, 1, append(query, "--field", "name")...)
	holds(told, "FIELD_NOT_GRANTED")
	holds(told, "信息项超出授权范围")

	file := filepath.Join(t.TempDir(), "ledger.jsonl")
	out, _ = command("", 0, append([]string{"query", "export", henan.ResourceName(harness.Bulk), "--out", file, "--field", "seq", "--field", "note"}, why...)...)
	holds(out, "rows    5000")
	whole, err := os.ReadFile(file)
	if err != nil || bytes.Count(whole, []byte("\n")) != 5000 {
		t.Errorf("%d bytes, %v", len(whole), err)
	}
	resumes(t, zhejiang.App("portal"), henan.ResourceName(harness.Bulk), whole)

	out, _ = command("", 0, "audit", "list", "--resource", henan.ResourceName(harness.Resource))
	holds(out, "FIELD_NOT_GRANTED")
	holds(out, "permitted  answered")
	_, told = command("", 0, "audit", "get", "accesses/0")
	holds(told, "verified: accesses/0 is on record")
	kept := filepath.Join(t.TempDir(), "checkpoint")
	command("", 0, "audit", "checkpoint", "--remember", kept)
	command("id_number="+harness.PersonB, 0, query...)
	_, told = command("", 0, "audit", "checkpoint", "--remember", kept)
	holds(told, "extends the checkpoint kept")
}

// resumes cuts an export after its first run of rows and goes on.
func resumes(t *testing.T, c *client.Client, resource string, want []byte) {
	t.Helper()
	req := &queryv1.ExportResourceRequest{Resource: resource, Fields: []string{"seq", "note"}, Purpose: harness.Purpose()}
	var got bytes.Buffer
	full := errors.New("disk full")
	_, err := c.Export(t.Context(), req, func(rows []byte, _ int64) error {
		if got.Len() > 0 {
			return full
		}
		got.Write(rows)
		return nil
	})
	var cut *client.CutError
	if !errors.As(err, &cut) || !errors.Is(err, full) {
		t.Fatalf("error = %v", err)
	}
	r, err := c.Resume(t.Context(), req, cut.Part, bytes.NewReader(bytes.Clone(got.Bytes())), func(rows []byte, _ int64) error { got.Write(rows); return nil })
	if err != nil || !bytes.Equal(got.Bytes(), want) || r.Rows != 5000 {
		t.Errorf("resumed to %d bytes, want %d: %v", got.Len(), len(want), err)
	}
}
