package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/cmd/kuasheng/bench"
	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
)

// TestBenchUsage: what cannot be measured is said before anything is started or asked.
func TestBenchUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing":             {nil, "--self"},
		"both":                {[]string{"--self", "--resource", "r", "--field", "f", "--purpose", "p", "--basis", "consent", "--item", "000117005001"}, "not known: --address"},
		"no question":         {[]string{"--resource", "r"}, "--purpose is missing"},
		"source of no system": {[]string{"--direct", "--direct-source"}, "--direct-source"},
		"no callers":          {[]string{"--self", "--callers", "0"}, "--callers"},
		"unknown output":      {[]string{"--self", "-o", "xml"}, "--output"},
		"too short":           {[]string{"--self", "--duration", "1ms"}, "--duration"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range settings() {
				t.Setenv(s.env, "")
			}
			t.Setenv(profileEnv, "")
			cmd := newBenchCommand()
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			cmd.SetArgs(append([]string{}, c.args...))
			cmd.SetOut(&bytes.Buffer{})
			cmd.SetErr(&bytes.Buffer{})
			err := cmd.ExecuteContext(t.Context())
			if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want a usage error about %q", err, c.want)
			}
		})
	}
}

// TestBenchRunning measures an exchange that was there before, with the flags that people use.
func TestBenchRunning(t *testing.T) {
	e := clienttest.New(t)
	who := e.Identity(t, clienttest.CallerDomain, certs.RoleApplication, "housing-portal")
	args := []string{
		"--address", e.Address, "--exchange-id", e.ID.String(), "--svid", who.SVID, "--key", who.Key, "--bundle", who.Bundles[clienttest.ExchangeDomain],
		"--log-key", e.Log.Key, "--pin-journal", e.Journal.Key, "--resource", clienttest.Resource, "--field", "name", "--param-file", "-",
		"--purpose", "housing-loan-review", "--basis", "consent", "--item", "000117005001",
		"--callers", "2", "--duration", "200ms", "--warmup", "0", "--rounds", "1", "--verify", "5", "-o", "json",
	}
	var out, logs bytes.Buffer
	cmd := newBenchCommand()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader("id_number=51010018800101001X\n"))
	cmd.SetOut(&out)
	cmd.SetErr(&logs)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 1 || report.Results[0].Verified == 0 || len(report.Results[0].Errors) != 0 {
		t.Errorf("%+v", report.Results)
	}
	if strings.Contains(out.String()+logs.String(), "51010018800101001X") {
		t.Error("the parameter stands in the output")
	}
}

// TestBenchShow prints one report in every format.
func TestBenchShow(t *testing.T) {
	r := &bench.Report{
		Results:     []bench.Result{{Callers: 16, Lane: "exchange", Errors: map[string]int64{"NODE_BUSY": 3}, Processes: []bench.Usage{{Name: "node"}}}},
		Comparisons: []bench.Comparison{{Callers: 16, To: "direct"}},
	}
	for format, want := range map[string]string{"table": "NODE_BUSY 3", "json": `"NODE_BUSY": 3`, "markdown": "| NODE_BUSY 3 |"} {
		var out bytes.Buffer
		if err := showBench(&out, format, r); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, lacks %q:\n%s", format, err, want, out.String())
		}
	}
	if answered(r) || !answered(&bench.Report{Results: []bench.Result{{}, {Answers: 1}}}) {
		t.Error("a report without answers passes for one with, or the other way round")
	}
}
