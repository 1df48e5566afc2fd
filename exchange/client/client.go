package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

// Client asks one exchange. It is safe for concurrent use.
type Client struct {
	conn     *connection
	source   *certs.Source
	own      bool      // the source is ours to close
	verifier *verifier // nil where the evidence is given up
	stall    time.Duration
	logger   *slog.Logger

	stop context.CancelFunc
	done chan struct{} // closed when the goroutine that follows the identity has ended
}

// Dial prepares a client; its owner calls Close. It reads the identity but does not wait for the exchange: one that cannot be reached shows as
// UNAVAILABLE in the calls. Errors wrap ErrConfig, or certs.ErrSource where the identity's files are at fault.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	exchange, pins, err := cfg.keys()
	if err != nil {
		return nil, err
	}
	// The context bounds dialling, often with a time-out; the client outlives it.
	life := context.WithoutCancel(ctx)
	c := &Client{source: cfg.Source, own: cfg.Source == nil, stall: cfg.StallTimeout, logger: cfg.Logger, done: make(chan struct{})}
	if c.own {
		if c.source, err = certs.OpenFiles(life, cfg.Identity, cfg.Logger); err != nil {
			return nil, fmt.Errorf("opening the identity: %w", err)
		}
	}
	// Asked for before the first connection is made, so that no change is missed.
	changed := c.source.Changed()
	if c.conn, err = newConnection(cfg, c.source); err != nil {
		return nil, errors.Join(err, c.closeSource())
	}
	if !cfg.Unverified {
		c.verifier = newVerifier(exchange, newJournals(pins, c.Registry()), cfg.Logger)
	}
	life, c.stop = context.WithCancel(life)
	go c.follow(life, changed)
	return c, nil
}

// follow makes a new connection whenever the identity changes.
func (c *Client) follow(ctx context.Context, changed <-chan struct{}) {
	defer close(c.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			changed = c.source.Changed()
			if err := c.conn.renew(); err != nil {
				c.logger.Error("connection not renewed, the old one stays in use", "error", err)
			}
		}
	}
}

// Close ends all calls and frees everything.
func (c *Client) Close() error {
	c.stop()
	<-c.done
	return errors.Join(c.conn.close(), c.closeSource())
}

func (c *Client) closeSource() error {
	if !c.own {
		return nil
	}
	return c.source.Close()
}

// ID is as whom the client calls.
func (c *Client) ID() certs.ID { return c.source.ID() }

// Registry is the raw client of the service, on the same connection.
func (c *Client) Registry() registryv1.RegistryServiceClient {
	return registryv1.NewRegistryServiceClient(c.conn)
}

// Catalogue is the raw client of the service, on the same connection.
func (c *Client) Catalogue() cataloguev1.CatalogueServiceClient {
	return cataloguev1.NewCatalogueServiceClient(c.conn)
}

// Grants is the raw client of the service, on the same connection.
func (c *Client) Grants() grantv1.GrantServiceClient { return grantv1.NewGrantServiceClient(c.conn) }

// Audit is the raw client of the service, on the same connection. What it returns is not verified.
func (c *Client) Audit() auditv1.AuditServiceClient { return auditv1.NewAuditServiceClient(c.conn) }

// queries is not exported: who wants data takes it with its evidence.
func (c *Client) queries() queryv1.QueryServiceClient { return queryv1.NewQueryServiceClient(c.conn) }
