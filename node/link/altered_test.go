package link

import (
	"bytes"
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"github.com/kuasheng/kuasheng/node/ticket"
	"google.golang.org/protobuf/proto"
)

// checkingHandler accepts what a node would query its source for, and nothing more.
type checkingHandler struct {
	checker              *ticket.Checker
	accepted, distrusted atomic.Int64
}

func (h *checkingHandler) Handle(_ context.Context, t *linkv1.Ticket, _ translog.Checkpoint, _ *Reply) {
	if _, err := h.checker.Check(t); err == nil {
		h.accepted.Add(1)
	}
}

func (h *checkingHandler) Distrust(*linkv1.Ticket, error, *Reply) { h.distrusted.Add(1) }

// TestAlteredTicket alters a batch of tickets in every single byte of what decides: record, salt, parameters, index, checkpoint, proof. No
// altered ticket is ever accepted, and what cannot be proven ends the stream.
func TestAlteredTicket(t *testing.T) {
	signerKey, verifierKey, err := translog.GenerateKey("exchange.example/access")
	check(t, err)
	signer, err := translog.NewSigner(signerKey)
	check(t, err)
	verifier, err := translog.NewVerifier(verifierKey)
	check(t, err)
	cfg := segment.Config{Dir: filepath.Join(t.TempDir(), "log"), Origin: verifier.Name(), Signer: signer, Verifier: verifier, SegmentSize: 8 << 20}
	check(t, segment.Create(cfg))
	log, err := segment.Open(cfg)
	check(t, err)
	defer log.Close()

	// Two tickets among records of others, after a tree that the node knows.
	salt, parameters := evidence.NewSalt(), map[string]string{"id_number": "51010018800101001X", "since": "1890-01-31"}
	batch := &linkv1.TicketBatch{}
	var known int64
	var targets []int64
	for i := range 23 {
		r := evidence.NewRecord(time.Now())
		r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{
			Verdict: auditv1.Verdict_VERDICT_PERMITTED, Mode: auditv1.Mode_MODE_QUERY, JournalOrigin: "henan.example/journal/one",
			Resource: "provinces/410000/resources/307410000001-000001", Fields: []string{"balance"}, ParametersDigest: evidence.ParametersDigest(salt, parameters),
		}}
		b, err := evidence.EncodeRecord(r)
		check(t, err)
		_, index, err := log.Append(t.Context(), b)
		check(t, err)
		if i == 4 {
			known = index + 1
		}
		if i == 11 || i == 18 {
			batch.Tickets = append(batch.Tickets, &linkv1.Ticket{Index: index, Record: b, ParametersSalt: salt, Parameters: parameters})
			targets = append(targets, index)
		}
	}
	proof, err := log.Range(known, log.Size(), targets)
	check(t, err)
	batch.Checkpoint, batch.RangeHashes = log.Checkpoint(), evidence.JoinHashes(proof)

	take := func(b *linkv1.TicketBatch) (accepted int64, ended bool) {
		t.Helper()
		signed, err := log.CheckpointAt(known)
		check(t, err)
		cp, err := translog.OpenCheckpoint(signed, verifier)
		check(t, err)
		edge, err := log.EdgeAt(known)
		check(t, err)
		follower, err := translog.FollowFrom(verifier, cp, edge)
		check(t, err)
		never := func(translog.Hash) (bool, error) { return false, nil }
		h := &checkingHandler{checker: ticket.New("henan.example/journal/one", time.Minute, never, time.Now)}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		s := &session{client: &Client{cfg: Config{Handler: h}}, ctx: ctx, cancel: cancel, follower: follower, slots: make(chan struct{}, 8)}
		err = s.takeTickets(b)
		s.workers.Wait()
		if err != nil && h.distrusted.Load() != int64(len(b.GetTickets())) {
			t.Errorf("%d of %d tickets of a distrusted batch were refused", h.distrusted.Load(), len(b.GetTickets()))
		}
		return h.accepted.Load(), err != nil
	}
	if n, ended := take(batch); n != 2 || ended {
		t.Fatalf("the honest batch: %d accepted, ended %v", n, ended)
	}

	// alter calls try with every byte of a field changed in three ways, shortened and lengthened.
	alter := func(name string, mustEnd bool, most int64, get func(*linkv1.TicketBatch) *[]byte) {
		t.Helper()
		whole := bytes.Clone(*get(batch))
		try := func(altered []byte, how string, at int) {
			t.Helper()
			b := proto.CloneOf(batch)
			*get(b) = altered
			if n, ended := take(b); n > most || mustEnd && (n > 0 || !ended) {
				t.Errorf("%s, byte %d %s: %d accepted, ended %v", name, at, how, n, ended)
			}
		}
		for i := range whole {
			for _, mask := range []byte{0x01, 0x80, 0xff} {
				altered := bytes.Clone(whole)
				altered[i] ^= mask
				try(altered, "changed", i)
			}
			try(append(bytes.Clone(whole[:i]), whole[i+1:]...), "left out", i)
		}
		try(nil, "and all others left out", 0)
		try(append(bytes.Clone(whole), 0), "added", len(whole))
	}
	alter("checkpoint", true, 0, func(b *linkv1.TicketBatch) *[]byte { return &b.Checkpoint })
	alter("proof", true, 0, func(b *linkv1.TicketBatch) *[]byte { return &b.RangeHashes })
	for i := range 2 {
		alter("record", true, 0, func(b *linkv1.TicketBatch) *[]byte { return &b.Tickets[i].Record })
		// Salt and parameters are this ticket's own: the other one of the batch stays good.
		alter("salt", false, 1, func(b *linkv1.TicketBatch) *[]byte { return &b.Tickets[i].ParametersSalt })
		for name, value := range parameters {
			for at := range len(name) {
				b := proto.CloneOf(batch)
				other := []byte(name)
				other[at] ^= 1
				delete(b.Tickets[i].Parameters, name)
				b.Tickets[i].Parameters[string(other)] = value
				if n, _ := take(b); n > 1 {
					t.Errorf("parameter's name, byte %d changed: accepted", at)
				}
			}
			for at := range len(value) {
				b := proto.CloneOf(batch)
				other := []byte(value)
				other[at] ^= 1
				b.Tickets[i].Parameters[name] = string(other)
				if n, _ := take(b); n > 1 {
					t.Errorf("parameter's value, byte %d changed: accepted", at)
				}
			}
		}
		for bit := range 64 {
			b := proto.CloneOf(batch)
			b.Tickets[i].Index ^= 1 << bit
			if n, ended := take(b); n > 0 || !ended {
				t.Errorf("index, bit %d: %d accepted, ended %v", bit, n, ended)
			}
		}
	}
	// Where one parameter ends and the next begins is part of the digest.
	b := proto.CloneOf(batch)
	b.Tickets[0].Parameters = map[string]string{"id_number": "51010018800101001", "Xsince": "1890-01-31"}
	if n, _ := take(b); n > 1 {
		t.Error("parameters cut elsewhere: accepted")
	}
	// The order of tickets is that of the log.
	b = proto.CloneOf(batch)
	b.Tickets[0], b.Tickets[1] = b.Tickets[1], b.Tickets[0]
	if n, ended := take(b); n > 0 || !ended {
		t.Errorf("tickets in another order: %d accepted, ended %v", n, ended)
	}
	b.Tickets = []*linkv1.Ticket{batch.Tickets[0], batch.Tickets[0], batch.Tickets[1]}
	if n, ended := take(b); n > 0 || !ended {
		t.Errorf("a ticket twice: %d accepted, ended %v", n, ended)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
