package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/bench/stage"
	"google.golang.org/protobuf/proto"
)

// The lanes.
const (
	laneExchange    = "exchange"
	lanePlain       = "direct"
	lanePlainSource = "direct+source"
	// processSelf is the load generator, or everything where the servers share its process.
	processSelf = "bench"
)

// lane is one of the servers that take turns.
type lane struct {
	name      string
	target    *target
	processes []*stage.Process // those that do its work; the load generator is not among them
}

// sample samples the lane's processes, and this one last.
func (l *lane) sample() ([]stage.Sample, error) {
	all := make([]stage.Sample, 0, len(l.processes)+1)
	for _, p := range l.processes {
		s, err := p.Sample()
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	own, err := stage.Self()
	if err != nil {
		return nil, err
	}
	return append(all, own), nil
}

// open starts what is to be started, and asks each lane once before any load: a wrong question or a missing grant shows here and not in a million
// refusals on record. Plain servers then give the very answer that the exchange gave.
func (r *runner) open(ctx context.Context) error {
	if r.cfg.Self || r.cfg.Plain {
		var err error
		if r.stage, err = stage.New(r.cfg.Stage); err != nil {
			return err
		}
		r.report.Environment.disk(r.stage.Dir())
	}
	server, processes, err := r.system(ctx)
	if err != nil {
		return err
	}
	answer := stage.SampleAnswer()
	if server != nil {
		if answer, err = r.openExchange(ctx, *server, processes); err != nil {
			return err
		}
	} else if server, err = sampleServer(); err != nil {
		return err
	}
	if r.cfg.Plain {
		e, err := r.stage.StartPlain(ctx, answer)
		if err := r.openPlain(ctx, lanePlain, server, e, err); err != nil {
			return err
		}
	}
	if r.cfg.PlainSource {
		e, err := r.stage.StartPlainSource(ctx)
		if err := r.openPlain(ctx, lanePlainSource, server, e, err); err != nil {
			return err
		}
	}
	r.report.Messages = Messages{RequestBytes: proto.Size(server.Requests[0]), AnswerBytes: len(answer)}
	return nil
}

// system is the exchange to measure, or nil.
func (r *runner) system(ctx context.Context) (*Server, []*stage.Process, error) {
	if !r.cfg.Self {
		return r.cfg.Server, nil, nil
	}
	e, err := r.stage.StartSystem(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("starting a system: %w", err)
	}
	return serverOf(e), e.Processes, nil
}

func serverOf(e stage.Endpoint) *Server {
	return &Server{Address: e.Address, ID: e.Server, Identity: e.Identity, LogKey: e.LogKey, JournalKeys: e.JournalKeys, Requests: e.Requests}
}

// sampleServer holds the questions for plain servers that stand for no exchange.
func sampleServer() (*Server, error) {
	requests, err := stage.Requests()
	return &Server{Requests: requests}, err
}

// openExchange adds the exchange's lane and returns the answer to its first question, verified unless the evidence was given up.
func (r *runner) openExchange(ctx context.Context, s Server, processes []*stage.Process) ([]byte, error) {
	l, err := r.add(ctx, laneExchange, s, processes)
	if err != nil {
		return nil, err
	}
	a, err := l.target.client.Query(ctx, s.Requests[0])
	if err != nil {
		return nil, fmt.Errorf("asking once before the load: %w", err)
	}
	return a.Bytes(), nil
}

// openPlain adds the lane of a plain server that was started, with the same questions.
func (r *runner) openPlain(ctx context.Context, name string, like *Server, e stage.Endpoint, err error) error {
	if err != nil {
		return fmt.Errorf("starting a plain server: %w", err)
	}
	s := serverOf(e)
	s.Requests = like.Requests
	l, err := r.add(ctx, name, *s, e.Processes)
	if err != nil {
		return err
	}
	if o := l.target.ask(ctx, 0, 0); o.err != nil {
		return fmt.Errorf("asking the plain server once before the load: %w", o.err)
	}
	return nil
}

func (r *runner) add(ctx context.Context, name string, s Server, processes []*stage.Process) (*lane, error) {
	t, err := dial(ctx, s, r.cfg.Connections, r.cfg.Timeout, r.cfg.Logger)
	if err != nil {
		return nil, err
	}
	l := &lane{name: name, target: t, processes: processes}
	r.lanes = append(r.lanes, l)
	return l, nil
}

// close ends connections, then servers.
func (r *runner) close() error {
	var errs []error
	for _, l := range r.lanes {
		errs = append(errs, l.target.close())
	}
	if r.stage != nil {
		errs = append(errs, r.stage.Close())
	}
	return errors.Join(errs...)
}
