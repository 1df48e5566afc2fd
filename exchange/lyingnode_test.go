package exchange_test

import (
	"path/filepath"
	"strings"
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/harness"
	"github.com/kuasheng/kuasheng/internal/translog"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// waitReplicas waits until a province has exactly these replicas attached.
func (s *system) waitReplicas(p *harness.Province, names ...string) {
	s.T.Helper()
	registry := registryv1.NewRegistryServiceClient(s.Admin())
	s.Eventually("attached: "+strings.Join(names, " "), func() bool {
		m, err := registry.GetMember(s.T.Context(), &registryv1.GetMemberRequest{Name: "provinces/" + p.Region})
		if err != nil || len(m.GetAttachedReplicas()) != len(names) {
			return false
		}
		attached := map[string]bool{}
		for _, name := range m.GetAttachedReplicas() {
			attached[name] = true
		}
		for _, name := range names {
			if !attached[name] {
				return false
			}
		}
		return true
	})
}

// published prepares Henan with its entries in the catalogue and no node attached.
func (s *system) publishedWithout(replicas ...string) []*harness.Replica {
	s.T.Helper()
	first := s.replica(replicas[0], "")
	first.Start()
	first.WaitAttached()
	s.waitPublished(published)
	first.Stop()
	all := []*harness.Replica{first}
	for _, name := range replicas[1:] {
		all = append(all, s.replica(name, ""))
	}
	s.waitReplicas(s.henan)
	return all
}

// TestLyingNode has a node answer with what its journal does not prove: the stream ends with the reason, the caller gets no data and is told
// so, and the access stands as interrupted.
func TestLyingNode(t *testing.T) {
	s := start(t, "one")
	n := s.fake(s.publishedWithout("one")[0])
	s.grant(harness.Resource, nil, "account_no", "balance")
	s.grant(harness.Bulk, nil, "seq")
	queries := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	query := func() error {
		_, err := queries.QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
		return err
	}
	export := func() error {
		stream, err := queries.ExportResource(t.Context(), &queryv1.ExportResourceRequest{Resource: s.henan.ResourceName(harness.Bulk), Fields: []string{"seq"}, Purpose: harness.Purpose()})
		for err == nil {
			_, err = stream.Recv()
		}
		return err
	}

	type lie struct {
		name   string
		call   func() error
		record func(*auditv1.Record) // what the journal says
		raw    func([]byte) []byte
		answer func(*linkv1.TicketAnswer) // what travels beside it
		batch  func(*linkv1.AnswerBatch)
	}
	a := func(change func(*auditv1.Answer)) func(*auditv1.Record) {
		return func(r *auditv1.Record) { change(r.GetAnswer()) }
	}
	for _, c := range []lie{
		{name: "other bytes", answer: func(m *linkv1.TicketAnswer) { m.Answer = []byte(`{"rows":[{"account_no":"A-0002"}]}`) }},
		{name: "no bytes", answer: func(m *linkv1.TicketAnswer) { m.Answer = nil }},
		{name: "other salt", answer: func(m *linkv1.TicketAnswer) { m.AnswerSalt = evidence.NewSalt() }},
		{name: "no salt", answer: func(m *linkv1.TicketAnswer) { m.AnswerSalt = nil }, record: a(func(a *auditv1.Answer) { a.AnswerDigest = evidence.AnswerDigest(nil, a.MediaType, []byte(fakePayload)) })},
		{name: "other media type", record: a(func(a *auditv1.Answer) { a.MediaType = "text/html" })},
		{name: "other size", record: a(func(a *auditv1.Answer) { a.AnswerBytes++ })},
		{name: "another intent's hash", record: a(func(a *auditv1.Answer) { a.IntentHash = make([]byte, 32) })},
		{name: "no intent's hash", record: a(func(a *auditv1.Answer) { a.IntentHash = nil })},
		{name: "an intent that waits for nothing", record: a(func(a *auditv1.Answer) { a.IntentIndex = 0 })},
		{name: "another log", record: a(func(a *auditv1.Answer) { a.ExchangeOrigin = "other.example/access" })},
		{name: "more fields", record: a(func(a *auditv1.Answer) { a.FieldsReleased = append(a.FieldsReleased, "name") })},
		{name: "other fields", record: a(func(a *auditv1.Answer) { a.FieldsReleased = []string{"account_no", "name"} })},
		{name: "fewer fields", record: a(func(a *auditv1.Answer) { a.FieldsReleased = a.FieldsReleased[:1] })},
		{name: "no fields", record: a(func(a *auditv1.Answer) { a.FieldsReleased = nil })},
		{name: "masks what was not asked", record: a(func(a *auditv1.Answer) { a.FieldsMasked = []string{"name"} })},
		{name: "media type with a line feed", record: a(func(a *auditv1.Answer) {
			a.State, a.Reason, a.MediaType, a.FieldsReleased = auditv1.AnswerState_ANSWER_STATE_FAILED, auditv1.Reason_REASON_SOURCE_BUSY, "text/html\nX-Header: 1", nil
		})},
		{name: "essay as subject", record: a(func(a *auditv1.Answer) {
			a.State, a.Reason, a.SubjectOfRefusal, a.FieldsReleased = auditv1.AnswerState_ANSWER_STATE_REFUSED, auditv1.Reason_REASON_PARAMETER_INVALID, strings.Repeat("s", 65), nil
		})},
		{name: "fewer rows than none", record: a(func(a *auditv1.Answer) { a.RowCount = -1 })},
		{name: "no state", record: a(func(a *auditv1.Answer) { a.State = 0 })},
		{name: "state of a later version", record: a(func(a *auditv1.Answer) { a.State = 99 })},
		{name: "reason of a later version", record: a(func(a *auditv1.Answer) { a.State, a.Reason = auditv1.AnswerState_ANSWER_STATE_REFUSED, 9999 })},
		{name: "answered for a reason", record: a(func(a *auditv1.Answer) { a.Reason = auditv1.Reason_REASON_POLICY_DENIED })},
		{name: "an export's beginning", record: a(func(a *auditv1.Answer) { a.State = auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN })},
		{name: "an export's end", record: a(func(a *auditv1.Answer) { a.State = auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED })},
		{name: "an export's cut", record: a(func(a *auditv1.Answer) { a.State = auditv1.AnswerState_ANSWER_STATE_STREAM_CUT })},
		{name: "one piece for an export", call: export},
		{name: "an export's end before its beginning", call: export, record: a(func(a *auditv1.Answer) { a.State = auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED })},
		{name: "an outcome", record: func(r *auditv1.Record) { r.Kind = &auditv1.Record_Outcome{Outcome: &auditv1.Outcome{}} }},
		{name: "not a record", raw: func([]byte) []byte { return []byte("not a record") }},
		{name: "fields of a later version", raw: func(b []byte) []byte {
			return protowire.AppendVarint(protowire.AppendTag(b, 77, protowire.VarintType), 1)
		}},
		{name: "no proof", batch: func(b *linkv1.AnswerBatch) { b.RangeHashes = append(b.RangeHashes, make([]byte, 32)...) }},
		{name: "half a proof", batch: func(b *linkv1.AnswerBatch) { b.RangeHashes = append(b.RangeHashes, 1) }},
		{name: "another place", batch: func(b *linkv1.AnswerBatch) { b.Answers[0].Index++ }},
		{name: "another record", batch: func(b *linkv1.AnswerBatch) { b.Answers[0].Record = append(b.Answers[0].Record, 0x08, 0x01) }},
		{name: "no checkpoint", batch: func(b *linkv1.AnswerBatch) { b.Checkpoint = nil }},
		{name: "another key", batch: func(b *linkv1.AnswerBatch) { b.Checkpoint = s.forge(n, b.Checkpoint) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			call := c.call
			if call == nil {
				call = query
			}
			at := n.attach()
			done := asking(t, call)
			record, answer := at.answer(at.tickets()[0])
			if c.record != nil {
				c.record(record)
			}
			if c.answer != nil {
				c.answer(answer)
			}
			encoded, err := evidence.EncodeRecord(record)
			check(t, err)
			if c.raw != nil {
				encoded = c.raw(encoded)
			}
			batch := at.putBytes(encoded, answer)
			if c.batch != nil {
				c.batch(batch)
			}
			at.send(batch)
			wantRefusal(t, at.ended(), codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, harness.Domain)
			name, _ := wantRefusal(t, <-done, codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, harness.Domain)
			got := s.waitResult(name, auditv1.Result_RESULT_INTERRUPTED)
			if o := got.GetOutcome(); o.GetReason() != auditv1.Reason_REASON_NODE_EVIDENCE_INVALID || len(o.GetAnswerHash()) != 0 || o.GetAnswerBytes() != 0 {
				t.Errorf("outcome on record: %v", o)
			}
			s.waitReplicas(s.henan)
		})
	}
}

// TestHonestFakeNode shows that the node of these tests is believed when it does not lie, and that a lie after an answer ends the stream alone.
func TestHonestFakeNode(t *testing.T) {
	s := start(t, "one")
	n := s.fake(s.publishedWithout("one")[0])
	s.grant(harness.Resource, nil, "account_no", "balance")
	app := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	at := n.attach()
	var access string
	done := asking(t, func() error {
		resp, err := app.QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
		access = resp.GetAccess()
		if err == nil && string(resp.GetAnswer()) != fakePayload {
			t.Errorf("answer %q", resp.GetAnswer())
		}
		return err
	})
	ticket := at.tickets()[0]
	at.send(at.put(at.answer(ticket)))
	check(t, <-done)
	s.waitResult(access, auditv1.Result_RESULT_ANSWERED)

	at.send(at.put(at.answer(ticket))) // the same request again
	wantRefusal(t, at.ended(), codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, harness.Domain)
	if o := s.access(access).GetOutcome(); o.GetResult() != auditv1.Result_RESULT_ANSWERED {
		t.Errorf("outcome is now %v", o)
	}
}

// TestLyingNodeSideStream has a node send other bytes on a side stream than its journal holds.
func TestLyingNodeSideStream(t *testing.T) {
	s := start(t, "one")
	n := s.fake(s.publishedWithout("one")[0])
	s.grant(harness.Resource, nil, "account_no", "balance")
	app := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	for _, c := range []struct {
		name   string
		data   string
		hash   func([]byte)
		reason auditv1.Reason // of the caller's error
		code   codes.Code     // of the side stream's
		result auditv1.Result
	}{
		{"honest", fakePayload, nil, 0, codes.OK, auditv1.Result_RESULT_ANSWERED},
		{"other bytes", strings.Replace(fakePayload, "1.00", "9.99", 1), nil, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, codes.Unavailable, auditv1.Result_RESULT_INTERRUPTED},
		{"longer", fakePayload + " ", nil, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, codes.Unavailable, auditv1.Result_RESULT_INTERRUPTED},
		{"shorter", fakePayload[1:], nil, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, codes.Unavailable, auditv1.Result_RESULT_INTERRUPTED},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			at := n.attach()
			var access string
			done := asking(t, func() error {
				resp, err := app.QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
				access = resp.GetAccess()
				return err
			})
			ticket := at.tickets()[0]
			record, answer := at.answer(ticket)
			answer.Answer, answer.AnswerFollows = nil, true
			at.send(at.put(record, answer))
			side, err := n.api.SendAnswer(t.Context())
			check(t, err)
			hash := translog.LeafHash(ticket.GetRecord())
			check(t, side.Send(&linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Header{Header: &linkv1.SendAnswerHeader{IntentIndex: ticket.GetIndex(), IntentHash: hash[:]}}}))
			check(t, side.Send(&linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Chunk{Chunk: &linkv1.SendAnswerChunk{Data: []byte(c.data)}}}))
			_, err = side.CloseAndRecv()
			if c.reason == 0 {
				check(t, err)
				check(t, <-done)
				at.CloseSend()
			} else {
				wantRefusal(t, err, c.code, c.reason, harness.Domain)
				wantRefusal(t, at.ended(), c.code, c.reason, harness.Domain)
				access, _ = wantRefusal(t, <-done, codes.Unavailable, c.reason, harness.Domain)
			}
			s.waitResult(access, c.result)
			s.waitReplicas(s.henan)
		})
	}
}

