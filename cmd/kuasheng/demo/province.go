package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo/dataset"
	"github.com/kuasheng/kuasheng/node"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// replica is the one replica that each province's node has here.
	replica = "node-1"
	// notable is how many people and enterprises package dataset names; the scenario asks about them.
	notable = 10
	// seed makes the same people at every first start.
	seed = 20260801
)

// province is a member whose node runs here.
type province struct {
	bureau
	folder     *folder
	journalKey string           // verifier key of the journal
	data       dataset.Manifest // what its departments know
	file       *config.Node

	node     *node.Node
	identity *certs.Source
	stop     context.CancelFunc
	ended    chan error // gets one error, or nil, when the node has ended
}

func (p *province) path(parts ...string) string {
	return p.folder.path(append([]string{p.key}, parts...)...)
}

func (p *province) journalDir() string { return p.path("data", "journal", "log") }

// generate makes the departments' databases.
func (p *province) generate(ctx context.Context, cfg Config, progress func(done, total int)) error {
	m, err := dataset.Generate(ctx, p.path("source"), p.region, cfg.People, cfg.Enterprises, seed, progress)
	if err != nil {
		return err
	}
	p.data = m
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("describing the data: %w", err)
	}
	return writeFile(p.path("source", "dataset.json"), text, 0o600)
}

// recall reads what an earlier start has generated.
func (p *province) recall() error {
	text, err := os.ReadFile(p.path("source", "dataset.json"))
	if err != nil {
		return fmt.Errorf("reading what the data is: %w", err)
	}
	if err := json.Unmarshal(text, &p.data); err != nil {
		return fmt.Errorf("reading what the data is: %w", err)
	}
	if len(p.data.People) < notable || len(p.data.Enterprises) < notable {
		return fmt.Errorf("reading what the data is: %w: it names %d people and %d enterprises", errFolder, len(p.data.People), len(p.data.Enterprises))
	}
	return nil
}

// secrets makes the keys that never leave the province.
func (p *province) secrets() (err error) {
	if p.journalKey, err = newLogKey(p.path("secrets", "journal.key"), p.domain()+"/journal/"+replica); err != nil {
		return err
	}
	var key [32]byte
	rand.Read(key[:]) // never fails: see its documentation
	return writeFile(p.path("secrets", "pseudonym.key"), []byte(hex.EncodeToString(key[:])+"\n"), 0o600)
}

// write writes node.yaml with the exchange's address of this start.
func (p *province) write(address, logKey string) error {
	sections, err := dataset.NodeYAML(p.region, "source")
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`# The node's file, written anew by "kuasheng demo" at each start; until then the running node follows what you change in it. Once the demo
# has stopped, "node serve --config" takes it as it is, as long as the SVID in it has not expired ("kuasheng certs issue" makes a new one).
region: %[1]q
replica: %[2]s
data_dir: data
journal_key: secrets/journal.key
identity:
  svid: certs/svid.pem
  key: certs/svid.key
  bundles: { %[3]s: ../ca/%[4]s/%[5]s }
exchange:
  id: spiffe://%[3]s/exchange
  addresses: [ %[6]q ]
  log_key: %[7]q

%[8]s`, p.region.Code, replica, domainOf(exchangeKey), exchangeKey, bundleFile, address, logKey, sections)
	return writeFile(p.path("node.yaml"), []byte(text), 0o600)
}

// start runs the node that the file describes. At the first start it makes its journal.
func (p *province) start(ctx context.Context, first bool, failed chan<- error, logger *slog.Logger) error {
	logger = logger.With("server", p.key)
	file, err := config.Load(p.path("node.yaml"))
	if err != nil {
		return err
	}
	p.file = file
	signer, verifier, err := readLogKey(file.JournalKey, p.journalKey)
	if err != nil {
		return err
	}
	files := certs.Files{SVID: file.Identity.SVID, Key: file.Identity.Key, Bundles: file.Identity.Bundles}
	if p.identity, err = certs.OpenFiles(ctx, files, logger); err != nil {
		return err
	}
	cfg := node.Config{
		File: file, Identity: p.identity, JournalSigner: signer, JournalVerifier: verifier, SegmentSize: segmentSize, Software: "kuasheng demo",
		Registry: prometheus.NewRegistry(), Logger: logger,
	}
	if first {
		if err := node.Create(cfg); err != nil {
			return errors.Join(err, p.identity.Close())
		}
	}
	if p.node, err = node.Open(ctx, cfg); err != nil {
		return errors.Join(err, p.identity.Close())
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.ended = make(chan error, 1)
	go func() {
		err := p.node.Run(ctx)
		failed <- stopped("the node of "+p.key, err)
		p.ended <- err
	}()
	return nil
}

// close finishes what is under way and stops. A node that was not started is closed already.
func (p *province) close() error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	return errors.Join(<-p.ended, p.node.Close(), p.identity.Close())
}

// resource is the name of what the province shares on a topic.
func (p *province) resource(topic dataset.Topic) (string, error) {
	code, ok := dataset.Code(p.region, topic)
	if !ok {
		return "", fmt.Errorf("naming a resource: %s shares nothing on %s: %w", p.key, topic, ErrStep)
	}
	return "provinces/" + p.region.Code + "/resources/" + code.ID(), nil
}

// rows is how many rows a table of a department has.
func (p *province) rows() map[string]int {
	all := map[string]int{}
	for _, f := range p.data.Files {
		for table, n := range f.Rows {
			all[filepath.Base(f.Source)+"."+table] = n
		}
	}
	return all
}
