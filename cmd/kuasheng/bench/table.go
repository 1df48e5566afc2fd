package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Table is a part of a report for people.
type Table struct {
	Title string
	Head  []string
	Rows  [][]string
}

// Tables are the report for people.
func (r *Report) Tables() []Table {
	tables := []Table{r.throughput(), r.cost()}
	if len(r.Comparisons) > 0 {
		tables = append(tables, r.comparison())
	}
	return tables
}

// Summary says in one line what the figures depend on.
func (r *Report) Summary() string {
	s := fmt.Sprintf("%s, %s, %d processors; question %d bytes, answer %d bytes; %d rounds, %d connections", r.Environment.Go, r.Environment.System,
		r.Environment.Processors, r.Messages.RequestBytes, r.Messages.AnswerBytes, r.Settings.Rounds, r.Settings.Connections)
	if r.Environment.DiskSync > 0 {
		s += fmt.Sprintf("; a durable 4 KiB write takes %s", latency(r.Environment.DiskSync))
	}
	return s
}

// Markdown is the table as docs/performance.md holds it.
func (t Table) Markdown() string {
	var b strings.Builder
	line := func(cells []string) {
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	line(t.Head)
	b.WriteString(strings.Repeat("|---", len(t.Head)) + "|\n")
	for _, row := range t.Rows {
		line(row)
	}
	return b.String()
}

func (r *Report) throughput() Table {
	t := Table{
		Title: "Throughput and latency",
		Head:  []string{"CALLERS", "LANE", "CALLS/S", "P50", "P90", "P99", "P99.9", "MAX", "VERIFIED", "ERRORS"},
	}
	for _, x := range r.Results {
		l := x.Latency
		t.Rows = append(t.Rows, []string{
			fmt.Sprint(x.Callers), x.Lane, fmt.Sprintf("%.0f", x.CallsPerSecond),
			latency(l.P50), latency(l.P90), latency(l.P99), latency(l.P999), latency(l.Max), fmt.Sprint(x.Verified), reasons(x.Errors),
		})
	}
	return t
}

func (r *Report) cost() Table {
	t := Table{
		Title: "Cost by process",
		Head:  []string{"CALLERS", "LANE", "PROCESS", "CPU/CALL", "MEMORY", "RECORDS/S", "COMMITS/S", "RECORDS/COMMIT"},
	}
	for _, x := range r.Results {
		for _, u := range x.Processes {
			t.Rows = append(t.Rows, []string{
				fmt.Sprint(x.Callers), x.Lane, u.Name, known(u.CPUPerCall, "%.1f µs"), known(float64(u.Memory)/(1<<20), "%.0f MiB"),
				known(u.RecordsPerSecond, "%.0f"), known(u.CommitsPerSecond, "%.0f"), known(u.RecordsPerCommit, "%.1f"),
			})
		}
	}
	return t
}

func (r *Report) comparison() Table {
	t := Table{
		Title: "The exchange beside a plain gRPC server over mutual TLS, taking turns",
		Head:  []string{"CALLERS", "COMPARED WITH", "CALLS/S RATIO", "IN SINGLE ROUNDS", "P50 ADDED", "P99 ADDED"},
	}
	for _, c := range r.Comparisons {
		t.Rows = append(t.Rows, []string{
			fmt.Sprint(c.Callers), c.To, fmt.Sprintf("%.2f", c.Throughput), fmt.Sprintf("%.2f to %.2f", c.Lowest, c.Highest), latency(c.AddedP50), latency(c.AddedP99),
		})
	}
	return t
}

// latency prints microseconds with three digits.
func latency(micros float64) string {
	switch {
	case micros >= 1e6:
		return fmt.Sprintf("%.2f s", micros/1e6)
	case micros >= 1e4:
		return fmt.Sprintf("%.1f ms", micros/1e3)
	case micros >= 1e3:
		return fmt.Sprintf("%.2f ms", micros/1e3)
	default:
		return fmt.Sprintf("%.0f µs", micros)
	}
}

// known prints a figure, or "-" where there is none.
func known(v float64, format string) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// reasons prints errors by reason, in order of their names.
func reasons(errors map[string]int64) string {
	if len(errors) == 0 {
		return "-"
	}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(errors)) {
		parts = append(parts, fmt.Sprintf("%s %d", reason, errors[reason]))
	}
	return strings.Join(parts, ", ")
}
