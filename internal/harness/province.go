package harness

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange/client"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/node"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // the provinces' data
)

// Province is a member with its authority and the replicas of its node.
type Province struct {
	Sys    *System
	Region string
	Domain string
	USCC   string
	CA     *devca.CA
	Dir    string

	replicaKeys []replicaKey
}

type replicaKey struct{ signer, verifier string }

// Replica is one running node.
type Replica struct {
	Province *Province
	Name     string
	Dir      string
	Origin   string
	Node     *node.Node
	File     string // its node.yaml
	// Registry holds the figures of the node that Start opened last.
	Registry *prometheus.Registry
	stop     func()
}

// PersonA and PersonB are synthetic people, with births that nobody alive can have.
const (
	PersonA = "51010018800101001X"
	PersonB = "440100188506150028"
)

// Resource is the code of the resource that every province of a harness shares; Bulk is for exports.
const (
	Resource = "307410000001/000001"
	Bulk     = "307410000001/000002"
)

// uscc gives each region of a test a valid code.
func uscc(region string) string {
	return map[string]string{"410000": "11410000MB0D00416U", "330000": "11330000MB0D00336R", "440000": "11440000MB0D00440Q"}[region]
}

// Province registers a province whose node may run as many replicas as named. Its data is a small SQLite file.
func (s *System) Province(region, domain string, replicas ...string) *Province {
	s.T.Helper()
	p := &Province{Sys: s, Region: region, Domain: domain, USCC: uscc(region), CA: newCA(s.T, domain), Dir: filepath.Join(s.Dir, region)}
	check(s.T, os.MkdirAll(p.Dir, 0o700))
	for _, name := range replicas {
		signer, verifier, err := translog.GenerateKey(domain + "/journal/" + name)
		check(s.T, err)
		p.replicaKeys = append(p.replicaKeys, replicaKey{signer, verifier})
	}
	p.fill()
	s.register(p)
	return p
}

