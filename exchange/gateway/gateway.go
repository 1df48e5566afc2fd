package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/door"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

const (
	// maxBody is above the largest message that the protocol's constraints allow, a catalogue entry.
	maxBody = 1 << 20
	// maxHeader is above what any client of ours sends: three headers and a path.
	maxHeader = 16 << 10
	// maxStreams bounds what one HTTP/2 connection has under way.
	maxStreams = 64
	// headerTime bounds the handshake and the header, bodyTime the body: who is slower holds a place for nothing.
	headerTime = 10 * time.Second
	bodyTime   = 15 * time.Second
	// writeTime bounds one write: an export may last for hours, as long as somebody reads it.
	writeTime = 30 * time.Second
	idleTime  = 2 * time.Minute
	// maxAnswer is what the exchange may send here: a page of a thousand entries is its largest message.
	maxAnswer = 64 << 20
)

// Config is what a Gateway needs.
type Config struct {
	Exchange *certs.Memory   // way to the exchange's gRPC server
	Identity x509svid.Source // SVID of the exchange
	Domain   string          // trust domain of the exchange, named in refusals of the gateway's own
	Logger   *slog.Logger
}

// Gateway serves REST. It is an http.Handler, for tests, and serves HTTPS by itself.
type Gateway struct {
	domain  string
	conn    *grpc.ClientConn
	routes  map[string]*route
	custom  map[string]bool // shapes that end in a custom method's verb
	mux     *runtime.ServeMux
	openapi []byte
	server  *http.Server
	places  chan struct{} // one for each request under way
	shares  *door.Tally   // of these, by trust domain
	bodies  *door.Tally   // bodies that are being read, by trust domain

	bodyTime time.Duration // see there; shorter in tests
}

// New puts a gateway together. Its owner calls Close.
func New(cfg Config) (*Gateway, error) {
	g := &Gateway{
		domain: cfg.Domain, places: make(chan struct{}, maxRequests), shares: door.NewTally(maxShare), bodies: door.NewTally(maxShare), bodyTime: bodyTime,
	}
	var err error
	if g.routes, err = readRoutes(services()); err != nil {
		return nil, fmt.Errorf("making the gateway: %w", err)
	}
	g.custom = customShapes(g.routes)
	if g.openapi, err = describe(); err != nil {
		return nil, fmt.Errorf("making the gateway: %w", err)
	}
	if g.conn, err = cfg.Exchange.Dial(grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer))); err != nil {
		return nil, fmt.Errorf("making the gateway: %w", err)
	}
	if err = g.register(); err != nil {
		return nil, errors.Join(fmt.Errorf("making the gateway: %w", err), g.conn.Close())
	}
	g.server = &http.Server{
		Handler: g, TLSConfig: certs.HTTPServerTLS(cfg.Identity, cfg.Logger),
		ConnContext: withVisitor, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		// Anybody can fail a handshake, and must not be able to fill a disk with it.
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	return g, nil
}

func (g *Gateway) register() error {
	none := func(string) (string, bool) { return "", false }
	g.mux = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newMessages()),
		runtime.WithIncomingHeaderMatcher(none), runtime.WithOutgoingHeaderMatcher(none), runtime.WithOutgoingTrailerMatcher(none),
		runtime.WithDisablePathLengthFallback(), runtime.WithDisableHTTPMethodOverride(),
		runtime.WithMiddlewares(g.translate),
		runtime.WithErrorHandler(g.onError), runtime.WithRoutingErrorHandler(g.onRouting), runtime.WithStreamErrorHandler(g.onStream),
	)
	ctx := context.Background() // these register and do not call
	return errors.Join(
		registryv1.RegisterRegistryServiceHandlerClient(ctx, g.mux, registryv1.NewRegistryServiceClient(g.conn)),
		cataloguev1.RegisterCatalogueServiceHandlerClient(ctx, g.mux, cataloguev1.NewCatalogueServiceClient(g.conn)),
		grantv1.RegisterGrantServiceHandlerClient(ctx, g.mux, grantv1.NewGrantServiceClient(g.conn)),
		queryv1.RegisterQueryServiceHandlerClient(ctx, g.mux, eager{queryv1.NewQueryServiceClient(g.conn)}),
		auditv1.RegisterAuditServiceHandlerClient(ctx, g.mux, auditv1.NewAuditServiceClient(g.conn)),
	)
}

// Serve serves HTTPS on a listener until Close.
func (g *Gateway) Serve(l net.Listener) error {
	if err := g.server.ServeTLS(door.Listen(l, connections()), "", ""); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving REST: %w", err)
	}
	return nil
}

// Close takes no more requests, waits for those under way until ctx ends, and cuts the rest. The exchange closes after it.
func (g *Gateway) Close(ctx context.Context) error {
	err := g.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stopping REST: %w", err), g.server.Close())
	}
	return errors.Join(err, g.conn.Close())
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Answers hold people's data: no cache keeps them, no browser guesses what they are.
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w = newResponse(w)
	if r.URL.Path == "/openapi.json" {
		g.serveDescription(w, r)
		return
	}
	g.mux.ServeHTTP(w, bare(r))
}
