package link

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/kuasheng/kuasheng/exchange/decision"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// maxPolicyReason bounds the words of a province's policy that go to the caller: 500 characters of up to four bytes.
const maxPolicyReason = 2000

// takeAnswers checks what one commit of the journal holds and ends its calls. What the journal does not prove ends the session: a node that
// sends it is broken or lies, and nothing more from it can be told from a lie.
func (s *session) takeAnswers(m *linkv1.AnswerBatch) error {
	leaves := make([]translog.Leaf, len(m.GetAnswers()))
	for i, a := range m.GetAnswers() {
		leaves[i] = translog.Leaf{Index: a.GetIndex(), Hash: translog.LeafHash(a.GetRecord())}
	}
	span, err := s.accept(m.GetCheckpoint(), leaves, m.GetRangeHashes())
	if err != nil {
		return err
	}
	for i, a := range m.GetAnswers() {
		if err := s.takeAnswer(a, leaves[i].Hash, span, m.GetCheckpoint()); err != nil {
			return err
		}
	}
	return nil
}

// accept advances the view of the journal.
func (s *session) accept(checkpoint []byte, leaves []translog.Leaf, rangeHashes []byte) (*translog.Span, error) {
	proof, err := evidence.SplitHashes(rangeHashes)
	if err != nil {
		return nil, s.invalid("range_hashes: %v", err)
	}
	span, err := s.follower.Accept(checkpoint, leaves, proof)
	if err != nil {
		return nil, s.invalid("the journal's proof does not hold: %v", err)
	}
	s.mu.Lock()
	s.signed = checkpoint
	s.mu.Unlock()
	return span, nil
}

func (s *session) invalid(format string, args ...any) error {
	return refusal.New(auditv1.Reason_REASON_NODE_EVIDENCE_INVALID, "%s", fmt.Sprintf(format, args...))
}

func (s *session) takeAnswer(m *linkv1.TicketAnswer, leaf translog.Hash, span *translog.Span, checkpoint []byte) error {
	record, err := evidence.DecodeRecord(m.GetRecord())
	if err != nil {
		return s.invalid("record %d of the journal: %v", m.GetIndex(), err)
	}
	answer := record.GetAnswer()
	c := s.claimed(answer.GetIntentIndex())
	if answer == nil || c == nil {
		return s.invalid("record %d of the journal answers no request that is waiting", m.GetIndex())
	}
	if err := s.matches(c, answer); err != nil {
		return err
	}
	path, err := span.Inclusion(m.GetIndex())
	if err != nil {
		return fmt.Errorf("proving the node's record: %w", err)
	}
	e := Evidence{Answer: answer, Leaf: leaf, Receipt: newReceipt(m.GetRecord(), m.GetIndex(), path, checkpoint), AnswerSalt: m.GetAnswerSalt()}
	switch answer.GetState() {
	case auditv1.AnswerState_ANSWER_STATE_ANSWERED:
		if m.GetAnswerFollows() {
			return s.begin(c, e, auditv1.Mode_MODE_QUERY)
		}
		return s.answered(c, e, m.GetAnswer())
	case auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN:
		return s.begin(c, e, auditv1.Mode_MODE_EXPORT)
	case auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED:
		return s.streamed(c, e)
	case auditv1.AnswerState_ANSWER_STATE_STREAM_CUT:
		if c.Head().Answer == nil {
			return s.invalid("the export of intent %d is cut before it has begun", c.index)
		}
		s.finish(c, e, auditv1.Result_RESULT_CUT)
	case auditv1.AnswerState_ANSWER_STATE_REFUSED:
		s.finish(c, e, auditv1.Result_RESULT_REFUSED_BY_NODE)
	case auditv1.AnswerState_ANSWER_STATE_FAILED:
		s.finish(c, e, auditv1.Result_RESULT_FAILED)
	default:
		return s.invalid("record %d of the journal has no state", m.GetIndex())
	}
	return nil
}

