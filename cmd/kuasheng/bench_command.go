package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/cmd/kuasheng/bench"
	"github.com/kuasheng/kuasheng/cmd/kuasheng/bench/stage"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/daemon"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// benchMemory is the memory limit of the load generator and of each server that it starts: that of an exchange in production (DESIGN.md section 8).
const benchMemory = 1 << 30

func newBenchCommand() *cobra.Command {
	conn, q := &connection{}, &question{}
	cfg := bench.Config{}
	var resource string
	cmd := &cobra.Command{
		Use:   "bench (--self | --resource RESOURCE --field NAME …) [--direct]",
		Short: "Measure queries per second, latency and cost",
		Long: `Measures how many queries a second an exchange answers, how fast, and at what cost, at several numbers of callers. Each caller asks, waits for the
answer and asks again (a closed loop). Errors are counted by reason. One of --verify answers is verified in full, receipts and all.

--self starts an exchange and a province's node on this machine, as processes of their own with stores of their own, measures them, and removes
everything. It tells CPU and memory of each process, and how many records one commit takes. Point --dir at the disk that a bureau would use: what
it takes for a durable write is much of the latency at few callers.

--direct measures a plain gRPC server over mutual TLS as well, which gives the same answer from memory; --direct-source one that asks the same database
for it. They take turns with the exchange, so that the ratio holds on a machine that has other work.

Without --self a running exchange is measured, with the flags of "kuasheng query". EVERY CALL IS AN ACCESS ON RECORD, under your name and your purpose, and
uses up your grant's quota: measure a system of your own, or one whose operators and providing province have agreed.

Exit status 1 also where one answer's evidence did not hold, or no call brought an answer.`,
		Example: `  kuasheng bench --self --direct
  kuasheng bench --self --direct --direct-source --callers 64 --duration 30s --cpuprofile cpu.pprof -o json
  kuasheng bench --resource provinces/410000/resources/307410000001-000001 --field balance --param-file person.txt \
    --purpose housing-loan-review --basis consent --item 000117005001 --callers 1,4 --max-calls 10000`,
		Args: cobra.NoArgs,
	}
	conn.register(cmd)
	conn.registerEvidence(cmd)
	q.register(cmd, conn)
	flags := cmd.Flags()
	for _, name := range []string{"field", "purpose", "basis", "item"} {
		// Required of a question, but with --self there is none; readServer asks for them.
		delete(cmd.PersistentFlags().Lookup(name).Annotations, cobra.BashCompOneRequiredFlag)
	}
	flags.StringVar(&resource, "resource", "", "resource to ask, of a running exchange")
	flags.BoolVar(&cfg.Self, "self", false, "start an exchange and a node on this machine and measure these")
	flags.BoolVar(&cfg.Plain, "direct", false, "also measure a plain gRPC server with the same answer")
	flags.BoolVar(&cfg.PlainSource, "direct-source", false, "with --self: also measure a plain gRPC server that asks the same database")
	flags.IntSliceVar(&cfg.Callers, "callers", []int{1, 16, 64, 256}, "numbers of callers, one after the other")
	flags.IntVar(&cfg.Connections, "connections", 4, "connections that the callers share")
	flags.DurationVar(&cfg.Duration, "duration", 10*time.Second, "how long to measure each number of callers and lane")
	flags.DurationVar(&cfg.Warmup, "warmup", 2*time.Second, "how long to warm each up")
	flags.IntVar(&cfg.Rounds, "rounds", 4, "turns that duration and warmup are cut into")
	flags.Int64Var(&cfg.MaxCalls, "max-calls", 50_000_000, "calls of the whole run at most")
	flags.Int64Var(&cfg.Verify, "verify", 100, "verify one of so many answers in full; 0: none")
	flags.StringVar(&cfg.Profile, "cpuprofile", "", "file for a CPU profile of the load generator; each server started writes beside it, with its name appended")
	flags.StringVar(&cfg.Stage.Dir, "dir", "", "where servers that are started keep their stores (default: the temporary directory)")
	output := outputFlag(cmd, "table", "json", "markdown")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := readBench(cmd, &cfg, conn, q, resource); err != nil {
			return err
		}
		daemon.TuneMemory(benchMemory, os.LookupEnv)
		return runBench(cmd, cfg, *output)
	}
	cmd.AddCommand(newBenchServeCommand())
	return cmd
}