// TestSideStreamCut breaks the side stream of a large answer: the caller learns at once, and the journal decides later.
func TestSideStreamCut(t *testing.T) {
	s := start(t, "one")
	n := s.fake(s.publishedWithout("one")[0])
	s.grant(harness.Resource, nil, "account_no", "balance")
	app := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	at := n.attach()
	done := asking(t, func() error {
		_, err := app.QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
		return err
	})
	ticket := at.tickets()[0]
	record, answer := at.answer(ticket)
	answer.Answer, answer.AnswerFollows = nil, true
	record.GetAnswer().AnswerBytes = 3 << 20
	at.send(at.put(record, answer))
	hash := translog.LeafHash(ticket.GetRecord())
	header := &linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Header{Header: &linkv1.SendAnswerHeader{IntentIndex: ticket.GetIndex(), IntentHash: hash[:]}}}

	// Nobody takes part who does not hold the ticket.
	side, err := n.api.SendAnswer(t.Context())
	check(t, err)
	check(t, side.Send(&linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Header{Header: &linkv1.SendAnswerHeader{IntentIndex: ticket.GetIndex(), IntentHash: make([]byte, 32)}}}))
	_, err = side.CloseAndRecv()
	wantRefusal(t, err, codes.NotFound, auditv1.Reason_REASON_NOT_FOUND, harness.Domain)
	other, err := linkv1.NewLinkServiceClient(s.Dial(s.zhejiang.CA, "spiffe://zhejiang.example/node")).SendAnswer(t.Context())
	check(t, err)
	check(t, other.Send(header))
	_, err = other.CloseAndRecv()
	wantRefusal(t, err, codes.NotFound, auditv1.Reason_REASON_NOT_FOUND, harness.Domain)

	conn := s.Dial(s.henan.CA, "spiffe://henan.example/node")
	cut, err := linkv1.NewLinkServiceClient(conn).SendAnswer(t.Context())
	check(t, err)
	check(t, cut.Send(header))
	for range 16 { // more than the window of a stream: when all is sent the exchange has taken some of it
		check(t, cut.Send(&linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Chunk{Chunk: &linkv1.SendAnswerChunk{Data: make([]byte, 160<<10)}}}))
	}
	second, err := n.api.SendAnswer(t.Context())
	check(t, err)
	check(t, second.Send(header))
	_, err = second.CloseAndRecv()
	wantRefusal(t, err, codes.AlreadyExists, auditv1.Reason_REASON_ALREADY_EXISTS, harness.Domain)
	check(t, conn.Close())
	name, _ := wantRefusal(t, <-done, codes.Unavailable, auditv1.Reason_REASON_NODE_LOST, harness.Domain)
	s.waitResult(name, auditv1.Result_RESULT_INTERRUPTED)

	// The stream lives on and takes further requests; what was cut is asked about when the replica attaches anew.
	done = asking(t, func() error {
		_, err := app.QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
		return err
	})
	at.send(at.put(at.answer(at.tickets()[0])))
	check(t, <-done)
}

