package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/node/journal"
)

// TestExchangeRollback restores an older copy of the exchange's data. It verifies, and still nobody works with it: the exchange refuses the
// node that knows more than it does, and once the false history has grown past that, the node refuses the exchange.
func TestExchangeRollback(t *testing.T) {
	logs := &logText{}
	sys := Start(t, logs)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example")
	replica := henan.Run("one", "")
	grantAll(sys, henan, zhejiang)
	load := newLoad(t, henan)
	app := zhejiang.App("portal")
	check(t, askOnce(t, load, app))
	sys.Stop()
	restore := snapshot(t, filepath.Join(sys.Dir, "exchange"))
	sys.Serve()
	for range 5 {
		worksAgain(t, sys, load, app)
	}
	replica.Stop()
	sys.Stop()

	restore()
	sys.Serve()
	replica.Start()
	sys.Eventually("refused by the exchange", func() bool { return strings.Contains(logs.String(), "the log was rolled back or replaced") })
	if replica.Node.Attached() {
		t.Error("the node is attached to an exchange that was rolled back")
	}
	// Refusals make the false history longer than what the node remembers.
	for range 40 {
		err := askOnce(t, load, app)
		if r, _ := client.RefusalOf(err); err == nil || r.Reason != auditv1.Reason_REASON_NODE_NOT_ATTACHED && r.Reason != auditv1.Reason_REASON_UNSPECIFIED {
			t.Fatalf("a call through an exchange that was rolled back: %v, want NODE_NOT_ATTACHED", err)
		}
	}
	sys.Eventually("refused by the node", func() bool { return strings.Contains(logs.String(), "contradicts what this node has accepted") })
	if replica.Node.Attached() {
		t.Error("the node is attached to an exchange with another history")
	}
}

// TestJournalRollback restores an older copy of a node's data: first as it was, then grown again with other records, as a province would do
// that wants to hide what it has answered.
func TestJournalRollback(t *testing.T) {
	logs := &logText{}
	sys := Start(t, logs)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example")
	replica := henan.Run("one", "")
	grantAll(sys, henan, zhejiang)
	load := newLoad(t, henan)
	app := zhejiang.App("portal")
	check(t, askOnce(t, load, app))
	replica.Stop()
	restore := snapshot(t, filepath.Join(replica.Dir, "journal"))
	replica.Start()
	for range 5 {
		worksAgain(t, sys, load, app)
	}
	replica.Stop()

	restore()
	replica.Start()
	sys.Eventually("refused", func() bool {
		return strings.Contains(logs.String(), "this node's journal was rolled back or replaced")
	})
	if replica.Node.Attached() {
		t.Error("a node with a journal that was rolled back is attached")
	}
	replica.Stop()

	signer, verifier, err := keys(replica.key().signer, replica.key().verifier)
	check(t, err)
	j, err := journal.Open(journal.Config{Dir: filepath.Join(replica.Dir, "journal"), Signer: signer, Verifier: verifier, SegmentSize: segmentSize, Logger: sys.Logger, Now: time.Now})
	check(t, err)
	for i := range 10 {
		hash := translog.LeafHash([]byte{byte(i)})
		_, err := j.Append(&auditv1.Answer{IntentHash: hash[:], IntentIndex: int64(i), State: auditv1.AnswerState_ANSWER_STATE_REFUSED}, nil)
		check(t, err)
	}
	check(t, j.Close())
	replica.Start()
	sys.Eventually("refused by the exchange", func() bool { return strings.Contains(logs.String(), "journal does not extend what was accepted") })
	if replica.Node.Attached() {
		t.Error("a node with another journal is attached")
	}
}

// snapshot copies a directory; what it returns puts the copy in the place of what is there then.
func snapshot(t *testing.T, dir string) (restore func()) {
	t.Helper()
	aside := filepath.Join(t.TempDir(), "copy")
	check(t, os.CopyFS(aside, os.DirFS(dir)))
	return func() {
		check(t, os.RemoveAll(dir))
		check(t, os.CopyFS(dir, os.DirFS(aside)))
	}
}
