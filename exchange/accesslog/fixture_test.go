package accesslog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
	"golang.org/x/mod/sumdb/note"
)

// fixture is a real log on disk and a model of what was written to it, by one goroutine, so that indexes are known beforehand.
type fixture struct {
	*testing.T
	key   string // of the log, both halves
	cfg   Config
	log   *Log
	now   time.Time
	wrote []entry
	rand  *rand.Rand
	// opened is how many records there were when the log was opened: accesses before it hold no slot any more.
	opened int64
}

// entry is the model of one record.
type entry struct {
	kind      string // "intent", "refused", "read", "outcome"
	time      time.Time
	requester string
	region    string
	resource  string
	grant     string
	origin    string
	replaces  bool
	of        int64 // intent of an outcome
	result    auditv1.Result
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), rand: rand.New(rand.NewPCG(1, 2))}
	signerKey, verifierKey, err := translog.GenerateKey("exchange.example/log")
	if err != nil {
		t.Fatal(err)
	}
	f.key = signerKey + " " + verifierKey
	signer, verifier := keys(t, f.key)
	f.cfg = Config{
		Dir: t.TempDir(), Signer: signer, Verifier: verifier, SegmentSize: 4 << 20,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return f.now },
	}
	if err := Create(f.cfg); err != nil {
		t.Fatal(err)
	}
	f.open()
	t.Cleanup(func() { f.close() })
	return f
}

// keys reads a signer key made for the test and finds its verifier.
func keys(t testing.TB, key string) (note.Signer, note.Verifier) {
	t.Helper()
	signerKey, verifierKey, _ := strings.Cut(key, " ")
	s, err := translog.NewSigner(signerKey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := translog.NewVerifier(verifierKey)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func (f *fixture) open() {
	f.Helper()
	var err error
	if f.log, err = Open(f.cfg); err != nil {
		f.Fatal(err)
	}
	f.opened = f.log.Size()
}

func (f *fixture) close() {
	f.Helper()
	if f.log == nil {
		return
	}
	if err := f.log.Close(); err != nil {
		f.Error(err)
	}
	f.log = nil
}

func (f *fixture) reopen() {
	f.Helper()
	f.close()
	f.open()
}

// write puts an entry on record without waiting, and returns its index.
func (f *fixture) write(e entry) int64 {
	f.Helper()
	e.time = f.now
	caller := &auditv1.Caller{SpiffeId: e.requester, CertificateSerial: "01", Region: e.region}
	switch e.kind {
	case "intent":
		f.check(f.log.Begin())
		f.check(f.log.Intent(e.intent(caller), nil))
	case "refused":
		_, err := f.log.Refuse(context.Background(), e.intent(caller))
		f.check(err)
	case "read":
		_, err := f.log.Read(context.Background(), &auditv1.AuditRead{Caller: caller, Method: "/m", Verdict: auditv1.Verdict_VERDICT_PERMITTED})
		f.check(err)
	case "outcome":
		o := &auditv1.Outcome{IntentIndex: e.of, Result: e.result}
		if f.wrote[e.of].result == 0 && e.of >= f.opened {
			f.log.Outcome(o)
		} else {
			f.log.LateOutcome(o)
		}
		f.wrote[e.of].result = e.result
	}
	f.wrote = append(f.wrote, e)
	return int64(len(f.wrote)) - 1
}

func (e entry) intent(caller *auditv1.Caller) *auditv1.Intent {
	i := &auditv1.Intent{
		Caller: caller, Method: "/kuasheng.query.v1.QueryService/QueryResource", Verdict: auditv1.Verdict_VERDICT_PERMITTED,
		Resource: e.resource, Grant: e.grant, JournalOrigin: e.origin, Fields: []string{"name", "status"},
	}
	if e.replaces {
		i.ReplacesPlusOne = 1
	}
	return i
}

// settle waits until everything written is durable.
func (f *fixture) settle() {
	f.Helper()
	f.write(entry{kind: "read", requester: "spiffe://hunan.example/auditor/settler", region: "430000"})
	if got, want := f.log.Size(), int64(len(f.wrote)); got != want {
		f.Fatalf("log has %d records, model %d", got, want)
	}
}

func (f *fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// random writes n records that touch few parties, so that every combination occurs, under a clock that jumps, back too.
func (f *fixture) random(n int) {
	f.Helper()
	regions := []string{"410000", "330000", "440000"}
	for range n {
		f.now = f.now.Add(time.Duration(f.rand.IntN(3000)-200) * time.Millisecond)
		if f.rand.IntN(100) == 0 {
			f.now = f.now.Add(time.Duration(f.rand.IntN(50)-20) * time.Hour)
		}
		region := regions[f.rand.IntN(len(regions))]
		e := entry{
			kind: "intent", region: region, requester: fmt.Sprintf("spiffe://p%s.example/app/a%d", region, f.rand.IntN(2)),
			resource: fmt.Sprintf("provinces/%s/resources/307510000001-%06d", regions[f.rand.IntN(len(regions))], f.rand.IntN(2)),
			grant:    fmt.Sprintf("grants/%d", f.rand.IntN(3)), origin: fmt.Sprintf("node%d.example/journal", f.rand.IntN(2)),
			replaces: f.rand.IntN(10) == 0,
		}
		switch f.rand.IntN(10) {
		case 0:
			e.kind = "read"
			e.resource, e.grant, e.origin = "", "", ""
		case 1:
			e.kind = "refused"
			if f.rand.IntN(2) == 0 {
				e.resource = []string{"", "provinces/999999/resources/x", "nonsense"}[f.rand.IntN(3)]
			}
		case 2, 3, 4, 5:
			if of := f.anIntent(); of >= 0 {
				results := []auditv1.Result{auditv1.Result_RESULT_ANSWERED, auditv1.Result_RESULT_INTERRUPTED, auditv1.Result_RESULT_REPLACED, auditv1.Result_RESULT_RECOVERED_ANSWERED}
				e = entry{kind: "outcome", of: of, result: results[f.rand.IntN(len(results))]}
			}
		}
		f.write(e)
	}
	f.settle()
}

// anIntent picks a permitted intent among the last ones that is open or interrupted, or -1.
func (f *fixture) anIntent() int64 {
	for i := len(f.wrote) - 1; i >= 0 && i > len(f.wrote)-400; i-- {
		e := f.wrote[i]
		if e.kind == "intent" && (e.result == 0 || e.result == auditv1.Result_RESULT_INTERRUPTED) && f.rand.IntN(3) == 0 {
			return int64(i)
		}
	}
	return -1
}

// copyDir copies a directory as a crash would leave it.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	}); err != nil {
		t.Fatal(err)
	}
}
