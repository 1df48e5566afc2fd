package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/journal"
	"github.com/kuasheng/kuasheng/node/link"
	"github.com/kuasheng/kuasheng/node/policy"
	"github.com/kuasheng/kuasheng/node/source"
	"github.com/kuasheng/kuasheng/node/ticket"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"
)

const (
	// maxOutstanding is how many tickets a replica accepts before it has answered the first. Resources bound their own connections: this
	// only has to keep the link full.
	maxOutstanding = 1024
	// drainTime bounds how long a stopping node waits for answers under way.
	drainTime = 15 * time.Second
	// watchTime is how often the node's file is looked at for changes.
	watchTime = 2 * time.Second
)

// Config is what a Node needs.
type Config struct {
	File            *config.Node
	Identity        *certs.Source
	JournalSigner   note.Signer
	JournalVerifier note.Verifier
	SegmentSize     int64 // 0: the default of package segment
	Software        string
	Registry        *prometheus.Registry
	Logger          *slog.Logger
	Now             func() time.Time // nil: time.Now
}

// Node is a province's node.
type Node struct {
	cfg       Config
	journal   *journal.Journal
	client    *link.Client
	handler   *handler
	publisher *publisher
	serving   atomic.Pointer[serving]
	digest    [sha256.Size]byte // of the file that the node was opened with
	current   atomic.Bool       // the file on disk is in force, whole
	logger    *slog.Logger
}

func (cfg Config) journal() journal.Config {
	return journal.Config{
		Dir: filepath.Join(cfg.File.DataDir, "journal"), Signer: cfg.JournalSigner, Verifier: cfg.JournalVerifier,
		SegmentSize: cfg.SegmentSize, Logger: cfg.Logger, Now: cfg.now(),
	}
}

func (cfg Config) now() func() time.Time {
	if cfg.Now == nil {
		return time.Now
	}
	return cfg.Now
}

// Create makes the journal of a new replica. It fails where there is one already.
func Create(cfg Config) error {
	if err := journal.Create(cfg.journal()); err != nil {
		return fmt.Errorf("creating node: %w", err)
	}
	return nil
}

// Open opens journal and sources. Its owner calls Run, and Close afterwards.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	n := &Node{cfg: cfg, logger: cfg.Logger, digest: fileDigest(cfg.File.File)}
	n.current.Store(true)
	p, err := policy.Load(cfg.File.Policy)
	if err != nil {
		return nil, fmt.Errorf("opening node: %w", err)
	}
	s, err := openServing(ctx, cfg.File, p, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("opening node: %w", err)
	}
	n.serving.Store(s)
	if err := n.open(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("opening node: %w", err), n.Close())
	}
	return n, nil
}

func (n *Node) open(cfg Config) error {
	exchange, err := certs.ParseID(cfg.File.Exchange.ID)
	if err != nil {
		return err
	}
	key, err := translog.NewVerifier(cfg.File.Exchange.LogKey)
	if err != nil {
		return err
	}
	jc := cfg.journal()
	jc.Committed, jc.Failed = link.Dispatch, link.Failed
	if n.journal, err = journal.Open(jc); err != nil {
		return err
	}
	if err := checkPseudonymKey(cfg.File, n.serving.Load().policy, n.journal.Size()); err != nil {
		return err
	}
	n.handler = &handler{
		origin:  key.Name(),
		tickets: ticket.New(cfg.JournalVerifier.Name(), cfg.File.Policy.TicketAge, n.journal.Used, cfg.now()),
		journal: n.journal, serving: n.serving.Load, metrics: newMetrics(cfg.Registry, n), logger: cfg.Logger, now: cfg.now(),
	}
	n.publisher = newPublisher(cfg.File, cfg.Logger)
	n.client, err = link.New(link.Config{
		Addresses: cfg.File.Exchange.Addresses, Credentials: certs.ClientCredentials(cfg.Identity, cfg.Identity, exchange),
		Replica: cfg.File.Replica, Software: cfg.Software, MaxOutstanding: maxOutstanding, ExchangeKey: key, Journal: n.journal, Handler: n.handler,
		Renewed: cfg.Identity.Changed, Attached: n.publisher.run, Logger: cfg.Logger,
	})
	return err
}

// openServing opens what a version of the node's file names.
func openServing(ctx context.Context, file *config.Node, p *policy.Policy, logger *slog.Logger) (*serving, error) {
	set, err := source.Open(ctx, file, logger)
	if err != nil {
		return nil, err
	}
	s := &serving{sources: set, policy: p, codes: map[string]resourceInfo{}}
	for _, r := range file.Resources {
		code, err := ident.ParseResourceCode(r.Code)
		if err != nil {
			set.Close()
			return nil, err
		}
		info := resourceInfo{code: r.Code}
		for _, p := range r.Parameters {
			if p.Subject {
				info.subject, info.subjectFormat = p.Name, string(p.Format)
			}
		}
		s.codes[resourceName(file.Region, code)] = info
	}
	return s, nil
}

func resourceName(region string, code ident.ResourceCode) string {
	return "provinces/" + region + "/resources/" + code.ID()
}

// Run keeps the node attached and its file in force until ctx ends: then it asks for no more tickets, finishes those under way and returns. It
// returns an error when the journal can no longer be written; the node then answers nothing until it is started again.
func (n *Node) Run(ctx context.Context) error {
	attached, detach := context.WithCancel(context.WithoutCancel(ctx))
	defer detach()
	ended := make(chan error, 1)
	go func() { ended <- n.client.Run(attached) }()
	watch, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		n.watch(watch)
	}()
	var err error
	select {
	case err = <-ended:
		stop()
	case <-ctx.Done():
		n.client.Drain()
		patience := time.AfterFunc(drainTime, detach)
		err = <-ended
		patience.Stop()
	}
	<-watched
	return err
}

// Close closes sources and journal; call it after Run has returned.
func (n *Node) Close() error {
	n.serving.Load().sources.Close()
	if n.journal == nil {
		return nil
	}
	return n.journal.Close()
}

// Attached reports whether the node is attached to an exchange.
func (n *Node) Attached() bool { return n.client.Attached() }

// Err is nil while the journal can be written.
func (n *Node) Err() error { return n.journal.Err() }
