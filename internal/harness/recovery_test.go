package harness

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
	"github.com/kuasheng/kuasheng/node/journal"
)

// scene is one query that a test stops on its way: exchange and node in processes of their own, the source in the test's hands.
type scene struct {
	t              *testing.T
	sys            *System
	henan, another *Province
	replica        *Replica
	gate           *gate
	line           *line
	exchange, node *Process
	load           *load
}

func newScene(t *testing.T) *scene {
	t.Helper()
	c := &scene{t: t, sys: Start(t, nil)}
	c.henan = c.sys.Province("410000", "henan.example", "one")
	c.another = c.sys.Province("330000", "zhejiang.example")
	c.replica = c.henan.Prepare("one", "")
	c.gate, c.line = newGate(t, c.replica), newLine(t, c.replica)
	c.replica.Start()
	c.replica.WaitAttached()
	c.henan.WaitPublished()
	grantAll(c.sys, c.henan, c.another)
	c.replica.Stop()
	c.sys.Stop()
	c.exchange, c.node = c.sys.Spawn().WaitReady(), c.replica.Spawn().WaitReady()
	c.load = newLoad(t, c.henan)
	return c
}

// ask sends the query and returns when it is in the source's hands, with what will become of it.
func (c *scene) ask() (ended <-chan error) {
	c.t.Helper()
	result := make(chan error, 1)
	app := c.another.AppPinning("portal", c.replica)
	go func() {
		for {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			err := c.load.query(ctx, app, Query(c.henan, PersonA))
			cancel()
			if r, ok := client.RefusalOf(err); ok && r.Reason == auditv1.Reason_REASON_NODE_NOT_ATTACHED {
				continue // it is on its way
			}
			result <- err
			return
		}
	}()
	c.gate.waitAsked(c.sys)
	return result
}

// waitJournal waits until the journal's files hold n records.
func (c *scene) waitJournal(n int64) {
	c.t.Helper()
	_, verifier, err := keys(c.replica.key().signer, c.replica.key().verifier)
	check(c.t, err)
	c.sys.Eventually("journalled", func() bool {
		report, err := segment.Verify(c.t.Context(), c.replica.journalDir(), verifier, nil)
		return err == nil && report.Records >= n
	})
}

// finish lets both servers settle, stops them and returns how the one permitted access ended.
func (c *scene) finish() (*ledger, auditv1.Result) {
	c.t.Helper()
	waitSettled(c.sys, c.another)
	c.node.Stop()
	c.exchange.Stop()
	book := readLedger(c.t, c.sys, c.replica)
	book.check(c.t)
	c.load.check(book)
	result, n := auditv1.Result_RESULT_UNSPECIFIED, 0
	for index, intent := range book.intents {
		if intent.GetVerdict() == auditv1.Verdict_VERDICT_PERMITTED {
			result, n = book.result(index), n+1
		}
	}
	if n != 1 {
		c.t.Errorf("%d permitted accesses are on record, want 1", n)
	}
	return book, result
}

// TestRecovery kills exchange or node at each station of one query's way. Afterwards the outcome says what the journal says.
func TestRecovery(t *testing.T) {
	const answered, not = auditv1.Result_RESULT_RECOVERED_ANSWERED, auditv1.Result_RESULT_RECOVERED_NOT_ANSWERED
	for _, c := range []struct {
		name string
		kill func(*scene)
		want auditv1.Result
	}{
		{"node between ticket and journal", func(c *scene) {
			c.node.Kill()
			c.node = c.replica.Spawn()
		}, not},
		{"node between journal and sending", func(c *scene) {
			c.line.cut()
			close(c.gate.open)
			c.waitJournal(1)
			c.node.Kill()
			c.line.mend()
			c.node = c.replica.Spawn()
		}, answered},
		{"both between intent and answer", func(c *scene) {
			c.node.Kill() // first: it would put on record that it gave the query up
			c.exchange.Kill()
			c.exchange, c.node = c.sys.Spawn(), c.replica.Spawn()
		}, not},
		{"exchange between the journal's answer and its arrival", func(c *scene) {
			c.line.cut()
			close(c.gate.open)
			c.waitJournal(1)
			c.exchange.Kill()
			c.line.mend()
			c.exchange = c.sys.Spawn()
		}, answered},
		{"exchange between intent and answer", func(c *scene) {
			// The node gives the query up with its stream, and puts on record that it did.
			c.exchange.Kill()
			c.waitJournal(1)
			c.exchange = c.sys.Spawn()
		}, auditv1.Result_RESULT_FAILED},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			scene := newScene(t)
			ended := scene.ask()
			c.kill(scene)
			if err := <-ended; err == nil {
				t.Error("the query was answered although the server that had it was killed")
			}
			book, result := scene.finish()
			if result != c.want {
				t.Errorf("the access ended %v, want %v", result, c.want)
			}
			checkSpent(t, scene, book)
		})
	}
}

// checkSpent demands that the node refuses, from now on and for good, every ticket of which the exchange was told how it ended.
func checkSpent(t *testing.T, c *scene, book *ledger) {
	t.Helper()
	signer, verifier, err := keys(c.replica.key().signer, c.replica.key().verifier)
	check(t, err)
	j, err := journal.Open(journal.Config{Dir: filepath.Join(c.replica.Dir, "journal"), Signer: signer, Verifier: verifier, SegmentSize: segmentSize, Logger: c.sys.Logger, Now: time.Now})
	check(t, err)
	defer j.Close()
	for index, intent := range book.intents {
		used, err := j.Used(book.leaves[index])
		check(t, err)
		if permitted := intent.GetVerdict() == auditv1.Verdict_VERDICT_PERMITTED; used != permitted {
			t.Errorf("intent %d counts as used: %v, want %v", index, used, permitted)
		}
	}
	if used, err := j.Used(translog.Hash{1}); err != nil || used {
		t.Errorf("a ticket that never was counts as used: %v, %v", used, err)
	}
}

