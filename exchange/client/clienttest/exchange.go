package clienttest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// Trust domains and names of the fake system.
const (
	ExchangeDomain = "exchange.example"
	Provider       = "provinces/410000"
	Requester      = "provinces/330000"
	ProviderDomain = "henan.example"
	CallerDomain   = "zhejiang.example"
	Resource       = "provinces/410000/resources/307410000001-000001"
	Purpose        = "housing-loan-review"
	ServiceItem    = "000117005001"
)

// Exchange is the fake exchange.
type Exchange struct {
	queryv1.UnimplementedQueryServiceServer
	registryv1.UnimplementedRegistryServiceServer
	cataloguev1.UnimplementedCatalogueServiceServer
	grantv1.UnimplementedGrantServiceServer
	auditv1.UnimplementedAuditServiceServer

	Address      string
	ID           certs.ID
	Log, Journal *Log

	// What follows is set by the test before it calls.

	// Rows are what the province holds: the values of each row by field.
	Rows []map[string]string
	// Masked fields are shown as "*".
	Masked []string
	// CutAfter ends an export without a trailer after so many rows, where it is positive; only the first one.
	CutAfter int

	// The lies. Each may be nil.
	OnIntent   func(*auditv1.Intent)                 // before it goes on record
	OnAnswer   func(*auditv1.Answer)                 // before it goes on record
	OnResponse func(*queryv1.QueryResourceResponse)  // before it goes to the caller
	OnExport   func(*queryv1.ExportResourceResponse) // before each message goes to the caller

	dir string
	cas map[string]*devca.CA

	mu        sync.Mutex // guards what follows
	members   map[string]*registryv1.Member
	resources map[string]*cataloguev1.Resource
	grants    []*grantv1.Grant
	cut       bool
}

// New starts a fake exchange that stops with the test.
func New(t testing.TB) *Exchange {
	t.Helper()
	e := &Exchange{
		Log: NewLog(t, ExchangeDomain+"/log"), Journal: NewLog(t, ProviderDomain+"/journal/1"),
		dir: t.TempDir(), cas: map[string]*devca.CA{},
		members: map[string]*registryv1.Member{}, resources: map[string]*cataloguev1.Resource{},
		Rows: []map[string]string{{"name": "张某", "deposit": "1200.50"}, {"name": "李某", "deposit": "9007199254740993"}},
	}
	for _, domain := range []string{ExchangeDomain, ProviderDomain, CallerDomain} {
		ca, err := devca.Create(filepath.Join(e.dir, domain), spiffeid.RequireTrustDomainFromString(domain))
		if err != nil {
			t.Fatal(err)
		}
		e.cas[domain] = ca
	}
	e.seed(t)
	e.serve(t)
	return e
}

// seed registers two provinces, one resource, and one grant to the application "housing-portal".
func (e *Exchange) seed(t testing.TB) {
	t.Helper()
	for name, domain := range map[string]string{Provider: ProviderDomain, Requester: CallerDomain} {
		bundle, err := os.ReadFile(e.BundleFile(domain))
		if err != nil {
			t.Fatal(err)
		}
		m := &registryv1.Member{
			Name: name, Uscc: "11410000MB0D00416U", DisplayNameZh: "数据局", DisplayNameEn: "Data bureau of " + domain, TrustDomain: domain,
			BundlePem: string(bundle), State: registryv1.MemberState_MEMBER_STATE_ACTIVE, Etag: "1",
		}
		if name == Provider {
			m.JournalKeys = []*registryv1.JournalKey{{VerifierKey: e.Journal.Key}}
		}
		e.members[name] = m
	}
	e.resources[Resource] = SampleResource()
	e.grants = []*grantv1.Grant{{
		Name: "grants/1", Resource: Resource, Requester: "spiffe://" + CallerDomain + "/app/housing-portal", Fields: []string{"name", "deposit"},
		Purposes: []string{Purpose}, State: grantv1.GrantState_GRANT_STATE_ACTIVE, Etag: "1",
	}}
}

