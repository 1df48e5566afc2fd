package accesslog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

var (
	// ErrNotFound means that there is no access at an index.
	ErrNotFound = errors.New("no such access")
	// ErrPosition means that a position was not returned by List for this log.
	ErrPosition = errors.New("no position in the access log")
)

const (
	// maxSeeks bounds the steps of one page through the index when two terms are frequent and hardly ever meet: about 30 ms.
	maxSeeks = 65536
	// maxReads bounds the records that are read for one page only to be passed over: those of the seconds in which a wanted time begins and
	// ends. It is four times the largest page.
	maxReads = 4096
)

// Access is an intent or a read of the log, with the last outcome of the intent.
type Access struct {
	Index        int64
	Record       *auditv1.Record
	RecordBytes  []byte          // exactly as it stands in the log
	OutcomeIndex int64           // where Outcome is set
	Outcome      *auditv1.Record // nil where there is none yet
	OutcomeBytes []byte
}

// Position is where a page begins. The zero Position is the newest access.
type Position struct {
	Before int64 // accesses before this index
	Size   int64 // of the tree when the first page was read: all pages together are complete for it
}

// List returns a page of the accesses that pass the filter, newest first, which is the order of the log. What is appended meanwhile changes no
// page, save that every access comes with the last outcome that is durable. A page may be short, even empty, before the last:
// the work for one is bounded. On the last page next is the zero Position.
//
// Size is that of the tree which the pages cover, the same for all of them. Errors: ErrPosition, ErrBehind.
func (l *Log) List(ctx context.Context, f Filter, pageSize int, from Position) (accesses []Access, next Position, size int64, err error) {
	v, err := l.view()
	if err != nil {
		return nil, Position{}, 0, fmt.Errorf("listing accesses: %w", err)
	}
	defer v.close()
	if from == (Position{}) {
		from = Position{Before: v.size, Size: v.size}
	}
	if from.Before < 0 || from.Before > from.Size || from.Size > v.size {
		return nil, Position{}, 0, fmt.Errorf("listing accesses: %w", ErrPosition)
	}
	p, err := v.page(ctx, f, from.Before)
	if err != nil {
		return nil, Position{}, 0, fmt.Errorf("listing accesses: %w", err)
	}
	defer p.join.close()
	if accesses, err = p.read(ctx, pageSize); err != nil {
		return nil, Position{}, 0, fmt.Errorf("listing accesses: %w", err)
	}
	if p.below > 0 {
		next = Position{Before: p.below, Size: from.Size}
	}
	return accesses, next, from.Size, nil
}

// Access returns the access at an index. Errors: ErrNotFound, also for an outcome; ErrBehind.
func (l *Log) Access(ctx context.Context, index int64) (Access, error) {
	a, err := l.access(ctx, index)
	if err != nil {
		return Access{}, fmt.Errorf("reading access %d: %w", index, err)
	}
	return a, nil
}

func (l *Log) access(ctx context.Context, index int64) (Access, error) {
	v, err := l.view()
	if err != nil {
		return Access{}, err
	}
	defer v.close()
	if index < 0 || index >= v.size {
		return Access{}, ErrNotFound
	}
	b, err := l.segment.Record(index)
	if err != nil {
		return Access{}, err
	}
	var g gist
	if err := g.read(b); err != nil {
		return Access{}, err
	}
	if !g.access() {
		return Access{}, ErrNotFound
	}
	outcomes := map[int64]int64{}
	err = v.tail(ctx, func(at int64, g *gist, _ []byte) error {
		if g.kind == kindOutcome && g.intent == index {
			outcomes[index] = at
		}
		return nil
	})
	if err != nil {
		return Access{}, err
	}
	one := []Access{{Index: index, RecordBytes: b}}
	if one[0].Record, err = evidence.DecodeRecord(b); err != nil {
		return Access{}, err
	}
	err = v.attach(ctx, one, outcomes)
	return one[0], err
}

// page is one page in the making.
type page struct {
	view     *view
	filter   Filter
	tail     []int64         // accesses behind the index that pass the filter, ascending; taken from the end
	outcomes map[int64]int64 // outcomes behind the index: intent → last
	join     *join
	below    int64 // accesses from here on are on this page, on one before, or not wanted; 0: none is left
}

