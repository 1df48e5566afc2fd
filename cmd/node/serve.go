package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kuasheng/kuasheng/internal/daemon"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"github.com/kuasheng/kuasheng/node"
	"github.com/kuasheng/kuasheng/node/config"
)

var (
	errStopping    = errors.New("stopping")
	errNotAttached = errors.New("not attached to the exchange")
)

// serve serves until ctx ends.
func serve(ctx context.Context, file *config.Node, profiles bool, logger *slog.Logger) (err error) {
	if err := initialised(file); err != nil {
		return err
	}
	key, err := readJournalKey(file)
	if err != nil {
		return err
	}
	// The identity outlives ctx: queries under way are answered with it.
	identity, err := openIdentity(context.WithoutCancel(ctx), file, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, identity.Close()) }()
	registry := daemon.NewRegistry()
	cfg := node.Config{
		File: file, Identity: identity, JournalSigner: key.Signer, JournalVerifier: key.Verifier, Software: "kuasheng " + daemon.Version(), Registry: registry, Logger: logger,
	}
	monitor := (*daemon.Monitor)(nil)
	if file.Metrics != "" {
		if monitor, err = daemon.StartMonitor(file.Metrics, profiles, registry, logger); err != nil {
			return inUse(ctx, cfg, err)
		}
		defer func() { err = errors.Join(err, monitor.Close()) }()
	}
	n, err := node.Open(ctx, cfg)
	if err != nil {
		return err
	}
	if monitor != nil {
		monitor.Watch(daemon.Health{Alive: n.Err, Ready: func() error { return ready(ctx, n) }})
	}
	logger.Info("node is serving", "region", file.Region, "replica", file.Replica, "resources", len(file.Resources), "metrics", monitor.Address(),
		"journal_key", key.Public, "version", daemon.Version())
	err = n.Run(ctx)
	if err != nil && monitor != nil && ctx.Err() == nil {
		// Whoever watches sees it on /healthz and decides when to restart; a node that ended by itself would be restarted at once, again and
		// again, while the disk is full.
		logger.Error("node answers nothing until it is started again", "error", err)
		<-ctx.Done()
	}
	logger.Info("node is stopping")
	return errors.Join(err, n.Close())
}

// inUse looks behind an address that cannot be had: if it is this very node that serves there, that is what its operator must hear, and not to
// choose another port.
func inUse(ctx context.Context, cfg node.Config, cause error) error {
	cfg.Registry, cfg.Logger = daemon.NewRegistry(), slog.New(slog.DiscardHandler)
	n, err := node.Open(ctx, cfg)
	if err == nil {
		return errors.Join(cause, n.Close())
	}
	if errors.Is(err, segment.ErrLocked) {
		return fmt.Errorf("this node is being served already: %w", err)
	}
	return cause
}

func ready(ctx context.Context, n *node.Node) error {
	switch {
	case ctx.Err() != nil:
		return errStopping
	case !n.Attached():
		return errNotAttached
	}
	return nil
}
