package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/kuasheng/kuasheng/certs"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

// Config says where the servers keep their files and how they are started.
type Config struct {
	// Dir is where a directory for this run is made; empty: the system's temporary directory. What the disk under it takes for a durable write
	// is most of the latency at few callers.
	Dir string
	// Child is the command that runs [Serve] with two more arguments, role and directory; empty: the servers run in this process, and nobody can
	// tell their CPU apart.
	Child []string
	// Stderr gets what the children log. Default: nothing.
	Stderr io.Writer
	// SegmentSize is that of the logs' files; 0: the default. Preallocating them is most of the time that a test's servers take to start.
	SegmentSize int64
	Logger      *slog.Logger
}

// Endpoint is a server that can be asked, and what a client needs for it.
type Endpoint struct {
	Address  string
	Server   certs.ID
	Identity certs.Files
	// LogKey and JournalKeys are empty for a plain server, which proves nothing.
	LogKey      string
	JournalKeys map[string]string
	Requests    []*queryv1.QueryResourceRequest
	Processes   []*Process
}

// Stage is a set of servers. It is for one goroutine.
type Stage struct {
	cfg       Config
	dir       string
	processes []*Process
}

// spec is what children need to know beside the files that each finds in its folder.
type spec struct {
	SegmentSize int64 `json:"segmentSize"`
}

const specFile = "stage.json"

// New makes the stage's directory. Its owner calls Close.
func New(cfg Config) (*Stage, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Stderr == nil {
		cfg.Stderr = io.Discard
	}
	dir, err := os.MkdirTemp(cfg.Dir, "kuasheng-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the servers: %w", err)
	}
	s := &Stage{cfg: cfg, dir: dir}
	b, err := json.Marshal(spec{SegmentSize: cfg.SegmentSize})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, specFile), b, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("describing the servers: %w", err), s.Close())
	}
	return s, nil
}

// Dir is where the servers keep their files until Close.
func (s *Stage) Dir() string { return s.dir }

// Close ends the servers, the last started first, and removes everything: keys of a finished run must not lie about.
func (s *Stage) Close() error {
	var errs []error
	for i := len(s.processes) - 1; i >= 0; i-- {
		errs = append(errs, s.processes[i].host.close())
	}
	s.processes = nil
	if err := os.RemoveAll(s.dir); err != nil {
		errs = append(errs, fmt.Errorf("removing the servers' directory: %w", err))
	}
	return errors.Join(errs...)
}

func (s *Stage) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}
