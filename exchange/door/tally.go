package door

import (
	"net"
	"sync"
)

// Tally counts places by name and gives no name more than a bound. It keeps nothing about names that hold none. Safe for concurrent use.
type Tally struct {
	most int

	mu    sync.Mutex
	taken map[string]int // guarded by mu
}

// NewTally returns a tally with a bound for each name.
func NewTally(most int) *Tally { return &Tally{most: most, taken: map[string]int{}} }

// Take takes a place for a name; false where it holds as many as it may.
func (t *Tally) Take(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken[name] >= t.most {
		return false
	}
	t.taken[name]++
	return true
}

// Leave gives a place back.
func (t *Tally) Leave(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken[name]--; t.taken[name] <= 0 {
		delete(t.taken, name)
	}
}

// Host is the address without the port, which is the caller's to choose.
func Host(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return host
}
