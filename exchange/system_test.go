package exchange_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// The other resources of the tests, beside those of every harness.
const (
	byName    = "307410000001/000003" // by a free text, from SQLite
	service   = "307410000001/000004" // from an HTTP service that the test controls
	notShared = "307410000001/000005"
	core      = "307410000001/000006"
	important = "307410000001/000007"
	published = 7 // entries of Henan
)

// logBuffer takes what the servers log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if testing.Verbose() {
		os.Stderr.Write(p)
	}
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// system is an exchange, Henan that provides and Zhejiang that asks.
type system struct {
	*harness.System
	henan, zhejiang *harness.Province
	source          *fakeSource
	logs            *logBuffer
}

// start runs the system without a node; replicas names those that Henan may run.
func start(t *testing.T, replicas ...string) *system {
	t.Helper()
	logs := &logBuffer{}
	s := &system{System: harness.Start(t, logs), logs: logs, source: newFakeSource(t)}
	s.henan = s.Province("410000", "henan.example", replicas...)
	s.zhejiang = s.Province("330000", "zhejiang.example", "one")
	return s
}

// in is the same system for a part of a test.
func (s *system) in(t *testing.T) *system {
	part, h := *s, *s.System
	h.T, part.System = t, &h
	return &part
}

// replica prepares a replica of Henan with the further resources and the policy given.
func (s *system) replica(name, policy string) *harness.Replica {
	s.T.Helper()
	r := s.henan.Prepare(name, policy)
	edit(s.T, r, func(file string) string { return s.extend(file) })
	return r
}

// run runs a replica of Henan and waits until all is published.
func (s *system) run(name, policy string) *harness.Replica {
	s.T.Helper()
	r := s.replica(name, policy)
	r.Start()
	s.T.Cleanup(r.Stop)
	r.WaitAttached()
	s.waitPublished(published)
	return r
}

func edit(t testing.TB, r *harness.Replica, change func(string) string) {
	t.Helper()
	file, err := os.ReadFile(r.File)
	check(t, err)
	check(t, os.WriteFile(r.File, []byte(change(string(file))), 0o600))
}

// extend adds the further resources to a node's file.
func (s *system) extend(file string) string {
	const entry = `  - code: %s
    title: { zh: 测试资源, en: Test }
    abstract: { zh: 测试, en: Test }
    provider: { name: 住房和城乡建设厅, uscc: %s }
    format: database
    update_cycle: daily
    source_department: %[2]s
`
	const shared = "    share: { type: conditional, condition: 审核, uses: [ 审核 ], mode: service }\n"
	uscc := s.henan.USCC
	more := fmt.Sprintf(entry, byName, uscc) + shared + `    grade: general_2
    fields: [ { name: account_no, title: { zh: 个人账号, en: Account }, type: C } ]
    parameters: [ { name: name, title: { zh: 姓名, en: Name }, type: C, required: true, max_length: 1000 } ]
    source: housing
    query: SELECT account_no FROM deposits WHERE name = :name
` + fmt.Sprintf(entry, service, uscc) + shared + `    grade: general_2
    fields: [ { name: value, title: { zh: 值, en: Value }, type: C } ]
    parameters:
      - { name: size, title: { zh: 大小, en: Size }, type: I }
      - { name: day, title: { zh: 日期, en: Day }, type: D }
      - { name: person, title: { zh: 公民身份号码, en: Person }, type: C, format: citizen_identity_number, subject: true, max_length: 18 }
      - { name: wait, title: { zh: 等待, en: Wait }, type: C, max_length: 20 }
      - { name: pad, title: { zh: 填充, en: Padding }, type: C, max_length: 4000 }
    source: fake
    request: { path: /rows, query: { size: "{size}", day: "{day}", person: "{person}", wait: "{wait}", pad: "{pad}" }, rows: rows }
    limits: { timeout: 5s, rows: 10, answer_bytes: 3145728, export_rows: 10, connections: 64 }
` + fmt.Sprintf(entry, notShared, uscc) + `    share: { type: not_shared, reason: 涉密, law: 保守国家秘密法 }
    grade: general_2
    fields: [ { name: value, title: { zh: 值, en: Value }, type: C } ]
` + fmt.Sprintf(entry, core, uscc) + `    share: { type: not_shared, reason: 涉密, law: 保守国家秘密法 }
    grade: core
    fields: [ { name: value, title: { zh: 值, en: Value }, type: C } ]
` + fmt.Sprintf(entry, important, uscc) + shared + `    grade: important
    fields: [ { name: account_no, title: { zh: 个人账号, en: Account }, type: C } ]
    source: housing
    query: SELECT account_no FROM deposits
`
	file = strings.Replace(file, "\nsources:\n", "\nsources:\n  fake: { http: { base_url: \""+s.source.URL+"\" } }\n", 1)
	return strings.Replace(file, "\npolicy:\n", "\n"+more+"policy:\n", 1)
}

func (s *system) waitPublished(n int) {
	s.T.Helper()
	api := cataloguev1.NewCatalogueServiceClient(s.Dial(s.henan.CA, "spiffe://henan.example/operator/wang"))
	s.Eventually("published", func() bool {
		page, err := api.ListResources(s.T.Context(), &cataloguev1.ListResourcesRequest{Parent: "provinces/410000"})
		return err == nil && len(page.GetResources()) == n
	})
}

// grant grants Zhejiang's portal fields of a resource of Henan.
func (s *system) grant(code string, change func(*grantv1.Grant), fields ...string) string {
	s.T.Helper()
	g := &grantv1.Grant{Resource: s.henan.ResourceName(code), Requester: s.zhejiang.AppID("portal"), Fields: fields}
	if change != nil {
		change(g)
	}
	return s.Grant(s.henan, g)
}

