package exchange_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"github.com/kuasheng/kuasheng/internal/translog"
	"google.golang.org/grpc/codes"
)

// sideHeader begins the side stream of a ticket's answer.
func sideHeader(tk *linkv1.Ticket) *linkv1.SendAnswerRequest {
	hash := translog.LeafHash(tk.GetRecord())
	return &linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Header{Header: &linkv1.SendAnswerHeader{IntentIndex: tk.GetIndex(), IntentHash: hash[:]}}}
}

// TestSilentSideStreams lets one province announce large answers that never come, for more bytes than all large answers may hold: another
// province's large answer is not kept waiting, and no side stream outlives its caller.
func TestSilentSideStreams(t *testing.T) {
	s := start(t, "one")
	greedy := s.fake(s.publishedWithout("one")[0])
	s.grant(harness.Resource, nil, "account_no", "balance")
	replica := s.zhejiang.Run("one", "")
	replica.Stop()
	honest := s.fake(replica)
	s.Grant(s.zhejiang, &grantv1.Grant{Resource: s.zhejiang.ResourceName(harness.Resource), Requester: s.henan.AppID("portal"), Fields: []string{"account_no", "balance"}})

	app := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	attached := greedy.attach()
	for range 24 {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		asked := asking(t, func() error { _, err := app.QueryResource(ctx, harness.Query(s.henan, harness.PersonA)); return err })
		tk := attached.tickets()[0]
		record, answer := attached.answer(tk)
		answer.Answer, answer.AnswerFollows = nil, true
		record.GetAnswer().AnswerBytes = 3 << 20
		attached.send(attached.put(record, answer))
		side, err := greedy.api.SendAnswer(t.Context())
		check(t, err)
		check(t, side.Send(sideHeader(tk)))
		if err := <-asked; err == nil {
			t.Fatal("an answer that never came was answered")
		}
		cancel()
		var m linkv1.SendAnswerResponse
		if err := side.RecvMsg(&m); err == nil { // it ends although its sender does nothing
			t.Fatal("the side stream was taken")
		}
	}

	other := s.queries(s.henan.CA, s.henan.AppID("portal"))
	at := honest.attach()
	asked := asking(t, func() error {
		_, err := other.QueryResource(t.Context(), harness.Query(s.zhejiang, harness.PersonA))
		return err
	})
	tk := at.tickets()[0]
	record, answer := at.answer(tk)
	answer.Answer, answer.AnswerFollows = nil, true
	at.send(at.put(record, answer))
	side, err := honest.api.SendAnswer(t.Context())
	check(t, err)
	check(t, side.Send(sideHeader(tk)))
	check(t, side.Send(&linkv1.SendAnswerRequest{Part: &linkv1.SendAnswerRequest_Chunk{Chunk: &linkv1.SendAnswerChunk{Data: []byte(fakePayload)}}}))
	check(t, side.CloseSend())
	check(t, <-asked)
}

// TestGreedyApplication lets one application ask a node that answers nothing for as much as it may: another application's call still reaches
// the node.
func TestGreedyApplication(t *testing.T) {
	s := start(t, "one")
	n := s.fake(s.publishedWithout("one")[0]) // it takes 128
	s.grant(harness.Resource, nil, "account_no", "balance")
	s.grant(service, func(g *grantv1.Grant) { g.Requester = s.zhejiang.AppID("other") }, "value")
	at := n.attach()
	greedy := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	refused := make(chan error, 100)
	for range 100 {
		callers.Go(func() {
			if _, err := greedy.QueryResource(ctx, harness.Query(s.henan, harness.PersonA)); ctx.Err() == nil {
				refused <- err
			}
		})
	}
	for range 100 - 64 {
		wantRefusal(t, <-refused, codes.Unavailable, auditv1.Reason_REASON_NODE_BUSY, harness.Domain)
	}
	other := s.queries(s.zhejiang.CA, s.zhejiang.AppID("other"))
	asked := asking(t, func() error {
		_, err := other.QueryResource(ctx, s.ask(service, map[string]string{"size": "1"}, "value"))
		return err
	})
	for reached := false; !reached; {
		for _, tk := range at.tickets() {
			reached = reached || strings.Contains(string(tk.GetRecord()), s.zhejiang.AppID("other"))
		}
	}
	cancel()
	<-asked
	callers.Wait()
}

// TestNodeWords lets a node send an identity number and terminal controls where a name and plain words belong: they reach nobody.
func TestNodeWords(t *testing.T) {
	s := start(t, "one")
	n := s.fake(s.publishedWithout("one")[0])
	s.grant(harness.Resource, nil, "account_no", "balance")
	app := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	at := n.attach()
	asked := asking(t, func() error {
		_, err := app.QueryResource(t.Context(), harness.Query(s.henan, harness.PersonA))
		return err
	})
	record, answer := at.answer(at.tickets()[0])
	a := record.GetAnswer()
	a.State, a.Reason = auditv1.AnswerState_ANSWER_STATE_REFUSED, auditv1.Reason_REASON_POLICY_DENIED
	a.FieldsReleased, a.AnswerDigest, a.MediaType, a.RowCount, a.AnswerBytes = nil, nil, "", 0, 0
	a.SubjectOfRefusal, a.PolicyReason = harness.PersonA, "go to\x1b[31m somewhere else"
	answer.Answer, answer.AnswerSalt = nil, nil
	at.send(at.put(record, answer))
	err := <-asked
	text := err.Error() + details(err)
	if strings.Contains(text, harness.PersonA) || strings.Contains(text, "\x1b") || strings.Contains(text, "somewhere else") {
		t.Errorf("a node's words were passed on: %q", text)
	}
}