// readBench completes the configuration by what takes more than a flag.
func readBench(cmd *cobra.Command, cfg *bench.Config, conn *connection, q *question, resource string) (err error) {
	cfg.Timeout = conn.timeout
	cfg.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	if resource != "" {
		if cfg.Server, err = readServer(cmd, conn, q, resource); err != nil {
			return err
		}
	}
	if err := cfg.Check(); err != nil {
		return asUsage(err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program, which the servers run as well: %w", err)
	}
	cfg.Stage.Child = []string{program, "bench", "serve"}
	cfg.Stage.Stderr = cmd.ErrOrStderr()
	return nil
}

// readServer turns connection and question into what is measured.
func readServer(cmd *cobra.Command, conn *connection, q *question, resource string) (*bench.Server, error) {
	var missing []error
	for _, name := range []string{"field", "purpose", "basis", "item"} {
		if !cmd.Flags().Changed(name) {
			missing = append(missing, fmt.Errorf("--%s is missing", name))
		}
	}
	if len(missing) > 0 {
		return nil, asUsage(errors.Join(missing...))
	}
	req, err := q.read(cmd, resource)
	if err != nil {
		return nil, err
	}
	p, err := conn.resolve()
	if err != nil {
		return nil, err
	}
	if err := p.complete(conn.unverified); err != nil {
		return nil, err
	}
	id, err := certs.ParseID(p.ExchangeID)
	if err != nil {
		return nil, asUsage(err)
	}
	s := &bench.Server{
		Address: p.Address, ID: id, JournalKeys: map[string]string{}, Requests: []*queryv1.QueryResourceRequest{req},
		Identity: certs.Files{SVID: p.SVID, Key: p.Key, Bundles: map[string]string{id.TrustDomain.Name(): p.Bundle}},
	}
	if !conn.unverified {
		s.LogKey = p.LogKey
	}
	for _, key := range p.JournalKeys {
		v, err := translog.NewVerifier(key)
		if err != nil {
			return nil, usagef("--pin-journal or journal_keys: %w", err)
		}
		s.JournalKeys[v.Name()] = key
	}
	return s, nil
}

// runBench measures and prints what was measured, also where the run failed later.
func runBench(cmd *cobra.Command, cfg bench.Config, format string) error {
	progress := newBenchProgress(cmd.ErrOrStderr(), cfg.Length())
	cfg.Progress = progress.at
	report, err := bench.Run(cmd.Context(), cfg)
	progress.finish()
	if report == nil || len(report.Results) == 0 {
		return err
	}
	if showing := showBench(cmd.OutOrStdout(), format, report); showing != nil {
		return errors.Join(err, showing)
	}
	if err == nil && !answered(report) {
		err = errors.New("no call brought an answer: see the errors by reason above")
	}
	return err
}

func answered(r *bench.Report) bool {
	for _, x := range r.Results {
		if x.Answers > 0 {
			return true
		}
	}
	return false
}

func showBench(w io.Writer, format string, r *bench.Report) error {
	if format == "json" {
		b, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encoding the report: %w", err)
		}
		return showRaw(w, b)
	}
	if _, err := fmt.Fprintln(w, r.Summary()); err != nil {
		return err
	}
	for _, part := range r.Tables() {
		if _, err := fmt.Fprintf(w, "\n%s\n", part.Title); err != nil {
			return err
		}
		if format == "markdown" {
			if _, err := fmt.Fprintf(w, "\n%s", part.Markdown()); err != nil {
				return err
			}
			continue
		}
		t := table{head: part.Head, rows: part.Rows}
		if err := t.write(w); err != nil {
			return err
		}
	}
	return nil
}

// benchProgress tells on a terminal what is being measured. A bar drawn four times a second costs the measurement nothing.
type benchProgress struct{ bar *progressbar.ProgressBar }

func newBenchProgress(w io.Writer, total time.Duration) benchProgress {
	if !terminal(w) {
		return benchProgress{}
	}
	return benchProgress{progressbar.NewOptions64(int64(total/time.Millisecond), progressbar.OptionSetWriter(w), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionThrottle(250*time.Millisecond))}
}

// at moves the bar; what it cannot draw it does not.
func (p benchProgress) at(done, _ time.Duration, what string) {
	if p.bar != nil {
		p.bar.Describe(what)
		_ = p.bar.Set64(int64(done / time.Millisecond))
	}
}

func (p benchProgress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// newBenchServeCommand is what the servers of --self run. It is hidden: it serves nobody but the bench that started it.
func newBenchServeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "serve ROLE DIRECTORY",
		Short:  "One server of bench --self, started by it",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			// As `exchange serve` and `node serve` do, and the plain servers too, so that the comparison is fair.
			daemon.TuneMemory(benchMemory, os.LookupEnv)
			// A signal to the terminal's processes is the bench's to act upon: it closes our input when it has finished with us.
			return stage.Serve(context.WithoutCancel(cmd.Context()), args[0], args[1], cmd.InOrStdin(), cmd.OutOrStdout(), logger)
		},
	}
}