// page prepares a page of the accesses before an index.
func (v *view) page(ctx context.Context, f Filter, before int64) (*page, error) {
	p := &page{view: v, filter: f, outcomes: map[int64]int64{}, below: before}
	err := v.tail(ctx, func(index int64, g *gist, _ []byte) error {
		if g.kind == kindOutcome {
			p.outcomes[g.intent] = index
		} else if index < before && f.admits(g) {
			p.tail = append(p.tail, index)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	floor, below, err := f.within(v.txn, min(before, v.indexed))
	if err != nil {
		return nil, err
	}
	p.join = &join{floor: floor, below: below, seeks: maxSeeks}
	for _, t := range f.terms() {
		p.join.cursors = append(p.join.cursors, newCursor(v.txn, t))
	}
	return p, nil
}

// read fills the page.
func (p *page) read(ctx context.Context, size int) ([]Access, error) {
	var accesses []Access
	for reads := maxReads; len(accesses) < size && p.below > 0 && reads > 0; {
		wanted, err := p.candidates(min(size-len(accesses), reads))
		if err != nil {
			return nil, err
		}
		found, err := p.load(ctx, wanted)
		if err != nil {
			return nil, err
		}
		accesses = append(accesses, found...)
		if p.join.seeks < 0 {
			break
		}
		reads -= len(wanted)
	}
	return accesses, p.view.attach(ctx, accesses, p.outcomes)
}

// candidates returns the next indexes, descending. The record decides whether they are on the page.
func (p *page) candidates(n int) ([]int64, error) {
	wanted := make([]int64, 0, n)
	for len(wanted) < n {
		if last := len(p.tail) - 1; last >= 0 {
			wanted, p.tail = append(wanted, p.tail[last]), p.tail[:last]
			p.below = wanted[len(wanted)-1]
			continue
		}
		index, err := p.join.next()
		if err != nil {
			return nil, err
		}
		if index < 0 {
			p.below = p.join.below
			if p.join.below <= p.join.floor {
				p.below = 0
			}
			break
		}
		wanted, p.below = append(wanted, index), index
	}
	return wanted, nil
}

// load reads the accesses at descending indexes and drops those that do not pass the filter.
func (p *page) load(ctx context.Context, wanted []int64) ([]Access, error) {
	slices.Reverse(wanted)
	accesses := make([]Access, 0, len(wanted))
	var g gist
	err := p.view.log.records(ctx, wanted, func(index int64, record []byte) error {
		if err := g.read(record); err != nil {
			return fmt.Errorf("record %d: %w", index, err)
		}
		if !p.filter.admits(&g) {
			return nil
		}
		a := Access{Index: index, RecordBytes: slices.Clone(record)}
		var err error
		if a.Record, err = evidence.DecodeRecord(a.RecordBytes); err != nil {
			return fmt.Errorf("record %d: %w", index, err)
		}
		accesses = append(accesses, a)
		return nil
	})
	slices.Reverse(accesses)
	return accesses, err
}

// attach gives the accesses their outcomes.
func (v *view) attach(ctx context.Context, accesses []Access, tail map[int64]int64) error {
	of := map[int64]*Access{} // index of an outcome → its access
	var indexes []int64
	for i := range accesses {
		a := &accesses[i]
		index, err := v.outcome(a.Index, tail)
		if err != nil {
			return err
		}
		if index >= 0 {
			of[index] = a
			indexes = append(indexes, index)
		}
	}
	slices.Sort(indexes)
	return v.log.records(ctx, indexes, func(index int64, record []byte) error {
		a := of[index]
		a.OutcomeIndex, a.OutcomeBytes = index, slices.Clone(record)
		var err error
		if a.Outcome, err = evidence.DecodeRecord(a.OutcomeBytes); err != nil {
			return fmt.Errorf("record %d: %w", index, err)
		}
		if a.Outcome.GetOutcome().GetIntentIndex() != a.Index {
			return fmt.Errorf("record %d is no outcome of access %d: %w", index, a.Index, errDamaged)
		}
		return nil
	})
}
