package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kuasheng/kuasheng/exchange"
	"github.com/kuasheng/kuasheng/exchange/config"
	"github.com/kuasheng/kuasheng/exchange/gateway"
	"github.com/kuasheng/kuasheng/internal/daemon"
)

// restTime is how long REST calls under way are waited for, before the exchange itself stops in the same way.
const restTime = 10 * time.Second

var errStopping = errors.New("stopping")

// serve serves until ctx ends. Everything that can fail at the start fails before the stores are opened.
func serve(ctx context.Context, file *config.Exchange, profiles bool, logger *slog.Logger) (err error) {
	if err := initialised(file); err != nil {
		return err
	}
	key, err := daemon.ReadLogKey(file.LogKey)
	if err != nil {
		return err
	}
	// The identity outlives ctx: calls under way are finished with it.
	identity, err := openIdentity(context.WithoutCancel(ctx), file, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, identity.Close()) }()
	registry := daemon.NewRegistry()
	monitor := (*daemon.Monitor)(nil)
	if file.Listen.Metrics != "" {
		if monitor, err = daemon.StartMonitor(file.Listen.Metrics, profiles, registry, logger); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, monitor.Close()) }()
	}
	listeners, err := listen(file.Listen)
	if err != nil {
		return err
	}
	server, err := exchange.Open(exchange.Config{
		Dir: file.DataDir, Domain: file.Domain, Identity: identity, LogSigner: key.Signer, LogVerifier: key.Verifier, LogKey: key.Public,
		SegmentSize: file.SegmentSize, Registry: registry, Logger: logger,
	})
	if err != nil {
		return errors.Join(err, listeners.close())
	}
	rest, err := gateway.New(gateway.Config{Exchange: server.Memory(), Identity: identity, Domain: file.Domain, Logger: logger})
	if err != nil {
		return errors.Join(err, listeners.close(), server.Close())
	}
	if monitor != nil {
		monitor.Watch(daemon.Health{Alive: server.Err, Ready: func() error {
			if ctx.Err() != nil {
				return errStopping
			}
			return nil
		}})
	}
	logger.Info("exchange is serving", "domain", file.Domain, "grpc", address(listeners.grpc), "rest", address(listeners.rest), "metrics", monitor.Address(),
		"log_key", key.Public, "version", daemon.Version())
	return serveAll(ctx, server, rest, listeners, logger)
}

// serveAll serves until ctx ends or one of the servers fails, and then stops all of them: REST first, because it calls the other.
func serveAll(ctx context.Context, server *exchange.Server, rest *gateway.Gateway, s sockets, logger *slog.Logger) error {
	group, ended := errgroup.WithContext(ctx)
	// Not with ctx: its end begins the stop, in which health must still be told.
	group.Go(func() error { return server.Serve(context.WithoutCancel(ctx), s.grpc) })
	if s.rest != nil {
		group.Go(func() error { return rest.Serve(s.rest) })
	}
	group.Go(func() error {
		<-ended.Done()
		logger.Info("exchange is stopping")
		// Asked before the stores are closed, after which they can do no work by right.
		failed := server.Err()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), restTime)
		defer cancel()
		if err := rest.Close(bounded); err != nil {
			logger.Warn("REST calls were cut", "error", err)
		}
		return errors.Join(failed, server.Close())
	})
	err := group.Wait()
	logger.Info("exchange has stopped")
	return err
}

// sockets are what the exchange listens on.
type sockets struct{ grpc, rest net.Listener } // rest is nil for none

func listen(l config.Listen) (s sockets, err error) {
	if s.grpc, err = net.Listen("tcp", l.GRPC); err != nil {
		return s, fmt.Errorf("listening for gRPC: %w", err)
	}
	if l.REST == "" {
		return s, nil
	}
	if s.rest, err = net.Listen("tcp", l.REST); err != nil {
		return s, errors.Join(fmt.Errorf("listening for REST: %w", err), s.grpc.Close())
	}
	return s, nil
}

func (s sockets) close() error {
	if s.rest == nil {
		return s.grpc.Close()
	}
	return errors.Join(s.grpc.Close(), s.rest.Close())
}

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}