// SampleResource is the entry that every fake exchange has.
func SampleResource() *cataloguev1.Resource {
	return &cataloguev1.Resource{
		Name: Resource, Code: "307410000001/000001", Title: &cataloguev1.LocalizedText{Zh: "住房公积金缴存", En: "Housing provident fund deposits"},
		Provider: &cataloguev1.Department{DisplayName: "河南省住房和城乡建设厅", Uscc: "11410000MB0D00416U"},
		Fields: []*cataloguev1.Field{
			{Name: "name", Title: &cataloguev1.LocalizedText{Zh: "姓名"}, Type: cataloguev1.FieldType_FIELD_TYPE_STRING},
			{Name: "deposit", Title: &cataloguev1.LocalizedText{Zh: "缴存额"}, Type: cataloguev1.FieldType_FIELD_TYPE_CURRENCY},
			{Name: "phone", Title: &cataloguev1.LocalizedText{Zh: "电话"}, Type: cataloguev1.FieldType_FIELD_TYPE_STRING},
		},
		State: cataloguev1.ResourceState_RESOURCE_STATE_PUBLISHED, Revision: 1, Etag: "1",
	}
}

func (e *Exchange) serve(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	own := e.Identity(t, ExchangeDomain, certs.RoleExchange, "")
	e.ID = certs.ID{TrustDomain: spiffeid.RequireTrustDomainFromString(ExchangeDomain), Role: certs.RoleExchange}
	for domain := range e.cas {
		own.Bundles[domain] = e.BundleFile(domain)
	}
	logger := slog.New(slog.DiscardHandler)
	source, err := certs.OpenFiles(ctx, own, logger)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(certs.ServerCredentials(source, source, logger)))
	queryv1.RegisterQueryServiceServer(server, e)
	registryv1.RegisterRegistryServiceServer(server, e)
	cataloguev1.RegisterCatalogueServiceServer(server, e)
	grantv1.RegisterGrantServiceServer(server, e)
	auditv1.RegisterAuditServiceServer(server, e)
	e.Address = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
		cancel()
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
}

// BundleFile is the file with the authorities of a trust domain.
func (e *Exchange) BundleFile(domain string) string {
	return filepath.Join(e.dir, domain, "bundle.pem")
}

// Identity issues an SVID and returns its files, with the exchange's bundle.
func (e *Exchange) Identity(t testing.TB, domain string, role certs.Role, name string) certs.Files {
	t.Helper()
	id, err := certs.NewID(spiffeid.RequireTrustDomainFromString(domain), role, name)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(e.dir, domain, role.String()+"-"+name)
	e.Issue(t, dir, id)
	return certs.Files{
		SVID: filepath.Join(dir, devca.SVIDFile), Key: filepath.Join(dir, devca.KeyFile),
		Bundles: map[string]string{ExchangeDomain: e.BundleFile(ExchangeDomain)},
	}
}

// Issue writes a fresh SVID to a directory, in place of an older one.
func (e *Exchange) Issue(t testing.TB, dir string, id certs.ID) {
	t.Helper()
	svid, err := e.cas[id.TrustDomain.Name()].Issue(id, devca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := devca.WriteSVID(dir, svid); err != nil {
		t.Fatal(err)
	}
}

// Grants are the grants so far, newest last.
func (e *Exchange) Grants() []*grantv1.Grant {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*grantv1.Grant(nil), e.grants...)
}

// caller is the verified caller of an RPC.
func caller(ctx context.Context) (certs.Peer, error) {
	p, err := certs.PeerFromContext(ctx, time.Now())
	if err != nil {
		return p, refusal.New(auditv1.Reason_REASON_CLIENT_CERTIFICATE_UNTRUSTED, "%v", err).Status(ExchangeDomain, "").Err()
	}
	return p, nil
}

func refuse(reason auditv1.Reason, format string, args ...any) error {
	return refusal.New(reason, format, args...).Status(ExchangeDomain, "").Err()
}

func accessName(index int64) string { return fmt.Sprintf("accesses/%d", index) }
