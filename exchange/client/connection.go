package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"github.com/kuasheng/kuasheng/certs"
)

const (
	// pingInterval is above the five minutes that gRPC servers tolerate by default: a shorter one gets the connection closed.
	pingInterval = 310 * time.Second
	// pingTimeout is, on Linux, also how long sent bytes may stay unacknowledged before the connection counts as dead. Without it a firewall that
	// forgot the connection makes every call wait for its deadline for a quarter of an hour.
	pingTimeout = 20 * time.Second
)

// connection is a gRPC connection that is made anew when the identity changes: the exchange judges a caller by the certificate of its
// connection, and one that has expired is refused at the next call. Calls under way end on the old one. It implements
// grpc.ClientConnInterface.
type connection struct {
	dial func() (*grpc.ClientConn, error)

	mu      sync.Mutex // guards what follows, and the counts of every generation
	current *generation
	closed  bool
}

// generation is one gRPC connection and the calls on it.
type generation struct {
	conn    *grpc.ClientConn
	calls   int
	retired bool // no new calls; closed with the last one
}

func newConnection(cfg Config, source *certs.Source) (*connection, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(certs.ClientCredentials(source, source, cfg.Exchange)),
		grpc.WithUserAgent("kuasheng-client"),
		// gRPC would wait up to two minutes after an outage; people wait at windows.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}, MinConnectTimeout: 5 * time.Second}),
		// A retry policy from DNS would repeat accesses that are on record.
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(cfg.MaxMessageBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: pingTimeout}),
		grpc.WithUnaryInterceptor(deadline(cfg.Timeout)),
	}
	c := &connection{dial: func() (*grpc.ClientConn, error) {
		conn, err := grpc.NewClient("dns:///"+cfg.Address, options...)
		if err != nil {
			return nil, fmt.Errorf("preparing a connection to %q: %w", cfg.Address, err)
		}
		return conn, nil
	}}
	return c, c.renew()
}

// deadline gives calls without a deadline one, so that none waits for ever.
func deadline(timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

// renew makes the next generation the current one.
func (c *connection) renew() error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return conn.Close()
	}
	old := c.current
	c.current = &generation{conn: conn}
	return c.retire(old)
}

// retire closes a generation as soon as it has no calls. The caller holds mu.
func (c *connection) retire(g *generation) error {
	if g == nil {
		return nil
	}
	g.retired = true
	if g.calls > 0 {
		return nil
	}
	return g.conn.Close()
}

func (c *connection) take() (*generation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	c.current.calls++
	return c.current, nil
}

func (c *connection) release(g *generation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g.calls--
	if g.retired && g.calls == 0 {
		// Nobody waits for this generation any more; closing can only fail if it is closed already.
		_ = g.conn.Close()
	}
}

// Invoke implements grpc.ClientConnInterface.
func (c *connection) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	g, err := c.take()
	if err != nil {
		return err
	}
	defer c.release(g)
	return g.conn.Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface. The call ends, as gRPC defines it, with its context or its last message.
func (c *connection) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	g, err := c.take()
	if err != nil {
		return nil, err
	}
	done := sync.OnceFunc(func() { c.release(g) })
	stream, err := g.conn.NewStream(ctx, desc, method, append(opts[:len(opts):len(opts)], grpc.OnFinish(func(error) { done() }))...)
	if err != nil {
		done()
	}
	return stream, err
}

// close ends all calls on the current generation; those on retired ones end with their contexts.
func (c *connection) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.current.conn.Close()
}
