package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// monitorTime bounds reading a request and writing an answer: whoever scrapes is near.
	monitorTime = 30 * time.Second
	// profileTime leaves room for a CPU profile of half a minute, the default, and one of a minute.
	profileTime = 90 * time.Second
	// monitorHeader is far above what Prometheus and supervisors send.
	monitorHeader = 16 << 10
	// monitorClose is how long a scrape under way is waited for.
	monitorClose = 2 * time.Second
)

// Health answers the monitor's two questions. Before it is set the server is starting: alive and not ready.
type Health struct {
	// Alive is nil while the server can do its work. An error asks the supervisor for a restart.
	Alive func() error
	// Ready is nil while callers should be sent here.
	Ready func() error
}

// Monitor is the port for machines that watch: metrics and health over plain HTTP, without authentication. It shows figures and states, never
// a caller or a value.
type Monitor struct {
	listener net.Listener
	server   *http.Server
	health   atomic.Pointer[Health]
	served   chan error
}

var errStarting = errors.New("starting")

// NewRegistry returns a registry with the figures of process and Go runtime.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return r
}

// StartMonitor listens and serves. Profiles tell the order and time of everything the process does, and taking them costs CPU: they are
// offered on a loopback address only.
func StartMonitor(address string, profiles bool, registry *prometheus.Registry, logger *slog.Logger) (*Monitor, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for metrics: %w", err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); profiles && (!ok || !tcp.IP.IsLoopback()) {
		return nil, errors.Join(Usage(fmt.Errorf("--pprof: listen.metrics is %s; profiles are offered on a loopback address only, as in 127.0.0.1", address)), listener.Close())
	}
	m := &Monitor{listener: listener, served: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}))
	mux.HandleFunc("GET /healthz", m.answer(func(h *Health) error { return h.Alive() }, nil))
	mux.HandleFunc("GET /readyz", m.answer(func(h *Health) error { return errors.Join(h.Alive(), h.Ready()) }, errStarting))
	limit := monitorTime
	if profiles {
		limit = profileTime
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	}
	m.server = &http.Server{
		Handler: mux, ReadTimeout: monitorTime, WriteTimeout: limit, IdleTimeout: 2 * monitorTime, MaxHeaderBytes: monitorHeader,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	go func() { m.served <- m.server.Serve(listener) }()
	return m, nil
}

// Address is where it listens; empty for a monitor that there is none of.
func (m *Monitor) Address() string {
	if m == nil {
		return ""
	}
	return m.listener.Addr().String()
}

// Watch sets whom to ask from now on.
func (m *Monitor) Watch(h Health) { m.health.Store(&h) }

// answer writes 200 or 503 with a reason. starting is the state before anybody can be asked.
func (m *Monitor) answer(ask func(*Health) error, starting error) http.HandlerFunc {
	type state struct {
		Status string `json:"status"`
		Reason string `json:"reason,omitempty"`
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		err := starting
		if h := m.health.Load(); h != nil {
			err = ask(h)
		}
		s, code := state{Status: "ok"}, http.StatusOK
		if err != nil {
			s, code = state{Status: "failing", Reason: err.Error()}, http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(s) // who asked has gone
	}
}

// Close stops serving. It is the last thing a stopping server does, so that its state can be seen to the end.
func (m *Monitor) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), monitorClose)
	defer cancel()
	err := m.server.Shutdown(ctx)
	if err != nil {
		err = m.server.Close() // a scrape that hangs is nobody's loss
	}
	if served := <-m.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serving metrics: %w", served))
	}
	return err
}