// matches checks that a record answers this very intent, from this log, with no more fields than were permitted.
func (s *session) matches(c *Call, a *auditv1.Answer) error {
	switch {
	case !bytes.Equal(a.GetIntentHash(), c.leaf[:]):
		return s.invalid("the answer to intent %d cites another record", c.index)
	case a.GetExchangeOrigin() != s.hub.cfg.Log().Verifier().Name():
		return s.invalid("the answer to intent %d cites another log", c.index)
	case (len(a.GetFieldsReleased()) > 0 || releases(a.GetState())) && !slices.Equal(a.GetFieldsReleased(), c.Intent.GetFields()):
		return s.invalid("the answer to intent %d releases other fields than were permitted", c.index)
	case slices.ContainsFunc(a.GetFieldsMasked(), func(f string) bool { return !slices.Contains(a.GetFieldsReleased(), f) }):
		return s.invalid("the answer to intent %d masks fields that it does not release", c.index)
	case len(a.GetSubjectOfRefusal()) > maxSubject || !isMediaType(a.GetMediaType()):
		return s.invalid("the answer to intent %d has a subject or a media type that is none", c.index)
	case a.GetRowCount() < 0 || a.GetAnswerBytes() < 0:
		return s.invalid("the answer to intent %d has a negative size", c.index)
	case releases(a.GetState()) != (a.GetReason() == auditv1.Reason_REASON_UNSPECIFIED):
		return s.invalid("the answer to intent %d is %v for the reason %v", c.index, a.GetState(), a.GetReason())
	case c.Intent.GetMode() != auditv1.Mode_MODE_EXPORT && exports(a.GetState()):
		return s.invalid("the answer to intent %d comes as an export, which was not asked for", c.index)
	}
	return nil
}

const (
	// maxSubject is the longest name of a field or parameter: what a node says goes into the caller's error.
	maxSubject = 64
	// maxMediaType is longer than any that is registered.
	maxMediaType = 127
)

// isMediaType keeps what a node says from being more than a header's value where an answer goes on over HTTP.
func isMediaType(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxMediaType
}

// releases reports whether a state says that data leaves whole; a cut export has released some, for a reason.
func releases(state auditv1.AnswerState) bool {
	switch state {
	case auditv1.AnswerState_ANSWER_STATE_ANSWERED, auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN, auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED:
		return true
	}
	return false
}

// exports reports whether only an export comes into a state.
func exports(state auditv1.AnswerState) bool {
	switch state {
	case auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN, auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED, auditv1.AnswerState_ANSWER_STATE_STREAM_CUT:
		return true
	}
	return false
}

// streamed ends an export that is whole. Its digest is for the caller to check, who alone has all the rows of a resumed one; what can be
// checked here is that it had begun and that as much was sent as the journal says.
func (s *session) streamed(c *Call, e Evidence) error {
	c.mu.Lock()
	begun, relayed := c.head.Answer != nil, c.relayed
	c.mu.Unlock()
	switch {
	case !begun:
		return s.invalid("the export of intent %d ends before it has begun", c.index)
	case e.Answer.GetAnswerBytes() != relayed:
		return s.invalid("the export of intent %d had %d bytes and the journal says %d", c.index, relayed, e.Answer.GetAnswerBytes())
	}
	s.forget(c.index)
	s.hub.end(c, Result{Evidence: e}, auditv1.Result_RESULT_ANSWERED)
	return nil
}

// answered ends a call with an answer in one piece.
func (s *session) answered(c *Call, e Evidence, payload []byte) error {
	if c.Intent.GetMode() != auditv1.Mode_MODE_QUERY {
		return s.invalid("the answer to intent %d is in one piece, but an export was asked for", c.index)
	}
	digest := evidence.AnswerDigest(e.AnswerSalt, e.Answer.GetMediaType(), payload)
	if len(e.AnswerSalt) != evidence.SaltSize || !bytes.Equal(digest, e.Answer.GetAnswerDigest()) || e.Answer.GetAnswerBytes() != int64(len(payload)) {
		return s.invalid("the answer to intent %d is not the one that the journal holds", c.index)
	}
	s.forget(c.index)
	s.hub.end(c, Result{Evidence: e, Payload: payload}, auditv1.Result_RESULT_ANSWERED)
	return nil
}

