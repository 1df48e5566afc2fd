package harness

import (
	"path/filepath"
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// ledger is what both logs hold, read from their files after everybody has stopped.
type ledger struct {
	leaves   []translog.Hash            // of the exchange's log
	intents  map[int64]*auditv1.Intent  // by index
	outcomes map[int64][]placed         // by intent, in order
	journal  []translog.Hash            // leaves
	answers  map[translog.Hash][]placed // by intent
}

// placed is a record with its place.
type placed struct {
	index  int64
	leaf   translog.Hash
	record *auditv1.Record
}

func (s *System) logDir() string      { return filepath.Join(s.Dir, "exchange", "accesslog", "log") }
func (r *Replica) journalDir() string { return filepath.Join(r.Dir, "journal", "log") }

// readLedger verifies both logs from scratch and reads them.
func readLedger(t *testing.T, s *System, r *Replica) *ledger {
	t.Helper()
	l := &ledger{intents: map[int64]*auditv1.Intent{}, outcomes: map[int64][]placed{}, answers: map[translog.Hash][]placed{}}
	scanLog(t, s.logDir(), s.signerKey, s.LogKey, func(p placed) {
		l.leaves = append(l.leaves, p.leaf)
		switch {
		case p.record.GetIntent() != nil:
			l.intents[p.index] = p.record.GetIntent()
		case p.record.GetOutcome() != nil:
			intent := p.record.GetOutcome().GetIntentIndex()
			l.outcomes[intent] = append(l.outcomes[intent], p)
		}
	})
	scanLog(t, r.journalDir(), r.key().signer, r.key().verifier, func(p placed) {
		l.journal = append(l.journal, p.leaf)
		a := p.record.GetAnswer()
		if a == nil {
			t.Errorf("record %d of the journal is no answer", p.index)
			return
		}
		l.answers[translog.Hash(a.GetIntentHash())] = append(l.answers[translog.Hash(a.GetIntentHash())], p)
	})
	return l
}

// scanLog verifies a closed log by its public key alone and hands its records over.
func scanLog(t *testing.T, dir, signerKey, verifierKey string, fn func(placed)) {
	t.Helper()
	signer, verifier, err := keys(signerKey, verifierKey)
	check(t, err)
	report, err := segment.Verify(t.Context(), dir, verifier, nil)
	if err != nil {
		t.Fatalf("the log %s does not verify: %v", verifier.Name(), err)
	}
	log, err := segment.Open(segment.Config{Dir: dir, Origin: verifier.Name(), Signer: signer, Verifier: verifier, SegmentSize: segmentSize, MaxBlockBytes: 1 << 20})
	check(t, err)
	defer log.Close()
	if report.Records != log.Size() {
		t.Errorf("%s verifies with %d records and opens with %d", verifier.Name(), report.Records, log.Size())
	}
	check(t, log.Scan(t.Context(), 0, func(index int64, b []byte) error {
		record, err := evidence.DecodeRecord(b)
		if err != nil {
			return err
		}
		fn(placed{index, translog.LeafHash(b), record})
		return nil
	}))
}

// result is how an access ended in the end; unspecified where nothing says.
func (l *ledger) result(intent int64) auditv1.Result {
	list := l.outcomes[intent]
	if len(list) == 0 {
		return auditv1.Result_RESULT_UNSPECIFIED
	}
	return list[len(list)-1].record.GetOutcome().GetResult()
}

// check holds the two logs against each other. It is what reconciliation will do day by day: nothing pending, nothing doubled, and each log
// says what the other says.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	for index, intent := range l.intents {
		if intent.GetVerdict() != auditv1.Verdict_VERDICT_PERMITTED {
			if len(l.outcomes[index]) > 0 {
				t.Errorf("intent %d was refused and has an outcome", index)
			}
			continue
		}
		l.checkOutcomes(t, index)
		l.checkAnswers(t, index, intent)
	}
	for hash, list := range l.answers {
		a := list[0].record.GetAnswer()
		index := a.GetIntentIndex()
		if index >= int64(len(l.leaves)) || l.leaves[index] != hash || l.intents[index].GetVerdict() != auditv1.Verdict_VERDICT_PERMITTED {
			t.Errorf("record %d of the journal answers intent %d, which the exchange did not permit", list[0].index, index)
		}
	}
}

// checkOutcomes demands one final outcome of an intent, last, with at most one interruption before it.
func (l *ledger) checkOutcomes(t *testing.T, index int64) {
	t.Helper()
	list := l.outcomes[index]
	if len(list) == 0 {
		t.Errorf("intent %d has no outcome", index)
		return
	}
	for i, p := range list {
		interrupted := p.record.GetOutcome().GetResult() == auditv1.Result_RESULT_INTERRUPTED
		if interrupted == (i == len(list)-1) || i > 1 {
			t.Errorf("intent %d has the outcomes %v", index, l.results(index))
			return
		}
	}
}

func (l *ledger) results(index int64) []auditv1.Result {
	var all []auditv1.Result
	for _, p := range l.outcomes[index] {
		all = append(all, p.record.GetOutcome().GetResult())
	}
	return all
}

// checkAnswers compares what the journal holds about an intent with its outcome.
func (l *ledger) checkAnswers(t *testing.T, index int64, intent *auditv1.Intent) {
	t.Helper()
	answers := l.answers[l.leaves[index]]
	var states []auditv1.AnswerState
	for _, a := range answers {
		states = append(states, a.record.GetAnswer().GetState())
	}
	if !answeredOnce(intent.GetMode(), states) {
		t.Errorf("intent %d (%v) has the answer records %v", index, intent.GetMode(), states)
	}
	if len(l.outcomes[index]) == 0 {
		return
	}
	o := l.outcomes[index][len(l.outcomes[index])-1].record.GetOutcome()
	switch o.GetResult() {
	case auditv1.Result_RESULT_NOT_SENT, auditv1.Result_RESULT_REPLACED, auditv1.Result_RESULT_RECOVERED_NOT_ANSWERED:
		if len(answers) > 0 {
			t.Errorf("intent %d ended %v, but the journal holds %v", index, o.GetResult(), states)
		}
		return
	}
	if len(answers) == 0 {
		t.Errorf("intent %d ended %v, and the journal holds nothing about it", index, o.GetResult())
		return
	}
	last := answers[len(answers)-1]
	if o.GetJournalIndex() != last.index || string(o.GetAnswerHash()) != string(last.leaf[:]) {
		t.Errorf("the outcome of intent %d cites record %d of the journal, want %d", index, o.GetJournalIndex(), last.index)
	}
}

// answeredOnce reports whether these are the records of at most one answer: one, or the beginning and the end of an export.
func answeredOnce(mode auditv1.Mode, states []auditv1.AnswerState) bool {
	switch {
	case len(states) < 2:
		return len(states) == 0 || states[0] != auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN
	case len(states) > 2 || mode != auditv1.Mode_MODE_EXPORT || states[0] != auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN:
		return false
	}
	return states[1] == auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED || states[1] == auditv1.AnswerState_ANSWER_STATE_STREAM_CUT
}
