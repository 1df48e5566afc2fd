package accesslog

import (
	"math"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Filter says which accesses are wanted. All that is set must hold; the zero Filter wants everything. Region and Self are how the caller's
// rights are enforced: whoever fills them in decides what is seen.
type Filter struct {
	Start     time.Time // not before
	End       time.Time // before
	Requester string    // SPIFFE ID of the caller
	Resource  string    // resource name
	Region    string    // only what touches this province: the caller's, or the resource's
	Self      string    // only what this SPIFFE ID did
}

// Admits reports whether an access passes the filter.
func (f Filter) Admits(a Access) bool {
	var g gist
	return g.read(a.RecordBytes) == nil && f.admits(&g)
}

func (f Filter) admits(g *gist) bool {
	return g.access() &&
		(f.Start.IsZero() || !g.time().Before(f.Start)) &&
		(f.End.IsZero() || g.time().Before(f.End)) &&
		(f.Requester == "" || f.Requester == string(g.requester)) &&
		(f.Self == "" || f.Self == string(g.requester)) &&
		(f.Resource == "" || f.Resource == string(g.resource)) &&
		(f.Region == "" || g.touches(f.Region))
}

// terms are what the index is asked for.
func (f Filter) terms() []term {
	var terms []term
	for _, t := range []term{{keyRequester, f.Requester}, {keyRequester, f.Self}, {keyResource, f.Resource}, {keyProvince, f.Region}} {
		if t.text != "" {
			terms = append(terms, t)
		}
	}
	if len(terms) == 0 {
		terms = []term{{keyAll, ""}}
	}
	return terms
}

// within narrows the indexes in [floor, below) to those between which the accesses of the wanted time lie.
func (f Filter) within(txn *badger.Txn, below int64) (floor, narrowed int64, err error) {
	if f.Start.IsZero() && f.End.IsZero() {
		return 0, below, nil
	}
	start, end := int64(math.MinInt32)*longest, int64(math.MaxInt32)*longest // far beyond what a timestamp may hold
	if !f.Start.IsZero() {
		start = f.Start.Unix()
	}
	if !f.End.IsZero() {
		end = f.End.Unix() + 1 // its own second may hold accesses before it
	}
	e, ok, err := periods(txn, start, end)
	if err != nil || !ok {
		return 0, 0, err
	}
	return e.first, min(below, e.last+1), nil
}