// begin lets the side stream of a call in.
func (s *session) begin(c *Call, e Evidence, mode auditv1.Mode) error {
	if c.Intent.GetMode() != mode {
		return s.invalid("the answer to intent %d comes in another way than was asked for", c.index)
	}
	if len(e.AnswerSalt) != evidence.SaltSize {
		return s.invalid("the answer to intent %d has no salt", c.index)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head.Answer != nil {
		return s.invalid("the answer to intent %d begins twice", c.index)
	}
	c.head = e
	close(c.begun)
	return nil
}

// finish ends a call that the node refused or could not answer.
func (s *session) finish(c *Call, e Evidence, result auditv1.Result) {
	s.forget(c.index)
	reason := e.Answer.GetReason()
	if reason == auditv1.Reason_REASON_UNSPECIFIED {
		reason = auditv1.Reason_REASON_INTERNAL
	}
	// What a node says goes to another province's caller: a name must be one, and words must be plain.
	subject := e.Answer.GetSubjectOfRefusal()
	if subject != "" {
		subject = decision.Recordable(subject)
	}
	detail := nodeDetail(reason, subject)
	if words := e.Answer.GetPolicyReason(); reason == auditv1.Reason_REASON_POLICY_DENIED && plain(words) {
		detail += ": " + words
	}
	err := refusal.About(reason, subject, "%s", detail)
	s.hub.end(c, Result{Err: err, Domain: s.domain, Evidence: e}, result)
}

// plain reports whether a policy's words may be passed on: printable, not too long, without an identity number.
func plain(words string) bool {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	return words != "" && len(words) <= maxPolicyReason && strings.IndexFunc(words, unprintable) < 0 && !ident.ContainsCitizenID(words)
}

// nodeDetail says in words what a node's reason means for the caller. The node itself sends reasons and names only, so that no value can
// come back in an error.
func nodeDetail(reason auditv1.Reason, subject string) string {
	text := "the province's node says so"
	switch reason {
	case auditv1.Reason_REASON_POLICY_DENIED:
		text = "the province's own policy denies this request"
	case auditv1.Reason_REASON_SOURCE_UNAVAILABLE:
		text = "the province's source cannot be reached; try again later"
	case auditv1.Reason_REASON_SOURCE_TIMEOUT:
		text = "the province's source did not answer in time; narrow the request or try again later"
	case auditv1.Reason_REASON_SOURCE_BUSY:
		text = "the province runs as many queries of this resource as it allows; try again later"
	case auditv1.Reason_REASON_TOO_MANY_ROWS:
		text = "the answer has more rows than the province allows in one query; narrow the request or export"
	case auditv1.Reason_REASON_ANSWER_TOO_LARGE:
		text = "the answer is too large for one message; use ExportResource"
	case auditv1.Reason_REASON_MAPPING_BROKEN:
		text = "the province's data does not fit its catalogue entry; tell its bureau"
	case auditv1.Reason_REASON_RESOURCE_NOT_SERVED:
		text = "the province's node does not serve this resource (any more)"
	case auditv1.Reason_REASON_MODE_NOT_OFFERED:
		text = "the province does not offer this resource in this way"
		if subject == "resume" {
			text = "the province has fewer rows now than were received; export anew"
		}
	case auditv1.Reason_REASON_PARAMETER_INVALID:
		text = "the value does not fit the parameter's declared type, format or length"
	case auditv1.Reason_REASON_PARAMETER_MISSING:
		text = "the parameter is required"
	case auditv1.Reason_REASON_PARAMETER_UNKNOWN:
		text = "the resource declares no such parameter"
	}
	if subject != "" {
		return fmt.Sprintf("%q: %s", subject, text)
	}
	return text
}
