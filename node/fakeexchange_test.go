package node_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/harness"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
)

const resource = "307410000001/000009"

// fakeExchange speaks the exchange's side of the link with a log of its own. A test decides what it sends: also what no honest exchange would.
type fakeExchange struct {
	linkv1.UnimplementedLinkServiceServer
	t        *testing.T
	server   *grpc.Server
	signer   note.Signer
	verifier note.Verifier
	log      *segment.Log
	sys      *harness.System
	henan    *harness.Province
	replica  *harness.Replica
	asked    atomic.Int64 // requests to the province's source
	attached chan *stream
	refused  chan struct{} // one for each handshake that the node broke off
}

// stream is one attached replica, after the handshake.
type stream struct {
	linkv1.LinkService_AttachServer
	x     *fakeExchange
	hello *linkv1.Hello
	sent  int64 // tree size of the last batch
	inbox chan *linkv1.AttachRequest

	drained chan struct{} // closed when the node asks for no more
	ended   chan struct{} // closed when the test ends the stream
}

// newFakeExchange prepares a node whose only exchange is the fake one. Nothing runs yet.
func newFakeExchange(t *testing.T) *fakeExchange {
	t.Helper()
	x := &fakeExchange{t: t, attached: make(chan *stream, 16), refused: make(chan struct{}, 16)}
	x.sys = harness.Start(t, nil)
	x.henan = x.sys.Province("410000", "henan.example", "one")
	x.sys.Stop() // from here on its address is ours

	signerKey, verifierKey, err := translog.GenerateKey(harness.Domain + "/access")
	check(t, err)
	x.signer, err = translog.NewSigner(signerKey)
	check(t, err)
	x.verifier, err = translog.NewVerifier(verifierKey)
	check(t, err)
	x.log = x.openLog(filepath.Join(t.TempDir(), "log"))

	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		x.asked.Add(1)
		fmt.Fprint(w, `{"rows":[{"value":"x"}]}`)
	}))
	t.Cleanup(source.Close)
	x.replica = x.henan.Prepare("one", "")
	file, err := os.ReadFile(x.replica.File)
	check(t, err)
	text := strings.Replace(string(file), x.sys.LogKey, verifierKey, 1)
	text = strings.Replace(text, "\nsources:\n", "\nsources:\n  fake: { http: { base_url: \""+source.URL+"\" } }\n", 1)
	text = strings.Replace(text, "\npolicy:\n", `
  - code: `+resource+`
    title: { zh: 测试资源, en: Test }
    abstract: { zh: 测试, en: Test }
    provider: { name: 住房和城乡建设厅, uscc: `+x.henan.USCC+` }
    format: database
    share: { type: conditional, condition: 审核, uses: [ 审核 ], mode: service }
    update_cycle: daily
    grade: general_2
    source_department: `+x.henan.USCC+`
    fields: [ { name: value, title: { zh: 值, en: Value }, type: C } ]
    parameters: [ { name: key, title: { zh: 键, en: Key }, type: C } ]
    source: fake
    request: { path: /rows, query: { key: "{key}" }, rows: rows }
    limits: { export_rows: 10 }
policy:
`, 1)
	check(t, os.WriteFile(x.replica.File, []byte(text), 0o600))
	x.serve()
	t.Cleanup(x.replica.Stop)
	return x
}

func (x *fakeExchange) openLog(dir string) *segment.Log {
	x.t.Helper()
	cfg := segment.Config{Dir: dir, Origin: x.verifier.Name(), Signer: x.signer, Verifier: x.verifier, SegmentSize: 8 << 20}
	check(x.t, segment.Create(cfg))
	log, err := segment.Open(cfg)
	check(x.t, err)
	x.t.Cleanup(func() { log.Close() })
	return log
}

