package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/source/statement"
)

// Set is all sources of a node, opened, and the resources that are answered from them. It is safe for concurrent use.
type Set struct {
	resources map[string]*resource
	order     []*resource // as in the file
	logger    *slog.Logger

	// closing stops exports, which may otherwise run for hours; running counts queries and exports.
	closing chan struct{}
	mu      sync.Mutex // guards closed, and running against a Wait that has begun
	closed  bool
	running sync.WaitGroup
}

// resource is one resource with its own gates and its own connections.
type resource struct {
	config.Resource
	kind    config.SourceKind
	fields  map[string]*column
	gate    *gate
	exports *gate
	backend backend
	ordered bool // an export gives its rows in the same order again
	health  *health
}

// maxExports bounds exports of one resource at a time. They hold a connection for minutes, and two let one that hangs
// be retried at once.
const maxExports = 2

// backend runs one resource's mapping.
type backend interface {
	// query starts the mapping with checked arguments. Values come in the order of the columns.
	query(ctx context.Context, columns []*column, args map[string]argument, export bool) (cursor, error)
	// check compares the mapping with the source; see Set.Check.
	check(ctx context.Context, columns []*column, args map[string]argument) []Finding
	// validate refuses arguments that cannot stand where the mapping puts them, before the source is touched.
	validate(args map[string]argument) error
	close()
}

// cursor gives rows one by one.
type cursor interface {
	// next returns the next row's values, valid until the next call, or io.EOF.
	next(ctx context.Context) ([]any, error)
	// close gives the connection back. It is quick once ctx has ended, even when rows are left.
	close()
}

// Open prepares all resources of a node. It connects to nothing: a source that is down when the node starts must not
// keep it from serving the others. What is wrong on this side (a missing variable or file) is an error, all of it at
// once.
func Open(ctx context.Context, cfg *config.Node, logger *slog.Logger) (*Set, error) {
	s := &Set{resources: map[string]*resource{}, logger: logger, closing: make(chan struct{})}
	healths := map[string]*health{}
	masks := map[string][]config.FieldMask{}
	for _, m := range cfg.Policy.Mask {
		masks[m.Resource] = append(masks[m.Resource], m)
	}
	var problems []error
	for _, r := range cfg.Resources {
		if err := ctx.Err(); err != nil {
			s.Close()
			return nil, fmt.Errorf("opening sources: %w", err)
		}
		if r.Source == "" {
			continue // published, never queried
		}
		src, ok := cfg.Source(r.Source)
		if !ok {
			problems = append(problems, fmt.Errorf("resource %s: %w: unknown source %q", r.Code, ErrMapping, r.Source))
			continue
		}
		if healths[src.Name] == nil {
			healths[src.Name] = &health{source: src.Name, logger: logger}
		}
		opened, err := open(r, src, masks[r.Code])
		if err != nil {
			problems = append(problems, fmt.Errorf("resource %s: %w", r.Code, err))
			continue
		}
		opened.health = healths[src.Name]
		s.resources[r.Code] = opened
		s.order = append(s.order, opened)
	}
	if len(problems) > 0 {
		s.Close()
		return nil, fmt.Errorf("opening sources: %w", errors.Join(problems...))
	}
	return s, nil
}

func open(r config.Resource, src config.Source, masks []config.FieldMask) (*resource, error) {
	res := &resource{
		Resource: r,
		kind:     src.Kind,
		fields:   make(map[string]*column, len(r.Fields)),
		gate:     newGate(r.Limits.Connections),
		exports:  newGate(maxExports),
		ordered:  src.Kind == config.HTTP, // a service orders its own answer
	}
	c := newClock(src.TimeZone)
	for _, f := range r.Fields {
		res.fields[f.Name] = newColumn(f, masks, c)
	}
	var err error
	if d, sql := src.Kind.Dialect(); sql {
		var st *statement.Statement
		if st, err = statement.Parse(d, r.Query); err != nil {
			return nil, fmt.Errorf("reading the query: %w: %w", ErrMapping, err)
		}
		res.ordered = st.Ordered()
		res.backend, err = openDatabase(r, src, c, d, st)
	} else {
		res.backend, err = openService(r, src, c)
	}
	return res, err
}

// enter begins a query or export; whoever entered calls running.Done.
func (s *Set) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("entering: %w: the node is closing its sources", ErrUnavailable)
	}
	s.running.Add(1)
	return nil
}

// Close refuses new queries, stops exports between two rows, waits for queries to end (their time is bounded) and gives
// all connections back.
func (s *Set) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.closing)
	s.mu.Unlock()
	s.running.Wait()
	for _, r := range s.order {
		r.backend.close()
	}
}

// find returns a resource that is answered here.
func (s *Set) find(code string) (*resource, error) {
	r, ok := s.resources[code]
	if !ok {
		return nil, fmt.Errorf("finding the resource: %w", ErrUnknownResource)
	}
	return r, nil
}
