package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/bench/stage"
)

// errExhausted means that the run was cut before it had measured everything.
var errExhausted = errors.New("all calls permitted by --max-calls were made before everything was measured")

// runner is one run.
type runner struct {
	cfg    Config
	stage  *stage.Stage // nil where nothing is started
	lanes  []*lane
	budget *budget
	report *Report
	broken error // the first answer whose evidence does not hold
	passed time.Duration

	profiler stage.Profiler
}

// Run measures, and returns what it measured also where it fails later: with a [*BrokenEvidenceError] after everything was measured, or because calls
// or time ran out.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Progress == nil {
		cfg.Progress = func(time.Duration, time.Duration, string) {}
	}
	r := &runner{cfg: cfg, budget: newBudget(cfg.MaxCalls), report: newReport(cfg)}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if err := r.profile(cfg.Profile); err != nil {
		return nil, err
	}
	for _, callers := range cfg.Callers {
		if err = r.level(ctx, callers); err != nil {
			break
		}
	}
	err = errors.Join(err, r.profile(""))
	if r.broken != nil {
		err = errors.Join(&BrokenEvidenceError{First: r.broken}, err)
	}
	return r.report, err
}

// level measures all lanes at one number of callers, in rounds.
func (r *runner) level(ctx context.Context, callers int) error {
	results := make([]*result, len(r.lanes))
	for i, l := range r.lanes {
		results[i] = newResult(l, callers)
	}
	var err error
	for round := range r.cfg.Rounds {
		for i := range r.lanes {
			// Every other round goes backwards, so that no lane always comes after the same one.
			if round%2 == 1 {
				i = len(r.lanes) - 1 - i
			}
			r.cfg.Progress(r.passed, r.cfg.Length(), fmt.Sprintf("%d callers, %s", callers, r.lanes[i].name))
			if err = r.measure(ctx, results[i]); err != nil {
				break
			}
			r.passed += r.cfg.slice() + r.cfg.warmup()
		}
		if err != nil {
			break
		}
	}
	r.report.add(results)
	return err
}

// measure runs one slice and adds it to a result.
func (r *runner) measure(ctx context.Context, res *result) error {
	l := &loop{target: res.lane.target, callers: res.callers, every: r.cfg.Verify, budget: r.budget}
	var marks [][]stage.Sample
	s, err := l.run(ctx, r.cfg.warmup(), r.cfg.slice(), func() error {
		m, err := res.lane.sample()
		marks = append(marks, m)
		return err
	})
	if first := l.broken.Load(); first != nil && r.broken == nil {
		r.broken = *first
	}
	if err != nil {
		return err
	}
	select {
	case <-r.budget.exhausted:
		// A slice that ran dry holds callers that had nothing left to ask: it is no measurement.
		return errExhausted
	default:
	}
	res.add(s, marks[0], marks[1])
	return nil
}

// profile begins the profiles of all processes, or ends them where path is empty.
func (r *runner) profile(path string) error {
	if r.cfg.Profile == "" {
		return nil
	}
	var errs []error
	if r.stage != nil {
		for _, l := range r.lanes {
			for _, p := range l.processes {
				file := ""
				if path != "" {
					file = path + "." + p.Name()
				}
				errs = append(errs, p.Profile(file))
			}
		}
	}
	if path == "" {
		return errors.Join(append(errs, r.profiler.End())...)
	}
	return errors.Join(append(errs, r.profiler.Begin(path))...)
}
