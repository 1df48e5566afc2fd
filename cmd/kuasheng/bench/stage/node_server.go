package stage

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/node"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/prometheus/client_golang/prometheus"
)

// nodeFile is the node's configuration in its folder.
const nodeFile = "node.yaml"

// openNode makes and runs the node whose file, identity and keys lie in dir.
func openNode(ctx context.Context, dir string, sp spec, logger *slog.Logger) (*server, error) {
	file, err := config.Load(filepath.Join(dir, nodeFile))
	if err != nil {
		return nil, err
	}
	signer, verifier, _, err := readKeys(dir)
	if err != nil {
		return nil, err
	}
	source, err := certs.OpenFiles(ctx, certs.Files{SVID: file.Identity.SVID, Key: file.Identity.Key, Bundles: file.Identity.Bundles}, logger)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	cfg := node.Config{
		File: file, Identity: source, JournalSigner: signer, JournalVerifier: verifier, SegmentSize: sp.SegmentSize, Software: "kuasheng bench",
		Registry: registry, Logger: logger,
	}
	if err := node.Create(cfg); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	n, err := node.Open(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	life, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(life) }()
	return &server{
		log: logFigures{registry, "kuasheng_node_journal_records", filepath.Join(file.DataDir, "journal", "log", "derived", "blocks")},
		close: func() error {
			stop()
			return errors.Join(<-ended, n.Close(), source.Close())
		},
	}, nil
}
