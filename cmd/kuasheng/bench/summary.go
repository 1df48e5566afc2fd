package bench

import (
	"slices"
	"time"
)

// add puts one number of callers into the report. Lanes that were not measured, because the run ended, stay out.
func (r *Report) add(results []*result) {
	results = slices.DeleteFunc(slices.Clone(results), func(res *result) bool { return len(res.rounds) == 0 })
	for _, res := range results {
		r.Results = append(r.Results, res.summary())
	}
	if len(results) == 0 || results[0].lane.name != laneExchange {
		return
	}
	for _, other := range results[1:] {
		r.Comparisons = append(r.Comparisons, compare(results[0], other))
	}
}

func (r *result) summary() Result {
	t := &r.tally
	s := Result{
		Callers: r.callers, Lane: r.lane.name, Seconds: r.time.Seconds(), Answers: t.answers, CallsPerSecond: r.perSecond(t.answers),
		Latency: latencyOf(&t.latencies), Verified: t.verified, Errors: map[string]int64{},
	}
	if t.counted > 0 {
		s.ResponseBytes = float64(t.bytes) / float64(t.counted)
	}
	for reason, n := range t.errors {
		s.Errors[reason] = n
	}
	for i, u := range r.usage {
		name := processSelf
		if i < len(r.lane.processes) {
			name = r.lane.processes[i].Name()
		}
		s.Processes = append(s.Processes, r.usageOf(name, u))
	}
	return s
}

func (r *result) usageOf(name string, u usage) Usage {
	out := Usage{Name: name, RecordsPerSecond: r.perSecond(u.records), CommitsPerSecond: r.perSecond(u.commits)}
	if calls := r.tally.answers + r.tally.failed(); u.own && calls > 0 {
		out.CPUPerCall = micros(u.cpu) / float64(calls)
		out.Memory = u.memory
	}
	if u.commits > 0 {
		out.RecordsPerCommit = float64(u.records) / float64(u.commits)
	}
	return out
}

func (r *result) perSecond(n int64) float64 { return float64(n) / r.time.Seconds() }

func latencyOf(h *histogram) Latency {
	return Latency{
		P50: micros(h.quantile(0.5)), P90: micros(h.quantile(0.9)), P99: micros(h.quantile(0.99)), P999: micros(h.quantile(0.999)), Max: micros(h.longest),
	}
}

// compare sets two lanes beside each other, round by round.
func compare(a, b *result) Comparison {
	c := Comparison{
		Callers: a.callers, Lane: a.lane.name, To: b.lane.name,
		Throughput: ratio(a.perSecond(a.tally.answers), b.perSecond(b.tally.answers)),
		AddedP50:   micros(a.tally.latencies.quantile(0.5)) - micros(b.tally.latencies.quantile(0.5)),
		AddedP99:   micros(a.tally.latencies.quantile(0.99)) - micros(b.tally.latencies.quantile(0.99)),
	}
	var rounds []float64
	for i := range min(len(a.rounds), len(b.rounds)) {
		rounds = append(rounds, ratio(a.rounds[i], b.rounds[i]))
	}
	c.Lowest, c.Highest = slices.Min(rounds), slices.Max(rounds)
	return c
}

// ratio is 0 where there is nothing to compare with: JSON knows no infinity.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
