package harness

import (
	"math/rand/v2"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
)

// TestKill kills exchange and node again and again at random moments while applications ask, and restarts them. Whatever a client was given is
// on record with both, every access has its end, and nothing is there twice.
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() || raceEnabled {
		kills = 4
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	sys := Start(t, nil)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example", "one")
	replica := henan.Run("one", "")
	grantAll(sys, henan, zhejiang)
	replica.Stop()
	sys.Stop()

	exchange, node := sys.Spawn().WaitReady(), replica.Spawn().WaitReady()
	load := startLoad(t, henan, zhejiang, 6)
	work := func(n int64) {
		want := load.answers.Load() + n
		sys.Eventually("answering", func() bool { return load.answers.Load() >= want })
	}
	work(50)
	for i := range kills {
		// A quarter of the kills comes without waiting for the system to work again, and meets servers that are opening.
		if random.IntN(4) > 0 {
			work(int64(1 + random.IntN(50)))
		}
		time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond)))) // the random moment
		switch victim := random.IntN(8); {
		case i == 0 || victim < 4:
			exchange.Kill()
			exchange = sys.Spawn()
		case i == 1 || victim < 7:
			node.Kill()
			node = replica.Spawn()
		default:
			exchange.Kill()
			node.Kill()
			exchange, node = sys.Spawn(), replica.Spawn()
		}
	}
	work(20)
	load.stop()
	waitSettled(sys, zhejiang)
	node.Stop()
	exchange.Stop()

	book := readLedger(t, sys, replica)
	book.check(t)
	load.check(book)
	t.Logf("%d kills, %d answers, %d records, %d in the journal; errors %v; outcomes %v",
		kills, len(load.receipts), len(book.leaves), len(book.journal), load.errs, tally(book))
}

// waitSettled waits until no permitted access is without its final outcome, as an auditor of the requesting province sees it.
func waitSettled(s *System, requester *Province) {
	s.T.Helper()
	api := auditv1.NewAuditServiceClient(s.Dial(requester.CA, "spiffe://"+requester.Domain+"/auditor/zhao"))
	s.Eventually("settled", func() bool {
		for token := ""; ; {
			page, err := api.ListAccesses(s.T.Context(), &auditv1.ListAccessesRequest{PageSize: 1000, PageToken: token, Requester: requester.AppID("portal")})
			if err != nil {
				return false
			}
			for _, a := range page.GetAccesses() {
				permitted := a.GetRecord().GetIntent().GetVerdict() == auditv1.Verdict_VERDICT_PERMITTED
				result := a.GetOutcome().GetResult()
				if permitted && (result == auditv1.Result_RESULT_UNSPECIFIED || result == auditv1.Result_RESULT_INTERRUPTED) {
					return false
				}
			}
			if token = page.GetNextPageToken(); token == "" {
				return true
			}
		}
	})
}

func tally(book *ledger) map[string]int {
	n := map[string]int{}
	for index, intent := range book.intents {
		if intent.GetVerdict() == auditv1.Verdict_VERDICT_PERMITTED {
			n[book.result(index).String()]++
		}
	}
	return n
}