func (x *fakeExchange) serve() {
	x.t.Helper()
	files := x.sys.Identity(x.sys.CA, "spiffe://"+harness.Domain+"/exchange")
	pem, err := x.henan.CA.Bundle().Marshal()
	check(x.t, err)
	bundle := filepath.Join(x.t.TempDir(), "henan.pem")
	check(x.t, os.WriteFile(bundle, pem, 0o600))
	files.Bundles[x.henan.Domain] = bundle
	src, err := certs.OpenFiles(context.Background(), files, x.sys.Logger)
	check(x.t, err)
	x.t.Cleanup(func() { src.Close() })
	l, err := net.Listen("tcp", x.sys.Address)
	check(x.t, err)
	x.server = grpc.NewServer(grpc.Creds(certs.ServerCredentials(src, src, x.sys.Logger)))
	linkv1.RegisterLinkServiceServer(x.server, x)
	served := make(chan error, 1)
	go func() { served <- x.server.Serve(l) }()
	x.t.Cleanup(func() {
		x.server.Stop()
		<-served
	})
}

// Attach shakes hands honestly and gives the stream to the test until the test or the node ends it.
func (x *fakeExchange) Attach(api linkv1.LinkService_AttachServer) error {
	m, err := api.Recv()
	if err != nil {
		return err
	}
	s := &stream{LinkService_AttachServer: api, x: x, hello: m.GetHello(), inbox: make(chan *linkv1.AttachRequest, 64), drained: make(chan struct{}), ended: make(chan struct{})}
	checkpoint, edge := x.log.State()
	resume := &linkv1.LogResume{Checkpoint: checkpoint, EdgeHashes: evidence.HashesToBytes(edge.Hashes)}
	if size := s.hello.GetAccepted().GetSize(); size > 0 && size <= edge.Size {
		proof, err := x.log.Consistency(size, edge.Size)
		if err != nil {
			return err
		}
		resume.ConsistencyHashes = evidence.HashesToBytes(proof)
	}
	s.sent = edge.Size
	// The journal is never asked for more than that it exists.
	welcome := &linkv1.Welcome{Version: 1, Log: resume, JournalAccepted: &linkv1.TreeState{}}
	if err := api.Send(&linkv1.AttachResponse{Message: &linkv1.AttachResponse_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	if m, err = api.Recv(); err != nil {
		x.refused <- struct{}{}
		return err
	}
	if m.GetJournalResume() == nil {
		return errors.New("the node's second message is no journal resume")
	}
	x.attached <- s
	go s.receive()
	select {
	case <-s.ended:
	case <-s.drained:
	case <-api.Context().Done():
	}
	return nil
}

// receive takes what the node sends. It ends with the stream.
func (s *stream) receive() {
	defer close(s.inbox)
	for {
		m, err := s.LinkService_AttachServer.Recv()
		if err != nil {
			return
		}
		if m.GetDrain() != nil {
			close(s.drained) // nothing of ours is on its way: the stream may end
			return
		}
		s.inbox <- m
	}
}

// attach starts the node and waits for its stream.
func (x *fakeExchange) attach() *stream {
	x.t.Helper()
	x.replica.Start()
	return x.next()
}

// next waits for the node's next stream.
func (x *fakeExchange) next() *stream {
	x.t.Helper()
	select {
	case s := <-x.attached:
		return s
	case <-time.After(20 * time.Second):
		x.t.Fatal("the node did not attach")
		return nil
	}
}

var salt = []byte("0123456789abcdef")

// intent is a permission for the node, as an honest exchange writes it; change makes it another one.
func (x *fakeExchange) intent(change func(*auditv1.Record)) []byte {
	x.t.Helper()
	r := evidence.NewRecord(time.Now())
	r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{
		Caller: &auditv1.Caller{SpiffeId: "spiffe://zhejiang.example/app/portal", CertificateSerial: "1f", Region: "330000"},
		Method: "/kuasheng.query.v1.QueryService/QueryResource", Verdict: auditv1.Verdict_VERDICT_PERMITTED, Mode: auditv1.Mode_MODE_QUERY,
		Resource: x.henan.ResourceName(resource), Grant: "grants/g", Fields: []string{"value"},
		Purpose:          &grantv1.Purpose{Code: "loan", LegalBasis: grantv1.LegalBasis_LEGAL_BASIS_CONSENT, ServiceItem: "000117005001"},
		ParametersDigest: evidence.ParametersDigest(salt, parameters()), JournalOrigin: x.replica.Origin,
	}}
	if change != nil {
		change(r)
	}
	b, err := evidence.EncodeRecord(r)
	check(x.t, err)
	return b
}

func parameters() map[string]string { return map[string]string{"key": "k"} }

// append puts a record into the log and returns its index.
func (x *fakeExchange) append(record []byte) int64 {
	x.t.Helper()
	_, index, err := x.log.Append(context.Background(), record)
	check(x.t, err)
	return index
}

func ticketOf(index int64, record []byte) *linkv1.Ticket {
	return &linkv1.Ticket{Index: index, Record: record, ParametersSalt: salt, Parameters: parameters(), Timeout: durationpb.New(5 * time.Second)}
}

// batch proves tickets honestly, from the tree of the last batch to the log's present one.
func (s *stream) batch(tickets ...*linkv1.Ticket) *linkv1.TicketBatch {
	s.x.t.Helper()
	checkpoint, edge := s.x.log.State()
	var targets []int64
	for _, t := range tickets {
		targets = append(targets, t.GetIndex())
	}
	proof, err := s.x.log.Range(s.sent, edge.Size, targets)
	check(s.x.t, err)
	return &linkv1.TicketBatch{Checkpoint: checkpoint, RangeHashes: evidence.JoinHashes(proof), Tickets: tickets}
}

// send sends a batch that the node is to accept as proven.
func (s *stream) send(b *linkv1.TicketBatch) {
	s.x.t.Helper()
	check(s.x.t, s.Send(&linkv1.AttachResponse{Message: &linkv1.AttachResponse_Tickets{Tickets: b}}))
	s.sent = s.x.log.Size()
}

// message waits for the node's next message.
func (s *stream) message() *linkv1.AttachRequest {
	s.x.t.Helper()
	select {
	case m, ok := <-s.inbox:
		if !ok {
			s.x.t.Fatal("the stream has ended")
		}
		return m
	case <-time.After(20 * time.Second):
		s.x.t.Fatal("the node sends nothing")
		return nil
	}
}

// answer waits for the answer to one ticket.
func (s *stream) answer() (*auditv1.Answer, *linkv1.TicketAnswer) {
	s.x.t.Helper()
	m := s.message()
	if len(m.GetAnswers().GetAnswers()) != 1 {
		s.x.t.Fatalf("got %v, want one answer", m)
	}
	a := m.GetAnswers().GetAnswers()[0]
	r, err := evidence.DecodeRecord(a.GetRecord())
	check(s.x.t, err)
	return r.GetAnswer(), a
}

// broken waits until the node has given the stream up, without an answer.
func (s *stream) broken() {
	s.x.t.Helper()
	for m := range s.inbox {
		for _, a := range m.GetAnswers().GetAnswers() {
			if len(a.GetAnswer()) > 0 {
				s.x.t.Errorf("the node answered: %v", m)
			}
		}
	}
}

// end ends the stream from the exchange's side.
func (s *stream) end() { close(s.ended) }

// journal stops the node and reads what it has put on record.
func (x *fakeExchange) journal() []*auditv1.Answer {
	x.t.Helper()
	x.replica.Stop()
	key, err := os.ReadFile(filepath.Join(x.replica.Dir, "journal.key"))
	check(x.t, err)
	signer, err := translog.NewSigner(string(key))
	check(x.t, err)
	// A signer's key ends in its seed, from which the verifier's follows: PRIVATE+KEY+name+hash+seed.
	seed, err := base64.StdEncoding.DecodeString(strings.SplitN(string(key), "+", 5)[4])
	check(x.t, err)
	verifierKey, err := note.NewEd25519VerifierKey(x.replica.Origin, ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey))
	check(x.t, err)
	verifier, err := translog.NewVerifier(verifierKey)
	check(x.t, err)
	log, err := segment.Open(segment.Config{Dir: filepath.Join(x.replica.Dir, "journal", "log"), Origin: x.replica.Origin, Signer: signer, Verifier: verifier, SegmentSize: 8 << 20})
	check(x.t, err)
	defer log.Close()
	var all []*auditv1.Answer
	check(x.t, log.Scan(context.Background(), 0, func(_ int64, b []byte) error {
		r, err := evidence.DecodeRecord(b)
		if err == nil {
			all = append(all, r.GetAnswer())
		}
		return err
	}))
	return all
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
