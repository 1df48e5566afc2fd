package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	"google.golang.org/grpc/codes"
)

// pause is how long a caller waits after a call that failed. A refusal is quick and a record in somebody's log: a loop of them must not become an
// attack.
const pause = 10 * time.Millisecond

// The phases of a loop. Only calls that end while it measures are counted.
const (
	warming int32 = iota
	measuring
	done
)

// budget is how many calls a run may make.
type budget struct {
	left      atomic.Int64
	exhausted chan struct{} // closed when none are left
	once      sync.Once
}

func newBudget(calls int64) *budget {
	b := &budget{exhausted: make(chan struct{})}
	b.left.Store(calls)
	return b
}

// take returns the number of a call that may be made, counting down, or false.
func (b *budget) take() (int64, bool) {
	n := b.left.Add(-1)
	if n < 0 {
		b.once.Do(func() { close(b.exhausted) })
	}
	return n, n >= 0
}

// loop is one slice of load on one target.
type loop struct {
	target  *target
	callers int
	every   int64 // one of so many calls is verified; 0: none
	budget  *budget
	phase   atomic.Int32
	broken  atomic.Pointer[error] // the first answer whose evidence does not hold
}

// slice is what one slice of load counted between from and to.
type slice struct {
	tally    tally
	from, to time.Time
}

// run loads the target, warms it up, measures for a while, and returns when all calls have ended. Around the measuring it calls mark, which samples the
// processes. It ends early with ctx or the budget.
func (l *loop) run(ctx context.Context, warmup, duration time.Duration, mark func() error) (*slice, error) {
	tallies := make([]tally, l.callers)
	var callers sync.WaitGroup
	for i := range tallies {
		callers.Go(func() { l.caller(ctx, i, &tallies[i]) })
	}
	defer callers.Wait()
	defer l.phase.Store(done)

	l.wait(ctx, warmup)
	if err := mark(); err != nil {
		return nil, err
	}
	s := &slice{from: time.Now()}
	l.phase.Store(measuring)
	l.wait(ctx, duration)
	l.phase.Store(done)
	s.to = time.Now()
	if err := mark(); err != nil {
		return nil, err
	}
	callers.Wait()
	for i := range tallies {
		s.tally.merge(&tallies[i])
	}
	return s, ctx.Err()
}

func (l *loop) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.budget.exhausted:
	case <-ctx.Done():
	}
}

// caller asks until the loop is done.
func (l *loop) caller(ctx context.Context, number int, t *tally) {
	for l.phase.Load() != done && ctx.Err() == nil {
		n, ok := l.budget.take()
		if !ok {
			return
		}
		var o outcome
		if l.every > 0 && l.target.proves && n%l.every == 0 {
			o = l.target.verify(ctx, n)
		} else {
			o = l.target.ask(ctx, n, number)
		}
		if o.err != nil {
			l.failed(ctx, o.err)
			if ctx.Err() != nil && codeOf(o.err) == codes.Canceled {
				return // the run was given up, which is nobody's failure
			}
		}
		if l.phase.Load() == measuring {
			t.add(o)
		}
	}
}

// failed keeps broken evidence and slows the caller down.
func (l *loop) failed(ctx context.Context, err error) {
	if errors.Is(err, client.ErrEvidence) {
		l.broken.CompareAndSwap(nil, &err)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
