package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/node/journal"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Version is the version of the link's protocol.
const Version = 1

const (
	// firstBackoff and lastBackoff bound the wait between two attempts to attach; jitter of a half keeps the nodes of a country from
	// returning all at once after the exchange's restart.
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 15 * time.Second
	// settled is how long a stream must have lived for the next wait to begin at firstBackoff again: an exchange that has worked for a second
	// and is restarted finds its nodes back at once, one that ends every stream is left alone ever longer.
	settled = time.Second
	// maxBatch bounds a batch of tickets: 1,024 of them with 16 KiB of parameters each and 1 MiB of records.
	maxBatch = 32 << 20
	// buffer is the size of the connection's read and write buffers: larger ones save system calls on batches.
	buffer = 128 << 10
	// window is the flow-control window of the stream: a whole batch may be under way.
	window = 4 << 20
)

// Handler answers tickets. It is called in a goroutine of its own for each ticket that the exchange's log proves, and must return soon
// after ctx ends. Whatever it does it reports through the Reply.
type Handler interface {
	Handle(ctx context.Context, t *linkv1.Ticket, log translog.Checkpoint, reply *Reply)
	// Distrust gets tickets whose proof does not hold; the stream ends after it.
	Distrust(t *linkv1.Ticket, cause error, reply *Reply)
}

// Config is what a Client needs.
type Config struct {
	Addresses      []string
	Credentials    credentials.TransportCredentials
	Replica        string
	Software       string
	MaxOutstanding int
	ExchangeKey    note.Verifier
	Journal        *journal.Journal
	Handler        Handler
	// Renewed is signalled when the node's SVID was renewed: the client attaches anew with it.
	Renewed func() <-chan struct{}
	// Attached is called when a stream has been attached, with a connection for other calls to the same exchange; ctx ends with the
	// stream.
	Attached func(ctx context.Context, conn *grpc.ClientConn)
	Logger   *slog.Logger
}

// Client keeps a node attached.
type Client struct {
	cfg      Config
	attached atomic.Bool
	drain    chan struct{} // closed when the node is stopping

	mu       sync.Mutex
	accepted translog.Checkpoint // of the exchange's log, when the last stream ended
}

// New returns a client that goes on from the tree of the exchange that the journal cites.
func New(cfg Config) (*Client, error) {
	size, root, err := cfg.Journal.Accepted()
	if err != nil {
		return nil, fmt.Errorf("reading the accepted tree: %w", err)
	}
	accepted := translog.Follow(cfg.ExchangeKey).Checkpoint()
	if size > 0 {
		accepted.Size, accepted.Root = size, root
	}
	return &Client{cfg: cfg, accepted: accepted, drain: make(chan struct{})}, nil
}

// Attached reports whether a stream is attached.
func (c *Client) Attached() bool { return c.attached.Load() }

// Accepted is the size of the exchange's tree that was accepted last.
func (c *Client) Accepted() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepted.Size
}

// Run attaches, and attaches again whenever a stream ends, until ctx ends, the journal fails, or Drain was called and everything under way has
// been answered.
func (c *Client) Run(ctx context.Context) error {
	backoff := firstBackoff
	for i := 0; ; i++ {
		address := c.cfg.Addresses[i%len(c.cfg.Addresses)]
		started := time.Now()
		err := c.attach(ctx, address)
		if ctx.Err() != nil {
			return nil
		}
		if jerr := c.cfg.Journal.Err(); jerr != nil {
			return fmt.Errorf("%w: %w", journal.ErrUnavailable, jerr)
		}
		select {
		case <-c.drain:
			return nil
		default:
		}
		if time.Since(started) > settled {
			backoff = firstBackoff
		}
		if errors.Is(err, errRenewed) {
			c.cfg.Logger.Info("attaching anew with the renewed SVID")
			i--
			continue
		}
		wait := backoff/2 + rand.N(backoff/2)
		c.log(err, address, wait)
		select {
		case <-time.After(wait):
		case <-c.drain:
			return nil
		case <-ctx.Done():
			return nil
		}
		if i%len(c.cfg.Addresses) == len(c.cfg.Addresses)-1 {
			backoff = min(2*backoff, lastBackoff)
		}
	}
}

func (c *Client) log(err error, address string, wait time.Duration) {
	attrs := []any{"address", address, "retry_in", wait.Round(time.Millisecond).String()}
	for _, grave := range []error{errHistory, errJournalBehind} {
		if errors.Is(err, grave) {
			c.cfg.Logger.Error(grave.Error(), append(attrs, "error", err)...)
			return
		}
	}
	if r, domain, _, ok := refusal.FromStatus(err); ok {
		c.cfg.Logger.Warn("exchange refused or ended the link", append(attrs, "reason", refusal.Name(r.Reason), "hop", domain, "detail", r.Detail)...)
		return
	}
	c.cfg.Logger.Warn("not attached to the exchange", append(attrs, "error", err)...)
}

func (c *Client) attach(ctx context.Context, address string) error {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(c.cfg.Credentials),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxBatch)),
		grpc.WithReadBufferSize(buffer), grpc.WithWriteBufferSize(buffer),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(2*window),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
	)
	if err != nil {
		return fmt.Errorf("dialling %s: %w", address, err)
	}
	defer conn.Close()
	return c.runSession(ctx, conn)
}

// Drain asks the exchange to send nothing more; Run returns when what is under way has been answered. Call it once.
func (c *Client) Drain() { close(c.drain) }