// TestRecoverOutcome loses the outcome of an answered access: the exchange dies after it has answered and before the next commit.
func TestRecoverOutcome(t *testing.T) {
	sys := Start(t, nil)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example")
	replica := henan.Run("one", "")
	grantAll(sys, henan, zhejiang)
	load := newLoad(t, henan)
	check(t, askOnce(t, load, zhejiang.App("portal")))
	sys.Stop()
	eraseLastBlock(t, sys)

	sys.Serve()
	waitSettled(sys, zhejiang)
	replica.Stop()
	sys.Stop()
	book := readLedger(t, sys, replica)
	book.check(t)
	load.check(book)
	if got := book.results(load.receipts[0].access); len(got) != 1 || got[0] != auditv1.Result_RESULT_RECOVERED_ANSWERED {
		t.Errorf("the outcomes are %v, want RECOVERED_ANSWERED alone", got)
	}
}

// eraseLastBlock takes the log back to what a crash just before its last commit would have left. Index and derived files follow from the
// segments.
func eraseLastBlock(t *testing.T, s *System) {
	t.Helper()
	const page = 4096
	name := filepath.Join(s.logDir(), "segment-00000000")
	b, err := os.ReadFile(name)
	check(t, err)
	last := 0
	for at := page; at < len(b); at += page {
		if bytes.HasPrefix(b[at:], []byte("KSLB")) {
			last = at
		}
	}
	if last == 0 {
		t.Fatal("the log holds no block")
	}
	clear(b[last:])
	check(t, os.WriteFile(name, b, 0o600))
	check(t, os.RemoveAll(filepath.Join(s.logDir(), "derived")))
	check(t, os.RemoveAll(filepath.Join(s.Dir, "exchange", "accesslog", "index")))
}

// TestExportCut kills the node in the middle of an export. The caller learns that it was cut; the node, started again, puts the cut on record.
func TestExportCut(t *testing.T) {
	sys := Start(t, nil)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example")
	growLedger(t, henan)
	replica := henan.Run("one", "")
	grantAll(sys, henan, zhejiang)
	replica.Stop()
	node := replica.Spawn().WaitReady()
	load := newLoad(t, henan)
	app := zhejiang.App("portal")
	worksAgain(t, sys, load, app)

	// The caller takes one chunk and no more: with the windows of both hops full, the node is in the middle of sending.
	taken, killed := make(chan struct{}), make(chan struct{})
	first := true
	go func() {
		<-taken
		node.Kill()
		close(killed)
	}()
	_, err := app.Export(t.Context(), bulkExport(henan), func([]byte, int64) error {
		if first {
			first = false
			close(taken)
			<-killed
		}
		return nil
	})
	var cut *client.CutError
	if !errors.As(err, &cut) || cut.Part.Rows == 0 {
		t.Fatalf("exporting from a node that was killed: %v, want a cut after some rows", err)
	}
	node = replica.Spawn().WaitReady()
	worksAgain(t, sys, load, app)
	waitSettled(sys, zhejiang)
	node.Stop()
	sys.Stop()

	book := readLedger(t, sys, replica)
	book.check(t)
	load.check(book)
	exports := 0
	for index, intent := range book.intents {
		if intent.GetMode() != auditv1.Mode_MODE_EXPORT {
			continue
		}
		exports++
		answers := book.answers[book.leaves[index]]
		last := answers[len(answers)-1].record.GetAnswer()
		if last.GetState() != auditv1.AnswerState_ANSWER_STATE_STREAM_CUT || last.GetReason() != auditv1.Reason_REASON_NODE_LOST {
			t.Errorf("the journal's last word on the export is %v for %v, want a cut by the node's loss", last.GetState(), last.GetReason())
		}
		if got := book.result(index); got != auditv1.Result_RESULT_CUT {
			t.Errorf("the export ended %v: data left, and the outcome must say so", got)
		}
	}
	if exports != 1 {
		t.Errorf("%d exports are on record, want 1", exports)
	}
}

// growLedger makes the export larger than all windows on its way together.
func growLedger(t *testing.T, p *Province) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(p.Dir, "data.db"))
	check(t, err)
	defer db.Close()
	_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT 5001 UNION ALL SELECT i+1 FROM n WHERE i < 90000)
		INSERT INTO ledger SELECT i, 'entry number ' || i || ' of the ledger, with some words to fill the row and many more that fill it further, until all of them together are larger than what the windows hold' FROM n`)
	check(t, err)
}

// TestTornIndex opens a journal whose index a kill left with a write-ahead log that has no first byte yet.
func TestTornIndex(t *testing.T) {
	sys := Start(t, nil)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example")
	replica := henan.Run("one", "")
	grantAll(sys, henan, zhejiang)
	load := newLoad(t, henan)
	app := zhejiang.App("portal")
	worksAgain(t, sys, load, app)
	replica.Stop()
	torn := filepath.Join(replica.Dir, "journal", "index", "00099.mem")
	check(t, os.WriteFile(torn, nil, 0o600))
	replica.Start()
	worksAgain(t, sys, load, app)
}
