package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/accesslog"
	"github.com/kuasheng/kuasheng/exchange/catalogue"
	"github.com/kuasheng/kuasheng/exchange/decision"
	"github.com/kuasheng/kuasheng/exchange/door"
	"github.com/kuasheng/kuasheng/exchange/flood"
	"github.com/kuasheng/kuasheng/exchange/grant"
	"github.com/kuasheng/kuasheng/exchange/link"
	"github.com/kuasheng/kuasheng/exchange/member"
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/stats"
)

const (
	// maxMessage is the largest message taken: a batch of answers (records 1 MiB, answers 2 MiB) or a catalogue entry.
	maxMessage = 4 << 20
	// maxStreams bounds the calls under way on one connection; callers with more open another connection.
	maxStreams = 4096
	// buffer is the size of a connection's read and write buffers: larger ones save system calls.
	buffer = 128 << 10
	// window is the flow-control window of a stream.
	window = 1 << 20
	// stopTime is how long a stopping server waits for calls under way.
	stopTime = 15 * time.Second
	// healthTime is how often health looks at the log and the state.
	healthTime = 500 * time.Millisecond
)

// Config is what a Server needs.
type Config struct {
	Dir         string        // data directory: state/ and accesslog/
	Domain      string        // the exchange's trust domain
	Identity    *certs.Source // its SVID and the bundle of its own domain
	LogSigner   note.Signer   // key of the access log
	LogVerifier note.Verifier
	LogKey      string // the verifier key as text, to be shown
	SegmentSize int64  // 0: the default of package segment
	Registry    *prometheus.Registry
	Tracing     stats.Handler // of the gRPC server; nil for none
	Logger      *slog.Logger
	Now         func() time.Time // nil: time.Now
}

// Server is an exchange.
type Server struct {
	domain    spiffeid.TrustDomain
	state     *state.Store
	members   *member.Store
	resources *catalogue.Store
	grants    *grant.Store
	decider   *decision.Decider
	log       *accesslog.Log
	hub       *link.Hub
	refusals  *flood.Refusals
	methods   map[string]roles
	validator protovalidate.Validator
	metrics   *metrics
	health    *health.Server
	grpc      *grpc.Server
	memory    *certs.Memory
	visits    *door.Tally // calls of strangers under way, by address
	logger    *slog.Logger
	now       func() time.Time

	messageTime time.Duration // see there; shorter in tests

	collecting sync.Mutex // held while counts of refusals go on record
}

func (cfg Config) accesslog(hub *link.Hub) accesslog.Config {
	c := accesslog.Config{
		Dir: filepath.Join(cfg.Dir, "accesslog"), Signer: cfg.LogSigner, Verifier: cfg.LogVerifier,
		SegmentSize: cfg.SegmentSize, Logger: cfg.Logger, Now: cfg.now(),
	}
	if hub != nil {
		c.Dispatch, c.Failed = hub.Dispatch, hub.Failed
	}
	return c
}

func (cfg Config) now() func() time.Time {
	if cfg.Now == nil {
		return time.Now
	}
	return cfg.Now
}

// Create makes the stores of a new exchange. It fails where there is one already.
func Create(cfg Config) error {
	st, err := state.Create(filepath.Join(cfg.Dir, "state"), cfg.Domain, cfg.Logger)
	if err != nil {
		return fmt.Errorf("creating exchange: %w", err)
	}
	if err := st.Close(); err != nil {
		return fmt.Errorf("creating exchange: %w", err)
	}
	if err := accesslog.Create(cfg.accesslog(nil)); err != nil {
		return fmt.Errorf("creating exchange: %w", err)
	}
	return nil
}

// Open opens the stores and puts the server together. Its owner calls Close.
func Open(cfg Config) (*Server, error) {
	domain, err := spiffeid.TrustDomainFromString(cfg.Domain)
	if err != nil {
		return nil, fmt.Errorf("opening exchange: %w", err)
	}
	s := &Server{
		domain: domain, methods: methodRoles(), logger: cfg.Logger, now: cfg.now(), memory: certs.NewMemory(), refusals: flood.NewRefusals(flood.Defaults()),
		visits: door.NewTally(maxVisits), messageTime: messageTime,
	}
	if err := s.openStores(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("opening exchange: %w", err), s.closeStores())
	}
	if s.validator, err = protovalidate.New(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening exchange: %w", err), s.closeStores())
	}
	s.metrics = newMetrics(cfg, s)
	s.health = health.NewServer()
	s.grpc = s.newGRPC(cfg)
	return s, nil
}

