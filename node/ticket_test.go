package node_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// wantRefused checks that a ticket was refused with a record, and nothing else.
func wantRefused(t *testing.T, a *auditv1.Answer, m *linkv1.TicketAnswer, reason auditv1.Reason) {
	t.Helper()
	if a.GetState() != auditv1.AnswerState_ANSWER_STATE_REFUSED || a.GetReason() != reason {
		t.Errorf("the node recorded %v %v, want a refusal for %v", a.GetState(), a.GetReason(), reason)
	}
	if len(m.GetAnswer()) > 0 || m.GetAnswerFollows() || len(a.GetFieldsReleased()) > 0 {
		t.Errorf("something left with a refusal: %v", m)
	}
}

// TestTicket answers what is permitted, once.
func TestTicket(t *testing.T) {
	x := newFakeExchange(t)
	s := x.attach()
	record := x.intent(nil)
	first := ticketOf(x.append(record), record)
	b := s.batch(first)
	s.send(b)
	a, m := s.answer()
	hash := translog.LeafHash(record)
	if a.GetState() != auditv1.AnswerState_ANSWER_STATE_ANSWERED || !bytes.Equal(a.GetIntentHash(), hash[:]) || string(m.GetAnswer()) != `{"rows":[{"value":"x"}]}` {
		t.Fatalf("the node answered %v with %q", a, m.GetAnswer())
	}

	// The very same record once more in the log: proven, and used.
	again := func(s *stream) {
		t.Helper()
		s.send(s.batch(ticketOf(x.append(record), record)))
		a, m := s.answer()
		wantRefused(t, a, m, auditv1.Reason_REASON_TICKET_REPLAYED)
	}
	again(s)
	s.end()
	s = x.next()
	again(s)
	x.replica.Stop()
	s = x.attach()
	again(s)

	// The very same message again, on the stream where it was good and on a later one, says nothing about a tree that the node does not know
	// already.
	check(t, s.Send(&linkv1.AttachResponse{Message: &linkv1.AttachResponse_Tickets{Tickets: b}}))
	s.broken()
	if n := x.asked.Load(); n != 1 {
		t.Errorf("the source was asked %d times", n)
	}
	var reasons []auditv1.Reason
	for _, a := range x.journal() {
		reasons = append(reasons, a.GetReason())
	}
	const replayed = auditv1.Reason_REASON_TICKET_REPLAYED
	if diff := cmp.Diff([]auditv1.Reason{0, replayed, replayed, replayed, auditv1.Reason_REASON_TICKET_PROOF_INVALID}, reasons); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

// TestTicketRefused sends tickets that the exchange's log proves and that are no permission of this request, now, for this node.
func TestTicketRefused(t *testing.T) {
	x := newFakeExchange(t)
	s := x.attach()
	type edit = func(*auditv1.Record)
	for _, c := range []struct {
		name   string
		record edit
		raw    func([]byte) []byte
		ticket func(*linkv1.Ticket)
		reason auditv1.Reason
	}{
		{name: "aged", record: func(r *auditv1.Record) { r.Time = timestamppb.New(time.Now().Add(-31 * time.Second)) }, reason: auditv1.Reason_REASON_TICKET_AGED},
		{name: "from the future", record: func(r *auditv1.Record) { r.Time = timestamppb.New(time.Now().Add(10 * time.Second)) }, reason: auditv1.Reason_REASON_TICKET_AGED},
		{name: "for another replica", record: func(r *auditv1.Record) { r.GetIntent().JournalOrigin = "henan.example/journal/two" }, reason: auditv1.Reason_REASON_TICKET_MISDIRECTED},
		{name: "for nobody", record: func(r *auditv1.Record) { r.GetIntent().JournalOrigin = "" }, reason: auditv1.Reason_REASON_TICKET_MISDIRECTED},
		{name: "other parameters", ticket: func(t *linkv1.Ticket) { t.Parameters = map[string]string{"key": "l"} }, reason: auditv1.Reason_REASON_TICKET_DIGEST_MISMATCH},
		{name: "no parameters", ticket: func(t *linkv1.Ticket) { t.Parameters = nil }, reason: auditv1.Reason_REASON_TICKET_DIGEST_MISMATCH},
		{name: "one parameter more", ticket: func(t *linkv1.Ticket) { t.Parameters["other"] = "" }, reason: auditv1.Reason_REASON_TICKET_DIGEST_MISMATCH},
		{name: "other salt", ticket: func(t *linkv1.Ticket) { t.ParametersSalt = evidence.NewSalt() }, reason: auditv1.Reason_REASON_TICKET_DIGEST_MISMATCH},
		{name: "no salt", ticket: func(t *linkv1.Ticket) { t.ParametersSalt = nil }, reason: auditv1.Reason_REASON_TICKET_DIGEST_MISMATCH},
		{name: "salt of an export", ticket: func(t *linkv1.Ticket) { t.AnswerSalt = evidence.NewSalt() }, reason: auditv1.Reason_REASON_TICKET_MALFORMED},
		{name: "refused", record: func(r *auditv1.Record) { r.GetIntent().Verdict = auditv1.Verdict_VERDICT_REFUSED }, reason: auditv1.Reason_REASON_TICKET_NOT_PERMITTED},
		{name: "undecided", record: func(r *auditv1.Record) { r.GetIntent().Verdict = 0 }, reason: auditv1.Reason_REASON_TICKET_NOT_PERMITTED},
		{name: "permitted for a reason", record: func(r *auditv1.Record) { r.GetIntent().Reason = auditv1.Reason_REASON_NO_GRANT }, reason: auditv1.Reason_REASON_TICKET_NOT_PERMITTED},
		{name: "an outcome", record: func(r *auditv1.Record) {
			r.Kind = &auditv1.Record_Outcome{Outcome: &auditv1.Outcome{Result: auditv1.Result_RESULT_ANSWERED}}
		}, reason: auditv1.Reason_REASON_TICKET_NOT_PERMITTED},
		{name: "an auditor's read", record: func(r *auditv1.Record) {
			r.Kind = &auditv1.Record_AuditRead{AuditRead: &auditv1.AuditRead{Verdict: auditv1.Verdict_VERDICT_PERMITTED}}
		}, reason: auditv1.Reason_REASON_TICKET_NOT_PERMITTED},
		{name: "no mode", record: func(r *auditv1.Record) { r.GetIntent().Mode = 0 }, reason: auditv1.Reason_REASON_TICKET_MALFORMED},
		{name: "mode of a later version", record: func(r *auditv1.Record) { r.GetIntent().Mode = 7 }, reason: auditv1.Reason_REASON_TICKET_MALFORMED},
		{name: "not a record", raw: func([]byte) []byte { return []byte("not a record") }, reason: auditv1.Reason_REASON_TICKET_MALFORMED},
		{name: "fields of a later version", raw: func(b []byte) []byte {
			return protowire.AppendString(protowire.AppendTag(b, 77, protowire.BytesType), "only on Sundays")
		}, reason: auditv1.Reason_REASON_TICKET_MALFORMED},
		{name: "resumed without a salt", record: func(r *auditv1.Record) {
			r.GetIntent().Mode, r.GetIntent().FromRow = auditv1.Mode_MODE_EXPORT, 3
		}, reason: auditv1.Reason_REASON_TICKET_MALFORMED},
		{name: "before the first row", record: func(r *auditv1.Record) {
			r.GetIntent().Mode, r.GetIntent().FromRow = auditv1.Mode_MODE_EXPORT, -3
		}, reason: auditv1.Reason_REASON_TICKET_MALFORMED},
		{name: "resource not served", record: func(r *auditv1.Record) {
			r.GetIntent().Resource = "provinces/330000/resources/307410000001-000009"
		}, reason: auditv1.Reason_REASON_RESOURCE_NOT_SERVED},
		{name: "unknown field", record: func(r *auditv1.Record) { r.GetIntent().Fields = []string{"value", "other"} }, reason: auditv1.Reason_REASON_FIELD_UNKNOWN},
		{name: "no field", record: func(r *auditv1.Record) { r.GetIntent().Fields = nil }, reason: auditv1.Reason_REASON_FIELD_UNKNOWN},
	} {
		record := x.intent(c.record)
		if c.raw != nil {
			record = c.raw(record)
		}
		ticket := ticketOf(x.append(record), record)
		if c.ticket != nil {
			c.ticket(ticket)
		}
		s.send(s.batch(ticket))
		a, m := s.answer()
		t.Log(c.name)
		wantRefused(t, a, m, c.reason)
		hash := translog.LeafHash(record)
		if !bytes.Equal(a.GetIntentHash(), hash[:]) || a.GetIntentIndex() != ticket.GetIndex() || a.GetExchangeOrigin() != x.verifier.Name() {
			t.Errorf("the refusal cites another intent: %v", a)
		}
	}
	// A clock that is a little ahead does no harm.
	record := x.intent(func(r *auditv1.Record) { r.Time = timestamppb.New(time.Now().Add(3 * time.Second)) })
	if n := x.asked.Load(); n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
	s.send(s.batch(ticketOf(x.append(record), record)))
	if a, _ := s.answer(); a.GetState() != auditv1.AnswerState_ANSWER_STATE_ANSWERED {
		t.Errorf("a ticket from three seconds ahead: %v", a)
	}
}

// TestTicketDistrusted sends batches whose proof does not hold: nothing is answered, the stream ends, and each ticket's refusal is on record.
func TestTicketDistrusted(t *testing.T) {
	x := newFakeExchange(t)
	var want []auditv1.Reason
	for _, c := range []struct {
		name   string
		change func(*stream, *linkv1.TicketBatch)
		reason auditv1.Reason
	}{
		{"no proof", func(_ *stream, b *linkv1.TicketBatch) { b.RangeHashes = nil }, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"half a hash", func(_ *stream, b *linkv1.TicketBatch) { b.RangeHashes = b.RangeHashes[:len(b.RangeHashes)-1] }, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"a hash too many", func(_ *stream, b *linkv1.TicketBatch) { b.RangeHashes = append(b.RangeHashes, make([]byte, 32)...) }, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"no checkpoint", func(_ *stream, b *linkv1.TicketBatch) { b.Checkpoint = nil }, auditv1.Reason_REASON_TICKET_SIGNATURE_INVALID},
		{"another record", func(s *stream, b *linkv1.TicketBatch) { b.Tickets[0].Record = s.x.intent(nil) }, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"no record", func(_ *stream, b *linkv1.TicketBatch) { b.Tickets[0].Record = nil }, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"another place", func(_ *stream, b *linkv1.TicketBatch) { b.Tickets[0].Index-- }, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"no place", func(_ *stream, b *linkv1.TicketBatch) { b.Tickets[0].Index = -1 }, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"a later place", func(_ *stream, b *linkv1.TicketBatch) { b.Tickets[0].Index = 1 << 62 }, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"signed by another key", func(s *stream, b *linkv1.TicketBatch) {
			signerKey, _, err := translog.GenerateKey(s.x.verifier.Name())
			check(t, err)
			signer, err := translog.NewSigner(signerKey)
			check(t, err)
			cp, err := translog.OpenCheckpoint(b.Checkpoint, s.x.verifier)
			check(t, err)
			b.Checkpoint, err = translog.SignCheckpoint(cp, signer)
			check(t, err)
		}, auditv1.Reason_REASON_TICKET_SIGNATURE_INVALID},
		{"smaller tree", func(s *stream, b *linkv1.TicketBatch) {
			checkpoint, err := s.x.log.CheckpointAt(s.sent)
			check(t, err)
			b.Checkpoint, b.RangeHashes, b.Tickets[0].Index = checkpoint, nil, s.sent-1
		}, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"another root of the same size", func(s *stream, b *linkv1.TicketBatch) {
			var err error
			b.Checkpoint, err = translog.SignCheckpoint(translog.Checkpoint{Origin: s.x.verifier.Name(), Size: s.sent}, s.x.signer)
			check(t, err)
		}, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
		{"forked tree", func(s *stream, b *linkv1.TicketBatch) {
			// A second history under the same key, with this very ticket in it.
			fork := s.x.openLog(filepath.Join(t.TempDir(), "fork"))
			for range s.sent {
				_, _, err := fork.Append(context.Background(), s.x.intent(nil))
				check(t, err)
			}
			_, index, err := fork.Append(context.Background(), b.Tickets[0].GetRecord())
			check(t, err)
			checkpoint, edge := fork.State()
			proof, err := fork.Range(s.sent, edge.Size, []int64{index})
			check(t, err)
			b.Checkpoint, b.RangeHashes, b.Tickets[0].Index = checkpoint, evidence.JoinHashes(proof), index
		}, auditv1.Reason_REASON_TICKET_PROOF_INVALID},
	} {
		t.Log(c.name)
		s := x.attach()
		// The tree grows around the ticket, so that its proof has hashes on both sides.
		x.append(x.intent(nil))
		record := x.intent(nil)
		ticket := ticketOf(x.append(record), record)
		x.append(x.intent(nil))
		b := s.batch(ticket)
		if len(b.GetRangeHashes()) == 0 {
			t.Fatal("the proof is empty")
		}
		c.change(s, b)
		check(t, s.Send(&linkv1.AttachResponse{Message: &linkv1.AttachResponse_Tickets{Tickets: b}}))
		s.broken()
		want = append(want, c.reason)
		x.replica.Stop()
	}
	if n := x.asked.Load(); n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
	var got []auditv1.Reason
	for _, a := range x.journal() {
		got = append(got, a.GetReason())
		if a.GetState() != auditv1.AnswerState_ANSWER_STATE_REFUSED || a.GetExchangeTreeSize() != 0 {
			t.Errorf("on record: %v", a)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

// TestNoTicket sends a node everything but a ticket: it answers nothing.
func TestNoTicket(t *testing.T) {
	x := newFakeExchange(t)
	s := x.attach()
	s.send(&linkv1.TicketBatch{Checkpoint: x.log.Checkpoint()})
	intent := translog.LeafHash(x.intent(nil))
	check(t, s.Send(&linkv1.AttachResponse{Message: &linkv1.AttachResponse_Inquiry{Inquiry: &linkv1.Inquiry{Id: 4, Intents: []*linkv1.InquiredIntent{{Index: 3, Hash: intent[:]}}}}}))
	m := s.message()
	if f := m.GetInquiryReply().GetFindings(); len(f) != 1 || len(f[0].GetRecord()) != 0 || f[0].GetIntentIndex() != 3 {
		t.Errorf("reply to an inquiry about nothing: %v", m)
	}
	check(t, s.Send(&linkv1.AttachResponse{})) // a message of no kind
	s.broken()
	if n := len(x.journal()); n != 0 || x.asked.Load() != 0 {
		t.Errorf("%d records, source asked %d times", n, x.asked.Load())
	}
}

// TestSpentTicket declares a ticket unanswered in an inquiry and sends it afterwards: what the exchange was told stays true.
func TestSpentTicket(t *testing.T) {
	x := newFakeExchange(t)
	s := x.attach()
	record := x.intent(nil)
	index := x.append(record)
	hash := translog.LeafHash(record)
	check(t, s.Send(&linkv1.AttachResponse{Message: &linkv1.AttachResponse_Inquiry{Inquiry: &linkv1.Inquiry{Id: 1, Intents: []*linkv1.InquiredIntent{{Index: index, Hash: hash[:]}}}}}))
	m := s.message()
	if f := m.GetInquiryReply().GetFindings(); len(f) != 1 || len(f[0].GetRecord()) != 0 {
		t.Fatalf("reply: %v", m)
	}
	s.send(s.batch(ticketOf(index, record)))
	a, ta := s.answer()
	wantRefused(t, a, ta, auditv1.Reason_REASON_TICKET_REPLAYED)

	x.replica.Stop()
	s = x.attach()
	s.send(s.batch(ticketOf(x.append(record), record)))
	a, ta = s.answer()
	wantRefused(t, a, ta, auditv1.Reason_REASON_TICKET_REPLAYED)
	if n := x.asked.Load(); n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
}

// TestExchangeRolledBack restores an old copy of the exchange's log between two streams: the node attaches to neither a shorter log nor
// another one, also after it was started anew, and attaches again to the right one.
func TestExchangeRolledBack(t *testing.T) {
	x := newFakeExchange(t)
	right := x.log
	s := x.attach()
	record := x.intent(nil)
	s.send(s.batch(ticketOf(x.append(record), record)))
	s.answer()
	size := right.Size()

	for _, c := range []struct {
		name    string
		records int64
	}{{"shorter", 0}, {"another of the same size", size}, {"another, longer", size + 5}} {
		fork := x.openLog(filepath.Join(t.TempDir(), "log"))
		for range c.records {
			_, _, err := fork.Append(context.Background(), x.intent(nil))
			check(t, err)
		}
		x.log = fork
		if c.name == "shorter" {
			s.end() // the node is still running
		} else {
			x.replica.Start()
		}
		select {
		case <-x.refused:
		case <-x.attached:
			t.Fatalf("%s: the node attached", c.name)
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the node did not try", c.name)
		}
		x.replica.Stop()
	}
	x.log = right
	s = x.attach()
	if got := s.hello.GetAccepted().GetSize(); got != size {
		t.Errorf("the node remembers a tree of size %d, want %d", got, size)
	}
}
