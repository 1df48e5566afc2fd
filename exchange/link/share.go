package link

import "sync"

const (
	// maxProvince bounds the calls under way at one province, over all its replicas: it takes ten provinces that do not answer, and not one, to
	// fill the access log's places.
	maxProvince = 4096
	// shareOf is the part of a replica's places that one resource, and one application, may take: a slow resource or a greedy application
	// must leave room for the others.
	shareOf = 2
)

// shares counts who has taken how many of a replica's places.
type shares struct {
	mu    sync.Mutex
	taken map[string]int
}

// take takes a place for each key, or none if one of them has taken most already.
func (s *shares) take(most int, keys ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if s.taken[k] >= most {
			return false
		}
	}
	for _, k := range keys {
		s.taken[k]++
	}
	return true
}

// give gives the places back.
func (s *shares) give(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if s.taken[k]--; s.taken[k] <= 0 {
			delete(s.taken, k)
		}
	}
}

// giveBack gives a call's place back.
func (s *session) giveBack(c *Call) {
	s.reserved.Add(-1)
	s.shares.give(c.Intent.GetResource(), c.Intent.GetCaller().GetSpiffeId())
}
