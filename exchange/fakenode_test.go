package exchange_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/harness"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
)

// fakeNode speaks a node's side of the link with a journal of its own, whose key is registered. A test decides what it sends: also what no
// honest node would.
type fakeNode struct {
	s       *system
	replica *harness.Replica
	signer  note.Signer
	log     *segment.Log
	conn    *grpc.ClientConn
	api     linkv1.LinkServiceClient
}

// attachment is one attached stream.
type attachment struct {
	linkv1.LinkService_AttachClient
	n    *fakeNode
	sent int64 // tree size of the last batch
}

const fakePayload = `{"rows":[{"account_no":"A-0001","balance":"1.00"}]}`

// fake makes a fake node out of a prepared replica.
func (s *system) fake(r *harness.Replica) *fakeNode {
	s.T.Helper()
	key, err := os.ReadFile(filepath.Join(r.Dir, "journal.key"))
	check(s.T, err)
	n := &fakeNode{s: s, replica: r, conn: s.Dial(r.Province.CA, "spiffe://"+r.Province.Domain+"/node")}
	n.api = linkv1.NewLinkServiceClient(n.conn)
	n.signer, err = translog.NewSigner(string(key))
	check(s.T, err)
	n.log = n.open(filepath.Join(r.Dir, "journal", "log"))
	return n
}

// open opens a journal under the node's key, or makes an empty one where there is none.
func (n *fakeNode) open(dir string) *segment.Log {
	t := n.s.T
	t.Helper()
	key, err := os.ReadFile(filepath.Join(n.replica.Dir, "journal.key"))
	check(t, err)
	// A signer's key ends in its seed, from which the verifier's follows: PRIVATE+KEY+name+hash+seed.
	seed, err := base64.StdEncoding.DecodeString(strings.SplitN(string(key), "+", 5)[4])
	check(t, err)
	verifierKey, err := note.NewEd25519VerifierKey(n.replica.Origin, ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey))
	check(t, err)
	verifier, err := translog.NewVerifier(verifierKey)
	check(t, err)
	cfg := segment.Config{Dir: dir, Origin: n.replica.Origin, Signer: n.signer, Verifier: verifier, SegmentSize: 8 << 20}
	if _, err := os.Stat(dir); err != nil {
		check(t, segment.Create(cfg))
	}
	log, err := segment.Open(cfg)
	check(t, err)
	t.Cleanup(func() { log.Close() })
	return log
}

// handshake attaches; hello and resume change what an honest node would say.
func (n *fakeNode) handshake(hello func(*linkv1.Hello), resume func(*linkv1.LogResume)) (*attachment, error) {
	t := n.s.T
	t.Helper()
	// A stream that does not end as a test expects must not keep it for ever.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	stream, err := n.api.Attach(ctx)
	check(t, err)
	root := translog.Edge{}.Root()
	h := &linkv1.Hello{Version: 1, Replica: n.replica.Name, JournalOrigin: n.replica.Origin, Accepted: &linkv1.TreeState{RootHash: root[:]}, MaxOutstanding: 128}
	if hello != nil {
		hello(h)
	}
	check(t, stream.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_Hello{Hello: h}}))
	m, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	size := m.GetWelcome().GetJournalAccepted().GetSize()
	checkpoint, edge := n.log.State()
	r := &linkv1.LogResume{Checkpoint: checkpoint, EdgeHashes: evidence.HashesToBytes(edge.Hashes)}
	if size > 0 && size <= edge.Size {
		proof, err := n.log.Consistency(size, edge.Size)
		check(t, err)
		r.ConsistencyHashes = evidence.HashesToBytes(proof)
	}
	if resume != nil {
		resume(r)
	}
	if err := stream.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_JournalResume{JournalResume: r}}); err != nil {
		_, err = stream.Recv()
		return nil, err
	}
	return &attachment{LinkService_AttachClient: stream, n: n, sent: edge.Size}, nil
}

// attach attaches honestly and waits until the exchange routes to it.
func (n *fakeNode) attach() *attachment {
	n.s.T.Helper()
	a, err := n.handshake(nil, nil)
	check(n.s.T, err)
	n.s.waitReplicas(n.replica.Province, n.replica.Name)
	return a
}

// tickets waits for the next batch. Inquiries on the way are answered: there is nothing in the journal.
func (a *attachment) tickets() []*linkv1.Ticket {
	a.n.s.T.Helper()
	for {
		m, err := a.Recv()
		check(a.n.s.T, err)
		if in := m.GetInquiry(); in != nil {
			reply := &linkv1.InquiryReply{Id: in.GetId()}
			for _, i := range in.GetIntents() {
				reply.Findings = append(reply.Findings, &linkv1.InquiryFinding{IntentIndex: i.GetIndex()})
			}
			check(a.n.s.T, a.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_InquiryReply{InquiryReply: reply}}))
			continue
		}
		return m.GetTickets().GetTickets()
	}
}

// answer is an honest answer to a ticket: the record and what travels with it.
func (a *attachment) answer(t *linkv1.Ticket) (*auditv1.Record, *linkv1.TicketAnswer) {
	r, err := evidence.DecodeRecord(t.GetRecord())
	check(a.n.s.T, err)
	hash := translog.LeafHash(t.GetRecord())
	salt := evidence.NewSalt()
	record := evidence.NewRecord(time.Now())
	record.Kind = &auditv1.Record_Answer{Answer: &auditv1.Answer{
		IntentHash: hash[:], IntentIndex: t.GetIndex(), ExchangeOrigin: harness.Domain + "/access", ExchangeTreeSize: t.GetIndex() + 1,
		State: auditv1.AnswerState_ANSWER_STATE_ANSWERED, FieldsReleased: r.GetIntent().GetFields(), RowCount: 1,
		AnswerDigest: evidence.AnswerDigest(salt, "application/json", []byte(fakePayload)), AnswerBytes: int64(len(fakePayload)), MediaType: "application/json",
	}}
	return record, &linkv1.TicketAnswer{AnswerSalt: salt, Answer: []byte(fakePayload)}
}

// put puts a record into the journal and returns the batch that proves it.
func (a *attachment) put(record *auditv1.Record, m *linkv1.TicketAnswer) *linkv1.AnswerBatch {
	t := a.n.s.T
	t.Helper()
	b, err := evidence.EncodeRecord(record)
	check(t, err)
	return a.putBytes(b, m)
}

func (a *attachment) putBytes(b []byte, m *linkv1.TicketAnswer) *linkv1.AnswerBatch {
	t := a.n.s.T
	t.Helper()
	_, index, err := a.n.log.Append(t.Context(), b)
	check(t, err)
	m.Index, m.Record = index, b
	size := a.n.log.Size()
	proof, err := a.n.log.Range(a.sent, size, []int64{index})
	check(t, err)
	a.sent = size
	return &linkv1.AnswerBatch{Checkpoint: a.n.log.Checkpoint(), RangeHashes: evidence.JoinHashes(proof), Answers: []*linkv1.TicketAnswer{m}}
}

func (a *attachment) send(b *linkv1.AnswerBatch) {
	a.n.s.T.Helper()
	check(a.n.s.T, a.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_Answers{Answers: b}}))
}

// ended waits for the end of the stream.
func (a *attachment) ended() error {
	for {
		if _, err := a.Recv(); err != nil {
			return err
		}
	}
}

// asking runs a call and gives its error when it ends.
func asking(t testing.TB, call func() error) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	return done
}
