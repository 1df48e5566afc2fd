package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"
)

const (
	signerFile   = "log.key"
	verifierFile = "log.pub"
)

// openExchange makes and serves the exchange whose identity and keys lie in dir.
func openExchange(ctx context.Context, dir string, sp spec, logger *slog.Logger) (*server, error) {
	signer, verifier, key, err := readKeys(dir)
	if err != nil {
		return nil, err
	}
	source, err := certs.OpenFiles(ctx, identity(dir, exchangeDomain), logger)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	cfg := exchange.Config{
		Dir: filepath.Join(dir, "data"), Domain: exchangeDomain, Identity: source, LogSigner: signer, LogVerifier: verifier, LogKey: key,
		SegmentSize: sp.SegmentSize, Registry: registry, Logger: logger,
	}
	if err := exchange.Create(cfg); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	x, err := exchange.Open(cfg)
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	l, err := net.Listen("tcp", loopback)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening: %w", err), x.Close(), source.Close())
	}
	served := make(chan error, 1)
	go func() { served <- x.Serve(ctx, l) }()
	return &server{
		address: l.Addr().String(),
		log:     logFigures{registry, "kuasheng_exchange_log_records", filepath.Join(cfg.Dir, "accesslog", "log", "derived", "blocks")},
		close:   func() error { return errors.Join(x.Close(), <-served, source.Close()) },
	}, nil
}

// writeKeys makes the key of a log and returns its public half.
func writeKeys(dir, origin string) (verifier string, err error) {
	signer, verifier, err := translog.GenerateKey(origin)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, signerFile), []byte(signer), 0o600); err != nil {
		return "", fmt.Errorf("writing a log's key: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, verifierFile), []byte(verifier), 0o600); err != nil {
		return "", fmt.Errorf("writing a log's key: %w", err)
	}
	return verifier, nil
}

func readKeys(dir string) (note.Signer, note.Verifier, string, error) {
	secret, err := os.ReadFile(filepath.Join(dir, signerFile))
	if err != nil {
		return nil, nil, "", fmt.Errorf("reading a log's key: %w", err)
	}
	public, err := os.ReadFile(filepath.Join(dir, verifierFile))
	if err != nil {
		return nil, nil, "", fmt.Errorf("reading a log's key: %w", err)
	}
	signer, err := translog.NewSigner(string(secret))
	if err != nil {
		return nil, nil, "", err
	}
	verifier, err := translog.NewVerifier(string(public))
	if err != nil {
		return nil, nil, "", err
	}
	return signer, verifier, string(public), nil
}
