package stage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Process is one server of a stage.
type Process struct {
	name string
	host host
}

// host is where a server runs: in a child process or in this one.
type host interface {
	address() string
	sample() (Sample, error)
	// profile begins a CPU profile into a file, or ends it where path is empty.
	profile(path string) error
	close() error
}

// errEnded means that a server is not there any more.
var errEnded = errors.New("the server has ended")

// Sample is what a process has used and done since it began.
type Sample struct {
	// Own says that CPU and Memory are the server's own: they are not where it shares a process with others.
	Own    bool          `json:"own"`
	CPU    time.Duration `json:"cpu"`
	Memory int64         `json:"memory"` // resident bytes
	// Records and Commits are those of the server's log; 0 where it keeps none.
	Records int64 `json:"records"`
	Commits int64 `json:"commits"`
}

// Name says which server it is.
func (p *Process) Name() string { return p.name }

// Sample asks the server what it has used.
func (p *Process) Sample() (Sample, error) {
	s, err := p.host.sample()
	if err != nil {
		return s, fmt.Errorf("sampling %s: %w", p.name, err)
	}
	return s, nil
}

// Profile begins a CPU profile of the server into a file, or ends it where path is empty. Servers in this process have none of their own.
func (p *Process) Profile(path string) error {
	if err := p.host.profile(path); err != nil {
		return fmt.Errorf("profiling %s: %w", p.name, err)
	}
	return nil
}

// start starts a server whose files are ready.
func (s *Stage) start(ctx context.Context, r role) (*Process, error) {
	var h host
	var err error
	if len(s.cfg.Child) > 0 {
		h, err = startChild(ctx, s.cfg.Child, r, s.dir, s.cfg.Stderr)
	} else {
		h, err = openLocal(ctx, r, s.dir, s.cfg.Logger)
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", r, err)
	}
	p := &Process{name: string(r), host: h}
	s.processes = append(s.processes, p)
	return p, nil
}