func (s *Server) openStores(cfg Config) (err error) {
	if s.state, err = state.Open(filepath.Join(cfg.Dir, "state"), cfg.Logger); err != nil {
		return err
	}
	if got := s.state.TrustDomain(); got != cfg.Domain {
		return fmt.Errorf("the state belongs to the trust domain %q, not %q", got, cfg.Domain)
	}
	if s.members, err = member.Open(s.state, s.now); err != nil {
		return err
	}
	if s.resources, err = catalogue.Open(s.state, s.now); err != nil {
		return err
	}
	if s.grants, err = grant.Open(s.state, s.resources, s.members, s.now); err != nil {
		return err
	}
	hub := link.NewHub(link.Config{
		Log: func() *accesslog.Log { return s.log }, Journal: s.journalKey, Remembered: journalMemory{s.state}, Domain: s.domainOf, Logger: cfg.Logger, Now: s.now,
	})
	if s.log, err = accesslog.Open(cfg.accesslog(hub)); err != nil {
		return err
	}
	s.hub = hub
	s.decider = decision.New(s.members, s.resources, s.grants, decision.NewQuotas(s.log.Used))
	return nil
}

func (s *Server) newGRPC(cfg Config) *grpc.Server {
	trust := certs.Join(cfg.Identity, s.members.Bundles())
	options := append(s.limits(),
		grpc.Creds(door.NewCredentials(certs.ServerCredentials(cfg.Identity, trust, cfg.Logger), s.known)),
		grpc.UnaryInterceptor(s.unary), grpc.ChainStreamInterceptor(s.receiving, s.stream), grpc.ForceServerCodecV2(encoding.GetCodecV2(proto.Name)),
		grpc.ReadBufferSize(buffer), grpc.WriteBufferSize(buffer),
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(4*window),
	)
	if cfg.Tracing != nil {
		options = append(options, grpc.StatsHandler(cfg.Tracing))
	}
	g := grpc.NewServer(options...)
	query := &queryService{Server: s}
	links := &linkService{Server: s}
	g.RegisterService(s.decodable(registryv1.RegistryService_ServiceDesc), newRegistryService(s.members, s.self(cfg), s.hub.Attached))
	g.RegisterService(s.decodable(cataloguev1.CatalogueService_ServiceDesc), newCatalogueService(s.resources))
	g.RegisterService(s.decodable(grantv1.GrantService_ServiceDesc), newGrantService(s.grants))
	g.RegisterService(s.decodable(queryv1.QueryService_ServiceDesc), query)
	g.RegisterService(s.decodable(linkv1.LinkService_ServiceDesc), links)
	g.RegisterService(s.decodable(auditv1.AuditService_ServiceDesc), newAuditService(s.log))
	g.RegisterService(s.decodable(grpc_health_v1.Health_ServiceDesc), s.health)
	reflection.Register(g)
	return g
}

// Serve serves gRPC on a listener until Close, and on the in-memory one that the REST gateway uses.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	others.Go(func() { s.watchHealth(ctx) })
	others.Go(func() { s.collectRefusals(ctx) })
	others.Go(func() { s.grpc.Serve(s.memory) }) // ends with the server; it has no error of its own
	err := s.grpc.Serve(door.Listen(l, connections()))
	s.memory.Close() // where accepting failed by itself, the other listener must not keep the failure hidden
	cancel()
	others.Wait()
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving gRPC: %w", err)
	}
	return nil
}

// Memory is the listener through which the REST gateway reaches this server.
func (s *Server) Memory() *certs.Memory { return s.memory }

// Err is nil while the exchange can do its work.
func (s *Server) Err() error { return errors.Join(s.log.Err(), s.state.Err()) }

// watchHealth keeps gRPC health true to the stores.
func (s *Server) watchHealth(ctx context.Context) {
	tick := time.NewTicker(healthTime)
	defer tick.Stop()
	for {
		status := grpc_health_v1.HealthCheckResponse_SERVING
		if err := s.Err(); err != nil {
			status = grpc_health_v1.HealthCheckResponse_NOT_SERVING
		}
		s.health.SetServingStatus("", status)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close stops taking calls, waits a bounded time for those under way, and closes the stores: everything acknowledged is on disk before it
// returns.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	s.health.Shutdown()
	s.hub.Drain()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !s.hub.Idle() && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	s.hub.Close(ctx)
	stopped := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-ctx.Done():
		s.grpc.Stop()
		<-stopped
	}
	s.recordCounts(ctx, true)
	return s.closeStores()
}

func (s *Server) closeStores() error {
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.state != nil {
		errs = append(errs, s.state.Close())
	}
	return errors.Join(errs...)
}

// self is the exchange as GetExchange shows it.
func (s *Server) self(cfg Config) *registryv1.Exchange {
	e := &registryv1.Exchange{Name: "exchange", TrustDomain: cfg.Domain, LogVerifierKey: cfg.LogKey}
	if bundle, err := cfg.Identity.GetX509BundleForTrustDomain(s.domain); err == nil {
		if pem, err := bundle.Marshal(); err == nil {
			e.BundlePem = string(pem)
		}
	}
	return e
}

// journalKey finds the registered key of a journal.
func (s *Server) journalKey(region, origin string) (note.Verifier, bool) {
	m, ok := s.members.Get(region)
	if !ok {
		return nil, false
	}
	for _, k := range m.GetJournalKeys() {
		if v, err := translog.NewVerifier(k.GetVerifierKey()); err == nil && v.Name() == origin {
			return v, true
		}
	}
	return nil, false
}

func (s *Server) domainOf(region string) string {
	m, _ := s.members.Get(region)
	return m.GetTrustDomain()
}
