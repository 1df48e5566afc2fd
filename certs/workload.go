package certs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// firstSVID is how long OpenWorkload waits: an agent that has just started answers within seconds, and a wrong socket should be
	// reported while somebody still watches the start.
	firstSVID = 30 * time.Second
	// rewatch is the pause after the agent has ended a watch. The client library waits by itself after other errors.
	rewatch = 5 * time.Second
)

// OpenWorkload takes the identity from a SPIFFE Workload API, for example that of a SPIRE agent, and follows its changes. socket is
// "unix:///path", "tcp://127.0.0.1:port" or a plain path. It waits up to 30 seconds for the first SVID whose ID is one of ours; errors
// wrap ErrSource. If the agent goes away later, the last SVID stays in use until it expires, and the loss is logged once.
//
// Whoever answers at the socket decides who we are, which is why it is a local one: protect it by file permissions.
func OpenWorkload(ctx context.Context, socket string, logger *slog.Logger) (*Source, error) {
	if socket == "" {
		return nil, fmt.Errorf("opening the Workload API: %w: no socket is named; write it like unix:///run/spire/agent.sock", ErrSource)
	}
	if !strings.Contains(socket, "://") {
		socket = "unix://" + socket
	}
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(socket))
	if err != nil {
		return nil, fmt.Errorf("opening the Workload API at %q: %w: %w; write it like unix:///run/spire/agent.sock", socket, ErrSource, err)
	}
	w := &watch{client: client, socket: socket, logger: logger, ready: make(chan struct{})}
	// The source is handed out only after its first state has been stored, so that nobody sees it empty.
	s := newSource(ctx, nil, w.follow)
	timer := time.NewTimer(firstSVID)
	defer timer.Stop()
	select {
	case <-w.ready:
		return s, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = s.Close() // never fails
	if w.last == nil {
		w.last = context.Cause(ctx)
	}
	return nil, fmt.Errorf("waiting for an SVID from the Workload API at %q: %w: %w; is the agent running and this program registered with it?",
		socket, ErrSource, w.last)
}

// watch follows one Workload API. Only the goroutine that runs follow uses it, until that has ended.
type watch struct {
	client *workloadapi.Client
	socket string
	logger *slog.Logger
	source *Source

	ready chan struct{} // closed once the source has its first state
	once  sync.Once     // closes ready
	last  error         // of the last attempt, nil when it went well
}

func (w *watch) follow(ctx context.Context, s *Source) {
	defer w.client.Close()
	w.source = s
	for ctx.Err() == nil {
		// The library gives up when the agent ends the call with certain codes, as one that is being restarted does. We do not. The
		// error has been reported to OnX509ContextWatchError by then.
		_ = w.client.WatchX509Context(ctx, w)
		timer := time.NewTimer(rewatch)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// OnX509ContextUpdate implements workloadapi.X509ContextWatcher.
func (w *watch) OnX509ContextUpdate(update *workloadapi.X509Context) {
	next, err := pick(update)
	if err != nil {
		w.OnX509ContextWatchError(err)
		return
	}
	w.last = nil
	attrs := []any{"id", next.id.String(), "not_after", next.svid.Certificates[0].NotAfter}
	if w.source.current.Load() == nil {
		w.source.current.Store(next)
		w.logger.Info("identity received", attrs...)
	} else if w.source.publish(next) {
		w.logger.Info("identity renewed", attrs...)
	}
	w.once.Do(func() { close(w.ready) })
}

// OnX509ContextWatchError implements workloadapi.X509ContextWatcher. The client tries again by itself.
func (w *watch) OnX509ContextWatchError(err error) {
	first := w.last == nil
	if !first && status.Code(err) == codes.Canceled {
		return // our own giving up, which says less than what came before it
	}
	if w.last = err; first && status.Code(err) != codes.Canceled {
		w.logger.Warn("workload api not answering, trying again", "socket", w.socket, "error", err)
	}
}

// pick takes the first SVID whose ID is of our scheme: an agent may serve several systems on one machine.
func pick(update *workloadapi.X509Context) (*material, error) {
	bundles := make(map[spiffeid.TrustDomain]*x509bundle.Bundle)
	for _, b := range update.Bundles.Bundles() {
		bundles[b.TrustDomain()] = b
	}
	var refused []error
	for _, svid := range update.SVIDs {
		m, err := newMaterial(svid, bundles)
		if err == nil {
			return m, nil
		}
		refused = append(refused, err)
	}
	return nil, fmt.Errorf("choosing among %d SVIDs: %w", len(update.SVIDs), errors.Join(refused...))
}
