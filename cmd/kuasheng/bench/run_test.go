package bench

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/cmd/kuasheng/bench/stage"
	"github.com/kuasheng/kuasheng/exchange/client"
	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

// brief is a configuration that lasts a moment.
func brief() Config {
	return Config{
		Callers: []int{4}, Connections: 2, Duration: 200 * time.Millisecond, Warmup: 50 * time.Millisecond, Rounds: 1, MaxCalls: 1_000_000, Verify: 10,
		Timeout: 10 * time.Second,
	}
}

// TestSelf runs the whole thing in this process: exchange, node and both plain servers, two rounds in turns.
func TestSelf(t *testing.T) {
	cfg := brief()
	cfg.Self, cfg.Plain, cfg.PlainSource = true, true, true
	cfg.Duration, cfg.Rounds = time.Second, 2
	cfg.Stage = stage.Config{Dir: t.TempDir(), SegmentSize: 4 << 20}
	var order []string
	cfg.Progress = func(_, _ time.Duration, what string) { order = append(order, what) }
	report, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 3 || len(report.Comparisons) != 2 {
		t.Fatalf("%d results and %d comparisons, want 3 and 2", len(report.Results), len(report.Comparisons))
	}
	for _, r := range report.Results {
		l := r.Latency
		ascending := l.P50 > 0 && slices.IsSorted([]float64{l.P50, l.P90, l.P99, l.P999, l.Max})
		if r.Callers != 4 || r.Answers < 20 || len(r.Errors) != 0 || !ascending || r.Seconds < 0.9 || r.ResponseBytes < 780 {
			t.Errorf("%+v", r)
		}
		// What four callers get done follows from how long they wait (Little's law), roughly.
		if done := r.CallsPerSecond * l.P50 / 1e6; done > 4.5 {
			t.Errorf("%s: %.0f calls/s at a median of %.0f µs are %.1f callers", r.Lane, r.CallsPerSecond, l.P50, done)
		}
	}
	x := report.Results[0]
	if x.Lane != laneExchange || x.Verified == 0 {
		t.Errorf("first lane %s with %d verified answers", x.Lane, x.Verified)
	}
	exchange, node, self := x.Processes[0], x.Processes[1], x.Processes[2]
	perCall := func(records float64) float64 { return records / x.CallsPerSecond }
	if n := perCall(exchange.RecordsPerSecond); n < 1.8 || n > 2.2 {
		t.Errorf("%.2f records in the access log per call, want intent and outcome", n)
	}
	if n := perCall(node.RecordsPerSecond); n < 0.9 || n > 1.1 {
		t.Errorf("%.2f records in the journal per call, want the answer", n)
	}
	if exchange.RecordsPerCommit < 1 || node.RecordsPerCommit < 1 || self.CPUPerCall <= 0 || self.Memory <= 0 || exchange.CPUPerCall != 0 {
		t.Errorf("costs: %+v", x.Processes)
	}
	want := []string{"exchange", "direct", "direct+source", "direct+source", "direct", "exchange"}
	for i, w := range want {
		if order[i] != "4 callers, "+w {
			t.Errorf("turns were %q, want %q", order, want)
			break
		}
	}
	if m := report.Messages; m.RequestBytes != 400 || m.AnswerBytes < 780 || m.AnswerBytes > 820 {
		t.Errorf("messages: %+v", m)
	}
	checkJSON(t, report)
	if s := report.Summary() + report.Tables()[0].Title; !strings.Contains(s, "400 bytes") {
		t.Errorf("summary: %s", s)
	}
}

// checkJSON holds the names that scripts rely on.
func checkJSON(t *testing.T, report *Report) {
	t.Helper()
	b, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Environment map[string]any
		Settings    map[string]any
		Results     []map[string]any
		Comparisons []map[string]any
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	has := func(m map[string]any, names ...string) {
		t.Helper()
		for _, n := range names {
			if _, ok := m[n]; !ok {
				t.Errorf("JSON lacks %q in %v", n, m)
			}
		}
	}
	has(got.Environment, "go", "system", "processors", "diskSyncMicros")
	has(got.Settings, "callers", "connections", "seconds", "rounds", "verifyEvery")
	has(got.Results[0], "callers", "lane", "callsPerSecond", "latency", "errors", "verified", "processes")
	has(got.Results[0]["latency"].(map[string]any), "p50Micros", "p90Micros", "p99Micros", "p999Micros", "maxMicros")
	has(got.Comparisons[0], "callers", "lane", "to", "throughput", "lowest", "highest", "addedP50Micros", "addedP99Micros")
}

