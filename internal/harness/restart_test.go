package harness

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestExchangeRestart restarts the exchange while the node stays. The node, which knows two addresses of which the first is dead, comes back by
// itself, and calls go through again within seconds.
func TestExchangeRestart(t *testing.T) {
	sys := Start(t, nil)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example")
	replica := henan.Prepare("one", "")
	b, err := os.ReadFile(replica.File)
	check(t, err)
	dead := freeAddress(t)
	file := strings.Replace(string(b), `"`+sys.Address+`"`, `"`+dead+`", "`+sys.Address+`"`, 1)
	check(t, os.WriteFile(replica.File, []byte(file), 0o600))
	replica.Start()
	t.Cleanup(replica.Stop)
	replica.WaitAttached()
	henan.WaitPublished()
	grantAll(sys, henan, zhejiang)

	load := newLoad(t, henan)
	for round := range 3 {
		check(t, askOnce(t, load, zhejiang.App("portal")))
		sys.Stop()
		sys.Serve()
		began := time.Now()
		replica.WaitAttached()
		// A client of its own: the backoff of one that has seen the exchange go is not what is measured.
		worksAgain(t, sys, load, zhejiang.App("portal"))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("round %d: the node took %v to come back, want a second or two", round, took)
		}
	}
	replica.Stop()
	sys.Stop()
	book := readLedger(t, sys, replica)
	book.check(t)
	load.check(book)
}
