package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
)

// role is which server a process is.
type role string

const (
	roleExchange role = "exchange"
	roleNode     role = "node"
	// rolePlain answers from memory.
	rolePlain role = "plain"
	// rolePlainSource asks the node's database, with the node's own code for it.
	rolePlainSource role = "plain+source"
)

// errRole means that a child was started as something that does not exist.
var errRole = errors.New("unknown role")

// loopback is where servers listen: on a free port, for this machine only.
const loopback = "127.0.0.1:0"

// server is an opened server.
type server struct {
	address string // empty where it dials out
	log     logFigures
	close   func() error
}

// openServer opens the server of a role from the files in the stage's directory and serves until close.
func openServer(ctx context.Context, r role, dir string, logger *slog.Logger) (*server, error) {
	b, err := os.ReadFile(filepath.Join(dir, specFile))
	if err != nil {
		return nil, fmt.Errorf("reading the stage (it is started by `kuasheng bench --self`): %w", err)
	}
	var sp spec
	if err := json.Unmarshal(b, &sp); err != nil {
		return nil, fmt.Errorf("reading the stage: %w", err)
	}
	switch r {
	case roleExchange:
		return openExchange(ctx, filepath.Join(dir, string(r)), sp, logger)
	case roleNode:
		return openNode(ctx, filepath.Join(dir, string(r)), sp, logger)
	case rolePlain:
		return openPlain(ctx, filepath.Join(dir, string(r)), logger)
	case rolePlainSource:
		return openPlainSource(ctx, filepath.Join(dir, string(r)), filepath.Join(dir, string(roleNode), nodeFile), logger)
	default:
		return nil, fmt.Errorf("%w: %.32q", errRole, string(r))
	}
}

// logFigures tells how far a server's log has come.
type logFigures struct {
	registry *prometheus.Registry
	metric   string // gauge with the number of records
	blocks   string // the block index of package segment: one entry per commit
}

// blockEntry is the size of an entry of the block index; see package segment.
const blockEntry = 32

func (l logFigures) read() (records, commits int64, err error) {
	if l.registry == nil {
		return 0, 0, nil
	}
	families, err := l.registry.Gather()
	if err != nil {
		return 0, 0, fmt.Errorf("reading metrics: %w", err)
	}
	for _, f := range families {
		if f.GetName() == l.metric && len(f.GetMetric()) == 1 {
			records = int64(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	info, err := os.Stat(l.blocks)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the log's block index: %w", err)
	}
	return records, info.Size() / blockEntry, nil
}

// sample is what this process has used, as the server's own.
func (s *server) sample() (Sample, error) {
	sample, err := Self()
	if err != nil {
		return Sample{}, err
	}
	sample.Records, sample.Commits, err = s.log.read()
	return sample, err
}

// local is a server in this process.
type local struct{ server *server }

func openLocal(ctx context.Context, r role, dir string, logger *slog.Logger) (host, error) {
	// What ends the start must not end the server.
	s, err := openServer(context.WithoutCancel(ctx), r, dir, logger.With("server", string(r)))
	if err != nil {
		return nil, err
	}
	return &local{server: s}, nil
}

func (l *local) address() string { return l.server.address }

func (l *local) sample() (s Sample, err error) {
	s.Records, s.Commits, err = l.server.log.read()
	return s, err
}

func (l *local) profile(string) error { return nil }

func (l *local) close() error { return l.server.close() }
