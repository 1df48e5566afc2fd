package segment

import (
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// signature is one checkpoint to verify, and the fault if it is wrong.
type signature struct {
	note  []byte
	fault Fault
	// before is the report up to this checkpoint. Signatures are checked behind the walk: by the time one is found wrong the
	// walk has counted records that nobody vouches for.
	before Report
}

// signatures verifies checkpoints on all processors: with small blocks that is most of the work.
type signatures struct {
	jobs    chan signature
	workers sync.WaitGroup

	mu    sync.Mutex // guards first
	first *signature // the wrong one with the lowest index
}

// newSignatures starts the workers. stop is called when a signature is wrong.
func newSignatures(v note.Verifier, stop func()) *signatures {
	n := runtime.GOMAXPROCS(0)
	s := &signatures{jobs: make(chan signature, 64*n)}
	for range n {
		s.workers.Go(func() {
			for job := range s.jobs {
				if _, err := translog.OpenCheckpoint(job.note, v); err != nil {
					job.fault.Err = err
					s.found(&job)
					stop()
				}
			}
		})
	}
	return s
}

func (s *signatures) found(job *signature) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil || job.fault.Index < s.first.fault.Index {
		s.first = job
	}
}

func (s *signatures) check(job signature) { s.jobs <- job }

// wait ends the workers and returns the first wrong checkpoint, or nil. All before it have been checked: they were in
// line earlier.
func (s *signatures) wait() *signature {
	close(s.jobs)
	s.workers.Wait()
	return s.first
}