// TestHandshakeRefused attaches with what the exchange must not accept.
func TestHandshakeRefused(t *testing.T) {
	s := start(t, "one")
	n := s.fake(s.publishedWithout("one")[0])
	s.grant(harness.Resource, nil, "account_no", "balance")
	// Something stands in the journal, and the exchange has accepted it.
	at := n.attach()
	app := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	for range 2 {
		done := asking(t, func() error {
			_, err := app.QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
			return err
		})
		at.send(at.put(at.answer(at.tickets()[0])))
		check(t, <-done)
	}
	at.CloseSend()
	s.waitReplicas(s.henan)

	fork := n.open(filepath.Join(t.TempDir(), "fork"))
	for range 5 {
		_, _, err := fork.Append(t.Context(), []byte("another history"))
		check(t, err)
	}
	const precondition, invalid = codes.FailedPrecondition, codes.InvalidArgument
	for _, c := range []struct {
		name   string
		hello  func(*linkv1.Hello)
		resume func(*linkv1.LogResume)
		code   codes.Code
		reason auditv1.Reason
	}{
		{"version 2", func(h *linkv1.Hello) { h.Version = 2 }, nil, precondition, auditv1.Reason_REASON_VERSION_MISMATCH},
		{"no version", func(h *linkv1.Hello) { h.Version = 0 }, nil, precondition, auditv1.Reason_REASON_VERSION_MISMATCH},
		{"unregistered journal", func(h *linkv1.Hello) { h.JournalOrigin = "henan.example/journal/two" }, nil, codes.NotFound, auditv1.Reason_REASON_NOT_FOUND},
		{"another province's journal", func(h *linkv1.Hello) { h.JournalOrigin = "zhejiang.example/journal/one" }, nil, codes.NotFound, auditv1.Reason_REASON_NOT_FOUND},
		{"no replica", func(h *linkv1.Hello) { h.Replica = "" }, nil, invalid, auditv1.Reason_REASON_ARGUMENT_INVALID},
		{"long replica", func(h *linkv1.Hello) { h.Replica = strings.Repeat("r", 65) }, nil, invalid, auditv1.Reason_REASON_ARGUMENT_INVALID},
		{"replica with an identity number", func(h *linkv1.Hello) { h.Replica = "r-" + harness.PersonB }, nil, invalid, auditv1.Reason_REASON_ARGUMENT_INVALID},
		{"no outstanding", func(h *linkv1.Hello) { h.MaxOutstanding = 0 }, nil, invalid, auditv1.Reason_REASON_ARGUMENT_INVALID},
		{"too many outstanding", func(h *linkv1.Hello) { h.MaxOutstanding = 5000 }, nil, invalid, auditv1.Reason_REASON_ARGUMENT_INVALID},
		{"remembers a larger log", func(h *linkv1.Hello) { h.Accepted.Size = 1 << 30 }, nil, precondition, auditv1.Reason_REASON_RULE_VIOLATED},
		{"remembers a negative log", func(h *linkv1.Hello) { h.Accepted.Size = -1 }, nil, precondition, auditv1.Reason_REASON_RULE_VIOLATED},
		{"journal rolled back", nil, func(r *linkv1.LogResume) {
			signed, err := n.log.CheckpointAt(1)
			check(t, err)
			edge, err := n.log.EdgeAt(1)
			check(t, err)
			r.Checkpoint, r.EdgeHashes, r.ConsistencyHashes = signed, evidence.HashesToBytes(edge.Hashes), nil
		}, codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID},
		{"journal forked", nil, func(r *linkv1.LogResume) {
			signed, edge := fork.State()
			proof, err := fork.Consistency(2, fork.Size())
			check(t, err)
			r.Checkpoint, r.EdgeHashes, r.ConsistencyHashes = signed, evidence.HashesToBytes(edge.Hashes), evidence.HashesToBytes(proof)
		}, codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID},
		{"journal begun anew", nil, func(r *linkv1.LogResume) {
			signed, edge := n.open(filepath.Join(t.TempDir(), "fresh")).State()
			r.Checkpoint, r.EdgeHashes, r.ConsistencyHashes = signed, evidence.HashesToBytes(edge.Hashes), nil
		}, codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID},
		{"journal signed by another", nil, func(r *linkv1.LogResume) { r.Checkpoint = s.forge(n, r.Checkpoint) }, codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID},
		{"half a hash", nil, func(r *linkv1.LogResume) { r.EdgeHashes[0] = r.EdgeHashes[0][:31] }, invalid, auditv1.Reason_REASON_MESSAGE_MALFORMED},
		{"no edge", nil, func(r *linkv1.LogResume) { r.EdgeHashes = nil }, codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := n.handshake(c.hello, c.resume)
			if err == nil {
				err = at.ended()
			}
			wantRefusal(t, err, c.code, c.reason, harness.Domain)
		})
	}

	t.Run("answers before hello", func(t *testing.T) {
		stream, err := n.api.Attach(t.Context())
		check(t, err)
		check(t, stream.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_Answers{}}))
		_, err = stream.Recv()
		wantRefusal(t, err, invalid, auditv1.Reason_REASON_MESSAGE_MALFORMED, harness.Domain)
	})
	t.Run("hello twice", func(t *testing.T) {
		at := n.attach()
		check(t, at.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_Hello{Hello: &linkv1.Hello{Version: 1}}}))
		wantRefusal(t, at.ended(), invalid, auditv1.Reason_REASON_MESSAGE_MALFORMED, harness.Domain)
	})
	t.Run("reply to no inquiry", func(t *testing.T) {
		at := n.attach()
		check(t, at.Send(&linkv1.AttachRequest{Message: &linkv1.AttachRequest_InquiryReply{InquiryReply: &linkv1.InquiryReply{Id: 7}}}))
		wantRefusal(t, at.ended(), codes.Unavailable, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, harness.Domain)
	})
	t.Run("attached twice", func(t *testing.T) {
		first := n.attach()
		second, err := n.handshake(nil, nil)
		check(t, err)
		wantRefusal(t, first.ended(), codes.Unavailable, auditv1.Reason_REASON_NODE_LOST, harness.Domain)
		done := asking(t, func() error {
			_, err := app.QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
			return err
		})
		second.send(second.put(second.answer(second.tickets()[0])))
		check(t, <-done)
	})
}

// forge signs a journal's checkpoint with another key of the same name.
func (s *system) forge(n *fakeNode, signed []byte) []byte {
	s.T.Helper()
	signerKey, _, err := translog.GenerateKey(n.replica.Origin)
	check(s.T, err)
	signer, err := translog.NewSigner(signerKey)
	check(s.T, err)
	cp := translog.Checkpoint{Origin: n.replica.Origin, Size: n.log.Size(), Root: n.log.Edge().Root()}
	forged, err := translog.SignCheckpoint(cp, signer)
	check(s.T, err)
	if string(forged) == string(signed) {
		s.T.Fatal("not forged")
	}
	return forged
}
