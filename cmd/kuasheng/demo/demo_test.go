package demo

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// small is a demo that takes a few seconds.
func small(dir string, out *bytes.Buffer) Config {
	return Config{Dir: dir, Once: true, People: 40, Enterprises: 20, Program: "kuasheng", Out: out}
}

// run runs a demo that must behave, and returns what it told.
func run(t *testing.T, cfg Config, out *bytes.Buffer) string {
	t.Helper()
	if err := Run(t.Context(), cfg); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out.String()
}

// TestScenario plays the whole scenario twice in one folder: the second start must take everything over.
func TestScenario(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		// Badger's dependency starts it when it is loaded.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
	dir := filepath.Join(t.TempDir(), "demo")
	out := &bytes.Buffer{}
	first := run(t, small(dir, out), out)
	for _, want := range []string{
		"[10/10]", "NO_GRANT", "FIELD_NOT_GRANTED", "PURPOSE_NOT_GRANTED", "GRANT_EXPIRED", "QUOTA_PER_DAY_EXCEEDED", "POLICY_DENIED",
		"refused by henan.example", "2 of 2 queries a day were left", "(masked 脱敏)", "64 answers, all proven", "found out: record", "Every step behaved",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the first start does not tell %q", want)
		}
	}
	for line := range strings.Lines(first) {
		if w := width(strings.TrimSuffix(line, "\n")); w > columns && !strings.Contains(line, dir) {
			t.Errorf("%d columns wide: %s", w, line)
		}
	}
	before := checkManifest(t, dir)

	out.Reset()
	second := run(t, small(dir, out), out)
	for _, want := range []string{"Everything of the last start", "7 of them are of an earlier start", "0 of 2 queries a day were left", "Every step behaved"} {
		if !strings.Contains(second, want) {
			t.Errorf("the second start does not tell %q", want)
		}
	}
	after := checkManifest(t, dir)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("demo.json changed with the second start:\n%s", diff)
	}
	checkSecrecy(t, dir, after, first+second)
}

// checkManifest holds that demo.json says what is there.
func checkManifest(t *testing.T, dir string) *Manifest {
	t.Helper()
	m, err := readManifest(filepath.Join(dir, manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	files := []string{m.Exchange.Config, m.Exchange.Bundle, m.Exchange.LogDir}
	for _, p := range m.Provinces {
		files = append(files, p.Config, p.Bundle, p.JournalDir)
		if len(p.People) != 10 || len(p.Enterprises) != 10 || len(p.Resources) != 5 || p.Region == "" || p.JournalKey == "" {
			t.Errorf("%s is incomplete: %d people, %d enterprises, %d resources", p.Domain, len(p.People), len(p.Enterprises), len(p.Resources))
		}
	}
	for name, p := range m.Parties {
		files = append(files, p.SVID, p.Key, p.Profile)
		if p.ID == "" {
			t.Errorf("party %s has no ID", name)
		}
	}
	for _, q := range m.Questions {
		files = append(files, q.Body, q.Params)
	}
	for _, path := range files {
		if _, err := os.Stat(path); err != nil || !filepath.IsAbs(path) {
			t.Errorf("demo.json names %q: %v", path, err)
		}
	}
	if len(m.Provinces) != 3 || len(m.Grants) != len(permissions()) || len(m.Questions) != 4 || len(m.Parties) != len(parties()) {
		t.Errorf("demo.json has %d provinces, %d grants, %d questions, %d parties", len(m.Provinces), len(m.Grants), len(m.Questions), len(m.Parties))
	}
	expired, forged := leaf(t, m.Refused["expired"].SVID), leaf(t, m.Refused["forged"].SVID)
	if expired.NotAfter.After(time.Now()) {
		t.Error("the expired SVID has not expired")
	}
	if forged.URIs[0].String() != m.Refused["forged"].ID || forged.CheckSignatureFrom(leaf(t, m.Provinces[henanKey].Bundle)) != nil {
		t.Error("the forged SVID is not a Zhejiang ID signed by Henan")
	}
	return m
}

func leaf(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// checkSecrecy holds that no identity number stands in what the servers keep or tell, other than in the departments' databases.
func checkSecrecy(t *testing.T, dir string, m *Manifest, told string) {
	t.Helper()
	var numbers []string
	for _, p := range m.Provinces {
		for _, one := range p.People {
			numbers = append(numbers, one.IDNumber)
		}
	}
	leaks := func(text string) bool {
		return slices.ContainsFunc(numbers, func(n string) bool { return strings.Contains(text, n) })
	}
	if leaks(told) {
		t.Error("the narration tells an identity number")
	}
	for _, place := range []string{"server.log", "exchange", "henan/data", "zhejiang/data", "guangdong/data", "tampered"} {
		err := filepath.WalkDir(filepath.Join(dir, place), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if leaks(string(data)) {
				t.Errorf("%s holds an identity number", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestManifestSchema holds the names that scripts rely on.
func TestManifestSchema(t *testing.T) {
	m := &Manifest{
		Version: manifestVersion, Provinces: map[string]ProvinceEntry{"henan": {}}, Parties: map[string]PartyEntry{"henan/app/a": {Profile: "p"}},
		Refused: map[string]PartyEntry{"expired": {}}, Grants: map[string]GrantEntry{"g": {}}, Questions: map[string]QuestionEntry{"g": {}},
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	names := func(path ...string) string {
		v := all
		for _, p := range path {
			v = v[p].(map[string]any)
		}
		var list []string
		for k := range v {
			list = append(list, k)
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	for _, c := range []struct {
		path []string
		want string
	}{
		{nil, "enterprises exchange grants grpc parties people provinces questions refused rest version"},
		{[]string{"exchange"}, "bundle config id log_dir log_key"},
		{[]string{"provinces", "henan"}, "bundle config domain enterprises journal_dir journal_key name_en name_zh people region resources rows"},
		{[]string{"parties", "henan/app/a"}, "id key profile svid"},
		{[]string{"refused", "expired"}, "id key svid"},
		{[]string{"grants", "g"}, "fields item name purpose requester resource"},
		{[]string{"questions", "g"}, "body params party resource"},
	} {
		if got := names(c.path...); got != c.want {
			t.Errorf("%v has %q, want %q", c.path, got, c.want)
		}
	}
}

// TestFolder holds that nothing but a demo's own folder is used.
func TestFolder(t *testing.T) {
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	strange := t.TempDir()
	if err := os.WriteFile(filepath.Join(strange, manifestFile), []byte(`{"version":1,"surprise":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	later := t.TempDir()
	if err := os.WriteFile(filepath.Join(later, manifestFile), []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{other, strange, later} {
		if _, err := openFolder(dir); !errors.Is(err, errFolder) {
			t.Errorf("opening %s: %v, want %v", dir, err, errFolder)
		}
	}
	f, err := openFolder("")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
}

// TestInterrupted holds that a demo that is stopped early leaves nothing running and nothing behind.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &bytes.Buffer{}
	cfg := small("", out)
	cfg.Progress = func(int64, string) Progress {
		return Progress{At: func(int64) { cancel() }, Finish: func() {}}
	}
	if err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
}
