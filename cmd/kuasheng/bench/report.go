package bench

import (
	"time"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/bench/stage"
)

// Report is what a run measured, as -o json prints it. Times are in microseconds, memory in bytes.
type Report struct {
	Started     time.Time    `json:"started"`
	Environment Environment  `json:"environment"`
	Settings    Settings     `json:"settings"`
	Messages    Messages     `json:"messages"`
	Results     []Result     `json:"results"`
	Comparisons []Comparison `json:"comparisons,omitempty"`
}

// Settings are those of the run.
type Settings struct {
	Callers        []int   `json:"callers"`
	Connections    int     `json:"connections"`
	Seconds        float64 `json:"seconds"`
	WarmupSeconds  float64 `json:"warmupSeconds"`
	Rounds         int     `json:"rounds"`
	VerifyEvery    int64   `json:"verifyEvery"`
	TimeoutSeconds float64 `json:"timeoutSeconds"`
	Profiled       bool    `json:"profiled,omitempty"` // CPU figures hold the profiler's work
}

// Messages are the sizes of question and answer, without what the exchange adds to the answer as proof.
type Messages struct {
	RequestBytes int `json:"requestBytes"`
	AnswerBytes  int `json:"answerBytes"`
}

// Result is one lane at one number of callers.
type Result struct {
	Callers        int              `json:"callers"`
	Lane           string           `json:"lane"`
	Seconds        float64          `json:"seconds"`
	Answers        int64            `json:"answers"`
	CallsPerSecond float64          `json:"callsPerSecond"` // that brought an answer
	Latency        Latency          `json:"latency"`
	ResponseBytes  float64          `json:"responseBytes"` // mean, proof included
	Verified       int64            `json:"verified"`      // answers whose evidence was checked and held
	Errors         map[string]int64 `json:"errors"`        // calls without an answer, by reason
	Processes      []Usage          `json:"processes"`
}

// Latency is of calls that brought an answer, verified ones left out.
type Latency struct {
	P50  float64 `json:"p50Micros"`
	P90  float64 `json:"p90Micros"`
	P99  float64 `json:"p99Micros"`
	P999 float64 `json:"p999Micros"`
	Max  float64 `json:"maxMicros"`
}

// Usage is what a process used for a lane at one number of callers.
type Usage struct {
	Name string `json:"name"`
	// CPUPerCall and Memory are 0 where the process is shared with others. Calls that failed count too: they cost as well.
	CPUPerCall float64 `json:"cpuPerCallMicros,omitempty"`
	Memory     int64   `json:"memoryBytes,omitempty"` // resident, the most seen
	// The log's figures are 0 where the process keeps none.
	RecordsPerSecond float64 `json:"recordsPerSecond,omitempty"`
	CommitsPerSecond float64 `json:"commitsPerSecond,omitempty"`
	RecordsPerCommit float64 `json:"recordsPerCommit,omitempty"`
}

// Comparison sets the exchange beside a plain server that took turns with it.
type Comparison struct {
	Callers int    `json:"callers"`
	Lane    string `json:"lane"`
	To      string `json:"to"`
	// Throughput is the ratio of calls per second, Lowest and Highest that of single rounds: how far they are apart is how much the machine's
	// other work disturbed.
	Throughput float64 `json:"throughput"`
	Lowest     float64 `json:"lowest"`
	Highest    float64 `json:"highest"`
	// Added is the latency added at p50 and p99, as the difference of the two lanes' quantiles.
	AddedP50 float64 `json:"addedP50Micros"`
	AddedP99 float64 `json:"addedP99Micros"`
}

func newReport(cfg Config) *Report {
	return &Report{
		Started: time.Now().UTC(), Environment: newEnvironment(), Results: []Result{},
		Settings: Settings{
			Callers: cfg.Callers, Connections: cfg.Connections, Seconds: cfg.Duration.Seconds(), WarmupSeconds: cfg.Warmup.Seconds(), Rounds: cfg.Rounds,
			VerifyEvery: cfg.Verify, TimeoutSeconds: cfg.Timeout.Seconds(), Profiled: cfg.Profile != "",
		},
	}
}

// result collects the slices of one lane at one number of callers.
type result struct {
	lane    *lane
	callers int
	tally   tally
	time    time.Duration
	rounds  []float64 // calls per second of each
	usage   []usage   // of the lane's processes and of this one
}

// usage adds up what a process used in the slices.
type usage struct {
	cpu              time.Duration
	own              bool
	memory           int64
	records, commits int64
}

func newResult(l *lane, callers int) *result {
	return &result{lane: l, callers: callers, usage: make([]usage, len(l.processes)+1)}
}

// add adds a slice and what the processes used in it.
func (r *result) add(s *slice, before, after []stage.Sample) {
	took := s.to.Sub(s.from)
	r.tally.merge(&s.tally)
	r.time += took
	r.rounds = append(r.rounds, float64(s.tally.answers)/took.Seconds())
	for i := range r.usage {
		u := &r.usage[i]
		u.own = after[i].Own
		u.cpu += after[i].CPU - before[i].CPU
		u.memory = max(u.memory, after[i].Memory)
		u.records += after[i].Records - before[i].Records
		u.commits += after[i].Commits - before[i].Commits
	}
}