// ask is a request of the portal's for a resource of Henan.
func (s *system) ask(code string, parameters map[string]string, fields ...string) *queryv1.QueryResourceRequest {
	r := harness.Query(s.henan, harness.PersonA)
	r.Resource, r.Parameters, r.Fields = s.henan.ResourceName(code), parameters, fields
	return r
}

// queries is the bare service, without the client library's verification.
func (s *system) queries(ca *devca.CA, id string) queryv1.QueryServiceClient {
	s.T.Helper()
	return queryv1.NewQueryServiceClient(s.Dial(ca, id))
}

// auditor reads the log as Henan's auditor: everything in these tests touches Henan or is Zhejiang's.
func (s *system) auditor(p *harness.Province) auditv1.AuditServiceClient {
	s.T.Helper()
	return auditv1.NewAuditServiceClient(s.Dial(p.CA, "spiffe://"+p.Domain+"/auditor/zhao"))
}

// access reads one access of Zhejiang.
func (s *system) access(name string) *auditv1.Access {
	s.T.Helper()
	got, err := s.auditor(s.zhejiang).GetAccess(s.T.Context(), &auditv1.GetAccessRequest{Name: name})
	if err != nil {
		s.T.Fatalf("reading %q: %v", name, err)
	}
	return got
}

// waitResult waits until an access has the last outcome wanted.
func (s *system) waitResult(name string, want ...auditv1.Result) *auditv1.Access {
	s.T.Helper()
	api := s.auditor(s.zhejiang)
	var got *auditv1.Access
	s.Eventually(fmt.Sprintf("%s %v", name, want), func() bool {
		var err error
		got, err = api.GetAccess(s.T.Context(), &auditv1.GetAccessRequest{Name: name})
		check(s.T, err)
		for _, w := range want {
			if got.GetOutcome().GetResult() == w {
				return true
			}
		}
		return false
	})
	return got
}

// accesses lists all that touches a province.
func (s *system) accesses(p *harness.Province) []*auditv1.Access {
	s.T.Helper()
	page, err := s.auditor(p).ListAccesses(s.T.Context(), &auditv1.ListAccessesRequest{PageSize: 1000})
	check(s.T, err)
	return page.GetAccesses()
}

// setState suspends a province or takes it back.
func (s *system) setState(p *harness.Province, state registryv1.MemberState) {
	s.T.Helper()
	registry := registryv1.NewRegistryServiceClient(s.Admin())
	m, err := registry.GetMember(s.T.Context(), &registryv1.GetMemberRequest{Name: "provinces/" + p.Region})
	check(s.T, err)
	m.State = state
	_, err = registry.UpdateMember(s.T.Context(), &registryv1.UpdateMemberRequest{Member: m, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"state"}}})
	check(s.T, err)
}

// wantRefusal checks that an error is typed: code, reason, the hop that refused, and a message in Chinese. It returns the name of the
// access and the subject.
func wantRefusal(t testing.TB, err error, code codes.Code, reason auditv1.Reason, domain string) (access, subject string) {
	t.Helper()
	r, ok := client.RefusalOf(err)
	if !ok {
		t.Fatalf("not a typed refusal: %v", err)
	}
	if r.Code != code || r.Reason != reason || r.Domain != domain {
		t.Fatalf("refused with %v %s by %q, want %v %s by %q: %v", r.Code, r.Name, r.Domain, code, refusal.Name(reason), domain, err)
	}
	chinese := ""
	for _, d := range status.Convert(unwrapped(err)).Details() {
		if m, ok := d.(*errdetails.LocalizedMessage); ok && m.GetLocale() == "zh-CN" {
			chinese = m.GetMessage()
		}
	}
	if !strings.HasPrefix(chinese, refusal.Chinese(reason)) || !strings.HasSuffix(chinese, refusal.Cure(reason)) {
		t.Errorf("%s: message in Chinese is %q", r.Name, chinese)
	}
	return r.Access, r.Subject
}

// details are those of a status, as text.
func details(err error) string {
	return fmt.Sprint(status.Convert(unwrapped(err)).Proto().String())
}

// unwrapped is the status inside the client library's errors, with its own message and details.
func unwrapped(err error) error {
	for err != nil {
		if _, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
			return err
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			break
		}
		err = u.Unwrap()
	}
	return err
}

// fakeSource is an HTTP service in Henan. It counts who asks, answers rows of the size asked for, and waits where it is told to.
type fakeSource struct {
	*httptest.Server
	asked atomic.Int64
	gate  chan struct{} // wait=gate waits for its end
	enter chan struct{} // one for each request that waits at the gate
}

func newFakeSource(t *testing.T) *fakeSource {
	f := &fakeSource{gate: make(chan struct{}), enter: make(chan struct{}, 10000)}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeSource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	switch wait := r.FormValue("wait"); wait {
	case "":
	case "gate":
		f.enter <- struct{}{}
		select {
		case <-f.gate:
		case <-r.Context().Done():
		}
	default:
		d, _ := time.ParseDuration(wait)
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	}
	size, _ := strconv.Atoi(r.FormValue("size"))
	fmt.Fprintf(w, `{"rows":[{"value":%q}]}`, strings.Repeat("x", size))
}

// proxy stands between a node and the exchange, so that a test can cut the connection.
type proxy struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	conns    []net.Conn
	closed   bool
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &proxy{listener: l, to: to}
	go p.serve()
	t.Cleanup(func() { p.listener.Close(); p.cut() })
	return p
}

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		if p.closed {
			in.Close()
			out.Close()
		} else {
			p.conns = append(p.conns, in, out)
			go pipe(in, out)
			go pipe(out, in)
		}
		p.mu.Unlock()
	}
}

func pipe(from, to net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	from.Close()
	to.Close()
}

// cut breaks every connection and takes no more until open.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