// fill writes the province's data: two people, and 5,000 rows to export.
func (p *Province) fill() {
	db, err := sql.Open("sqlite", filepath.Join(p.Dir, "data.db"))
	check(p.Sys.T, err)
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE deposits (id_number TEXT, account_no TEXT, name TEXT, balance TEXT, since TEXT);
		INSERT INTO deposits VALUES ('` + PersonA + `', 'A-0001', '张三丰', '12345678901234567890.12', '1890-01-31'),
			('` + PersonB + `', 'A-0002', '李四', '0.10', NULL);
		CREATE TABLE ledger (seq INTEGER, note TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 5000) INSERT INTO ledger SELECT i, 'entry number ' || i || ' of the ledger, with some words to fill the row' FROM n;`)
	check(p.Sys.T, err)
}

// nodeYAML is the province's file.
func (p *Province) nodeYAML(replica, dir string, id certs.Files, extra string) string {
	return fmt.Sprintf(`region: "%[1]s"
replica: %[2]s
data_dir: %[3]s
identity:
  svid: %[4]s
  key: %[5]s
  bundles: { %[6]s: %[7]s }
exchange:
  id: spiffe://%[6]s/exchange
  addresses: [ "%[8]s" ]
  log_key: "%[9]s"
sources:
  housing: { sqlite: { path: %[10]s/data.db } }
resources:
  - code: %[11]s
    title: { zh: 住房公积金缴存信息, en: Housing provident fund deposits }
    abstract: { zh: 缴存账户与余额, en: Accounts and balances }
    provider: { name: 住房和城乡建设厅, uscc: %[12]s }
    format: database
    share: { type: conditional, condition: 购房贷款审核, uses: [ 贷款审核 ], mode: service }
    update_cycle: daily
    grade: general_2
    source_department: %[12]s
    fields:
      - { name: account_no, title: { zh: 个人账号, en: Account number }, type: C }
      - { name: name, title: { zh: 姓名, en: Name }, type: C }
      - { name: balance, title: { zh: 余额, en: Balance }, type: Y, unit: CNY }
      - { name: since, title: { zh: 开户日期, en: Opened }, type: D }
    parameters:
      - { name: id_number, title: { zh: 公民身份号码, en: Citizen identity number }, type: C, format: citizen_identity_number, required: true, subject: true, max_length: 18 }
    source: housing
    query: SELECT account_no, name, balance, since FROM deposits WHERE id_number = :id_number
    limits: { timeout: 2s, rows: 200, connections: 8 }
  - code: %[13]s
    title: { zh: 明细账, en: Ledger }
    abstract: { zh: 明细, en: Entries }
    provider: { name: 住房和城乡建设厅, uscc: %[12]s }
    format: database
    share: { type: conditional, condition: 统计, uses: [ 统计 ], mode: service }
    update_cycle: daily
    grade: general_1
    source_department: %[12]s
    fields:
      - { name: seq, title: { zh: 序号, en: Number }, type: I }
      - { name: note, title: { zh: 摘要, en: Note }, type: C }
    parameters:
      - { name: from_seq, title: { zh: 起始序号, en: From }, type: I }
    source: housing
    query: SELECT seq, note FROM ledger WHERE seq >= COALESCE(:from_seq, 0) ORDER BY seq
    limits: { timeout: 5s, rows: 5000, export_rows: 100000, connections: 4 }
policy:
  pseudonym_key: %[3]s/pseudonym.key
  ticket_age: 30s
%[14]s`, p.Region, replica, dir, id.SVID, id.Key, Domain, id.Bundles[Domain], p.Sys.Address, p.Sys.LogKey, p.Dir, Resource, p.USCC, Bulk, extra)
}

// Prepare writes a replica's file and journal without running it. Policy is further YAML of the policy section, indented by two spaces.
func (p *Province) Prepare(name, policy string) *Replica {
	t := p.Sys.T
	t.Helper()
	r := &Replica{Province: p, Name: name, Dir: filepath.Join(p.Dir, name), Origin: p.Domain + "/journal/" + name}
	check(t, os.MkdirAll(r.Dir, 0o700))
	check(t, os.WriteFile(filepath.Join(r.Dir, "pseudonym.key"), []byte(hex.EncodeToString(append(evidence.NewSalt(), evidence.NewSalt()...))), 0o600))
	for _, k := range p.replicaKeys {
		if v, err := translog.NewVerifier(k.verifier); err == nil && v.Name() == r.Origin {
			check(t, os.WriteFile(filepath.Join(r.Dir, "journal.key"), []byte(k.signer), 0o600))
		}
	}
	r.File = filepath.Join(r.Dir, "node.yaml")
	id := p.Sys.Identity(p.CA, "spiffe://"+p.Domain+"/node")
	check(t, os.WriteFile(r.File, []byte(p.nodeYAML(name, r.Dir, id, policy)), 0o600))
	check(t, node.Create(r.config()))
	return r
}

// Run prepares a replica, runs it and waits until it is attached and its entries are published.
func (p *Province) Run(name, policy string) *Replica {
	p.Sys.T.Helper()
	r := p.Prepare(name, policy)
	r.Start()
	p.Sys.T.Cleanup(r.Stop)
	r.WaitAttached()
	p.WaitPublished()
	return r
}

func (r *Replica) config() node.Config {
	t := r.Province.Sys.T
	t.Helper()
	file, err := config.Load(r.File)
	check(t, err)
	signer, verifier, err := keys(r.key().signer, r.key().verifier)
	check(t, err)
	src, err := certs.OpenFiles(context.Background(), certs.Files{SVID: file.Identity.SVID, Key: file.Identity.Key, Bundles: file.Identity.Bundles}, r.Province.Sys.Logger)
	check(t, err)
	t.Cleanup(func() { src.Close() })
	r.Registry = prometheus.NewRegistry()
	return node.Config{
		File: file, Identity: src, JournalSigner: signer, JournalVerifier: verifier, SegmentSize: segmentSize, Software: "harness",
		Registry: r.Registry, Logger: r.Province.Sys.Logger.With("server", r.Province.Region+"/"+r.Name), Now: r.Province.Sys.Now,
	}
}

// key finds the replica's journal key.
func (r *Replica) key() replicaKey {
	t := r.Province.Sys.T
	t.Helper()
	for _, k := range r.Province.replicaKeys {
		if v, err := translog.NewVerifier(k.verifier); err == nil && v.Name() == r.Origin {
			return k
		}
	}
	t.Fatalf("no journal key for replica %q", r.Name)
	return replicaKey{}
}

// Start opens the node and runs it.
func (r *Replica) Start() {
	t := r.Province.Sys.T
	t.Helper()
	n, err := node.Open(context.Background(), r.config())
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	r.Node = n
	r.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Logf("node %s: %v", r.Name, err)
		}
		if err := n.Close(); err != nil {
			t.Logf("closing node %s: %v", r.Name, err)
		}
	}
}

// Stop stops the node gracefully. Start starts it again.
func (r *Replica) Stop() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

// WaitAttached waits until the node is attached.
func (r *Replica) WaitAttached() {
	r.Province.Sys.T.Helper()
	r.Province.Sys.Eventually("attached", func() bool { return r.Node.Attached() })
}

// WaitPublished waits until the province's entries are in the catalogue.
func (p *Province) WaitPublished() {
	p.Sys.T.Helper()
	api := cataloguev1.NewCatalogueServiceClient(p.Sys.Dial(p.CA, "spiffe://"+p.Domain+"/operator/wang"))
	p.Sys.Eventually("published", func() bool {
		page, err := api.ListResources(p.Sys.T.Context(), &cataloguev1.ListResourcesRequest{Parent: "provinces/" + p.Region})
		return err == nil && len(page.GetResources()) == 2
	})
}

// Eventually waits up to 20 seconds for something that other goroutines bring about.
func (s *System) Eventually(what string, done func() bool) {
	s.T.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			s.T.Fatalf("not %s after 20 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ResourceName is the full name of one of the province's resources.
func (p *Province) ResourceName(code string) string {
	return "provinces/" + p.Region + "/resources/" + strings.Replace(code, "/", "-", 1)
}

// AppID is the SPIFFE ID of an application of the province.
func (p *Province) AppID(name string) string { return "spiffe://" + p.Domain + "/app/" + name }

// App is a verifying client of an application of the province. It takes the keys of journals from the exchange.
func (p *Province) App(name string) *client.Client { return p.app(name, nil) }

// AppPinning is one that has the keys of the replicas' journals already.
func (p *Province) AppPinning(name string, replicas ...*Replica) *client.Client {
	p.Sys.T.Helper()
	pins := map[string]string{}
	for _, r := range replicas {
		pins[r.Origin] = r.key().verifier
	}
	return p.app(name, pins)
}

func (p *Province) app(name string, pins map[string]string) *client.Client {
	t := p.Sys.T
	t.Helper()
	exchangeID, err := certs.ParseID("spiffe://" + Domain + "/exchange")
	check(t, err)
	c, err := client.Dial(t.Context(), client.Config{
		Address: p.Sys.Address, Exchange: exchangeID, Identity: p.Sys.Identity(p.CA, p.AppID(name)), LogKey: p.Sys.LogKey, JournalKeys: pins,
	})
	check(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// Query is a request for a person's deposits that a default grant covers.
func Query(provider *Province, person string) *queryv1.QueryResourceRequest {
	return &queryv1.QueryResourceRequest{
		Resource: provider.ResourceName(Resource), Fields: []string{"account_no", "balance"}, Parameters: map[string]string{"id_number": person},
		Purpose: Purpose(), Operator: "clerk-17", RequestId: "req-1",
	}
}

// Purpose is one that a default grant covers.
func Purpose() *grantv1.Purpose {
	return &grantv1.Purpose{
		Code: "housing-loan-review", LegalBasis: grantv1.LegalBasis_LEGAL_BASIS_STATUTORY_DUTY, ServiceItem: "11510000MB0D00512U2000117005001",
		CaseNumber: "HZ-2026-000123", Cause: "公积金贷款审核",
	}
}
