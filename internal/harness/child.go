package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/node"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"
)

const (
	// childVariable names the file that turns a test binary into a server.
	childVariable = "KUASHENG_HARNESS_CHILD"
	// childReady is what a child prints when it serves.
	childReady = "ready"
	// ExitJournal is the exit code of a node that ended because its journal cannot be written, ExitOpen that of a server whose stores
	// could not be opened.
	ExitJournal = 3
	ExitOpen    = 4
)

// childFile says what a child serves: one of the two.
type childFile struct {
	Exchange *childExchange
	Node     *childNode
}

type childExchange struct {
	Dir, Address      string
	Identity          certs.Files
	SignerKey, LogKey string
}

type childNode struct {
	File                  string
	SignerKey, JournalKey string
}

// Main returns at once in an ordinary process. In one that Spawn started it serves until it is asked to stop, and does not return.
func Main() {
	path := os.Getenv(childVariable)
	if path == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone
		os.Exit(1)
	}()
	code, err := runChild(ctx, path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func runChild(ctx context.Context, path string) (code int, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 1, err
	}
	var f childFile
	if err := json.Unmarshal(b, &f); err != nil {
		return 1, err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if f.Exchange != nil {
		return f.Exchange.run(ctx, logger)
	}
	return f.Node.run(ctx, logger)
}

func (c *childExchange) run(ctx context.Context, logger *slog.Logger) (code int, err error) {
	signer, verifier, err := keys(c.SignerKey, c.LogKey)
	if err != nil {
		return 1, err
	}
	src, err := certs.OpenFiles(ctx, c.Identity, logger)
	if err != nil {
		return 1, err
	}
	defer src.Close()
	server, err := exchange.Open(exchange.Config{
		Dir: c.Dir, Domain: Domain, Identity: src, LogSigner: signer, LogVerifier: verifier, LogKey: c.LogKey, SegmentSize: segmentSize,
		Registry: prometheus.NewRegistry(), Logger: logger,
	})
	if err != nil {
		return ExitOpen, err
	}
	l, err := listen(ctx, c.Address)
	if err != nil {
		return 1, errors.Join(err, server.Close())
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.WithoutCancel(ctx), l) }()
	fmt.Println(childReady)
	<-ctx.Done()
	err = errors.Join(server.Close(), <-served)
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// listen takes the address as soon as it is free: after a kill, a client that tries to reach it may hold its port for a moment.
func listen(ctx context.Context, address string) (net.Listener, error) {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for deadline := time.Now().Add(patience); ; {
		l, err := net.Listen("tcp", address)
		if err == nil || time.Now().After(deadline) {
			return l, err
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *childNode) run(ctx context.Context, logger *slog.Logger) (code int, err error) {
	signer, verifier, err := keys(c.SignerKey, c.JournalKey)
	if err != nil {
		return 1, err
	}
	file, err := config.Load(c.File)
	if err != nil {
		return 1, err
	}
	src, err := certs.OpenFiles(ctx, certs.Files{SVID: file.Identity.SVID, Key: file.Identity.Key, Bundles: file.Identity.Bundles}, logger)
	if err != nil {
		return 1, err
	}
	defer src.Close()
	n, err := node.Open(ctx, node.Config{
		File: file, Identity: src, JournalSigner: signer, JournalVerifier: verifier, SegmentSize: segmentSize, Software: "harness",
		Registry: prometheus.NewRegistry(), Logger: logger,
	})
	if err != nil {
		return ExitOpen, err
	}
	fmt.Println(childReady)
	err = n.Run(ctx)
	failed := n.Err() != nil
	err = errors.Join(err, n.Close())
	switch {
	case failed:
		return ExitJournal, err
	case err != nil:
		return 1, err
	}
	return 0, nil
}

func keys(signerKey, verifierKey string) (signer note.Signer, verifier note.Verifier, err error) {
	if signer, err = translog.NewSigner(signerKey); err != nil {
		return nil, nil, err
	}
	verifier, err = translog.NewVerifier(verifierKey)
	return signer, verifier, err
}