// running is an exchange that was there before.
func running(t *testing.T, purpose string) (*clienttest.Exchange, Config) {
	t.Helper()
	x := clienttest.New(t)
	cfg := brief()
	cfg.Server = &Server{
		Address: x.Address, ID: x.ID, Identity: x.Identity(t, clienttest.CallerDomain, certs.RoleApplication, "housing-portal"), LogKey: x.Log.Key,
		Requests: []*queryv1.QueryResourceRequest{{
			Resource: clienttest.Resource, Fields: []string{"name", "deposit"}, Parameters: map[string]string{"id_number": "51010018800101001X"},
			Purpose: &grantv1.Purpose{Code: purpose, LegalBasis: grantv1.LegalBasis_LEGAL_BASIS_CONSENT, ServiceItem: "000117005001"},
		}},
	}
	return x, cfg
}

func TestRunning(t *testing.T) {
	_, cfg := running(t, "housing-loan-review")
	cfg.Plain = true
	cfg.Stage = stage.Config{Dir: t.TempDir()}
	report, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Results[0]; r.Answers == 0 || r.Verified == 0 || len(r.Errors) != 0 {
		t.Errorf("%+v", r)
	}
	if report.Results[1].Lane != lanePlain || report.Comparisons[0].Throughput <= 0 {
		t.Errorf("%+v", report.Comparisons)
	}
}

// TestRefused: what is refused is found by one call and never becomes load.
func TestRefused(t *testing.T) {
	x, cfg := running(t, "curiosity")
	report, err := Run(t.Context(), cfg)
	if r, ok := client.RefusalOf(err); !ok || report != nil {
		t.Errorf("report %v, error %v, refusal %+v", report, err, r)
	}
	if n := x.Log.Size(); n > 3 {
		t.Errorf("%d records for one question", n)
	}
}

// TestBrokenEvidence: answers that do not hold fail the run, and the report tells how many.
func TestBrokenEvidence(t *testing.T) {
	x, cfg := running(t, "housing-loan-review")
	var asked atomic.Int64
	x.OnResponse = func(r *queryv1.QueryResourceResponse) {
		if asked.Add(1) > 1 { // the one before the load is left whole
			r.Answer = []byte(`{"rows":[]}`)
		}
	}
	cfg.Callers, cfg.Connections, cfg.Verify = []int{1}, 1, 2
	report, err := Run(t.Context(), cfg)
	var broken *BrokenEvidenceError
	if !errors.As(err, &broken) || !errors.Is(err, client.ErrEvidence) {
		t.Fatalf("error %v", err)
	}
	if n := report.Results[0].Errors["EVIDENCE_CONTENT"]; n == 0 {
		t.Errorf("errors: %v", report.Results[0].Errors)
	}
}

// TestMaxCalls: a run stops at the calls it may make, and measures nothing it has not finished.
func TestMaxCalls(t *testing.T) {
	x, cfg := running(t, "housing-loan-review")
	cfg.MaxCalls, cfg.Duration = 50, time.Minute
	report, err := Run(t.Context(), cfg)
	if !errors.Is(err, errExhausted) || len(report.Results) != 0 {
		t.Errorf("error %v, report %+v", err, report)
	}
	if n := x.Log.Size(); n > 2*51 {
		t.Errorf("%d records for 51 calls", n)
	}
}

func TestConfigCheck(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"nothing to measure": func(c *Config) { c.Plain = false },
		"two systems":        func(c *Config) { c.Self, c.Server = true, &Server{} },
		"source of nobody":   func(c *Config) { c.PlainSource = true },
		"no callers":         func(c *Config) { c.Callers = nil },
		"zero callers":       func(c *Config) { c.Callers = []int{4, 0} },
		"too many callers":   func(c *Config) { c.Callers = []int{maxCallers + 1} },
		"too many levels":    func(c *Config) { c.Callers = make([]int, maxLevels+1) },
		"no connections":     func(c *Config) { c.Connections = 0 },
		"no rounds":          func(c *Config) { c.Rounds = 0 },
		"rounds too short":   func(c *Config) { c.Rounds = 100 },
		"too long":           func(c *Config) { c.Duration = 100 * time.Hour },
		"negative warmup":    func(c *Config) { c.Warmup = -time.Second },
		"no calls":           func(c *Config) { c.MaxCalls = 0 },
		"negative verify":    func(c *Config) { c.Verify = -1 },
		"no timeout":         func(c *Config) { c.Timeout = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := brief()
			cfg.Plain = true
			if err := cfg.Check(); err != nil {
				t.Fatal(err)
			}
			spoil(&cfg)
			if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrConfig) {
				t.Errorf("got %v", err)
			}
		})
	}
}
