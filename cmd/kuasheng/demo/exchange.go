package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange"
	"github.com/kuasheng/kuasheng/exchange/config"
	"github.com/kuasheng/kuasheng/exchange/gateway"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"
)

const (
	// segmentSize keeps the demo's logs small: each preallocates one file of it.
	segmentSize = 16 << 20
	// stopTime is how long REST calls under way are waited for at the end.
	stopTime = 5 * time.Second
)

// exchangeServer is the running exchange.
type exchangeServer struct {
	server   *exchange.Server
	gateway  *gateway.Gateway
	identity *certs.Source
	served   chan error // gets two errors, or nils, when serving gRPC and REST has ended
	logDir   string
}

// newLogKey makes the key pair of a log, keeps the signer's half in a file and returns the verifier's.
func newLogKey(path, origin string) (string, error) {
	signer, verifier, err := translog.GenerateKey(origin)
	if err != nil {
		return "", err
	}
	return verifier, writeFile(path, []byte(signer+"\n"), 0o600)
}

// readLogKey reads both halves.
func readLogKey(path, verifierKey string) (note.Signer, note.Verifier, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a log's key: %w", err)
	}
	signer, err := translog.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, nil, err
	}
	verifier, err := translog.NewVerifier(verifierKey)
	if err != nil {
		return nil, nil, err
	}
	return signer, verifier, nil
}

// writeExchangeFile writes exchange.yaml with the addresses of this start.
func writeExchangeFile(path, grpc, rest string) error {
	text := fmt.Sprintf(`# The exchange's file, written anew by "kuasheng demo" at each start. Once the demo has stopped, "exchange serve --config"
# takes it as it is, as long as the SVID in it has not expired ("kuasheng certs issue" makes a new one).
domain: %[1]s
data_dir: data
identity:
  svid: certs/svid.pem
  key: certs/svid.key
  bundles: { %[1]s: ../ca/%[2]s/%[3]s }
log_key: secrets/accesslog.key
segment_size: %[4]dMiB
listen:
  grpc: %[5]s
  rest: %[6]s
`, domainOf(exchangeKey), exchangeKey, bundleFile, segmentSize>>20, grpc, rest)
	return writeFile(path, []byte(text), 0o600)
}

// startExchange serves the exchange that a file describes. At the first start it makes its stores.
func startExchange(ctx context.Context, path, logKey string, first bool, grpc, rest net.Listener, failed chan<- error, logger *slog.Logger) (*exchangeServer, error) {
	file, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	signer, verifier, err := readLogKey(file.LogKey, logKey)
	if err != nil {
		return nil, err
	}
	e := &exchangeServer{served: make(chan error, 2), logDir: filepath.Join(file.DataDir, "accesslog", "log")}
	if e.identity, err = certs.OpenFiles(ctx, file.Identity.Files, logger); err != nil {
		return nil, err
	}
	cfg := exchange.Config{
		Dir: file.DataDir, Domain: file.Domain, Identity: e.identity, LogSigner: signer, LogVerifier: verifier, LogKey: logKey,
		SegmentSize: file.SegmentSize, Registry: prometheus.NewRegistry(), Logger: logger,
	}
	if first {
		if err := exchange.Create(cfg); err != nil {
			return nil, errors.Join(err, e.identity.Close())
		}
	}
	if e.server, err = exchange.Open(cfg); err != nil {
		return nil, errors.Join(err, e.identity.Close())
	}
	e.gateway, err = gateway.New(gateway.Config{Exchange: e.server.Memory(), Identity: e.identity, Domain: file.Domain, Logger: logger})
	if err != nil {
		return nil, errors.Join(err, e.server.Close(), e.identity.Close())
	}
	serve := func(what string, run func() error) {
		err := run()
		failed <- stopped("the exchange's "+what, err)
		e.served <- err
	}
	go serve("gRPC", func() error { return e.server.Serve(ctx, grpc) })
	go serve("REST", func() error { return e.gateway.Serve(rest) })
	return e, nil
}

// close finishes what is under way and stops.
func (e *exchangeServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	err := errors.Join(e.gateway.Close(ctx), e.server.Close())
	return errors.Join(err, <-e.served, <-e.served, e.identity.Close())
}
