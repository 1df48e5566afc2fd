package accesslog

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
)

func memory(t *testing.T) *badger.DB {
	t.Helper()
	db, err := badger.Open(badger.DefaultOptions("").WithInMemory(true).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestJoinResumes intersects posting lists with as few seeks as one a time, as on a page that ran out of them, and must find the same.
func TestJoinResumes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	db := memory(t)
	lists := make([][]int64, 3)
	terms := []term{{keyRequester, "a"}, {keyRequester, "b"}, {keyResource, "a"}}
	err := db.Update(func(txn *badger.Txn) error {
		for i := range lists {
			var chunk []int64
			for x := range int64(3000) {
				if r.IntN(i+2) == 0 {
					lists[i] = append(lists[i], x)
					chunk = append(chunk, x)
				}
				if len(chunk) > 0 && r.IntN(40) == 0 {
					if err := txn.Set(indexKey(terms[i].prefix(), chunk[0]), encodeChunk(chunk)); err != nil {
						return err
					}
					chunk = nil
				}
			}
			lists[i] = lists[i][:len(lists[i])-len(chunk)]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []int64
	for x := int64(2899); x >= 17; x-- {
		if _, a := slices.BinarySearch(lists[0], x); !a {
			continue
		}
		_, b := slices.BinarySearch(lists[1], x)
		_, c := slices.BinarySearch(lists[2], x)
		if b && c {
			want = append(want, x)
		}
	}
	txn := db.NewTransaction(false)
	defer txn.Discard()
	for _, seeks := range []int{3, 4, 7, 100, math.MaxInt} {
		var got []int64
		below := int64(2900)
		for below > 17 {
			j := &join{floor: 17, below: below, seeks: seeks}
			for _, term := range terms {
				j.cursors = append(j.cursors, newCursor(txn, term))
			}
			for {
				x, err := j.next()
				if err != nil {
					t.Fatal(err)
				}
				if x < 0 {
					break
				}
				got = append(got, x)
			}
			if j.below >= below {
				t.Fatalf("no progress below %d with %d seeks", below, seeks)
			}
			below = j.below
			j.close()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with %d seeks (-want +got):\n%s", seeks, diff)
		}
	}
}

func TestChunksOfNobody(t *testing.T) {
	for name, b := range map[string][]byte{"zero distance": {0}, "cut varint": {0x80}, "overflow": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}} {
		if _, err := decodeChunk(5, b, nil); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// TestPeriodsAgainstBruteForce compares extents with those of all records, under times on every side of every boundary.
func TestPeriodsAgainstBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	db := memory(t)
	start := time.Date(1969, 12, 30, 0, 0, 0, 0, time.UTC).Unix()
	var times []int64
	for index := int64(0); index < 600; {
		b := newBatch(index)
		for range 1 + r.IntN(50) {
			second := start + r.Int64N(4*longest)
			if r.IntN(3) > 0 && len(times) > 0 {
				second = times[len(times)-1] + r.Int64N(120) - 20
			}
			times = append(times, second)
			e, ok := b.seconds[second]
			if !ok {
				e = extent{index, index}
			}
			b.seconds[second] = e.with(extent{index, index})
			index++
		}
		if err := db.Update(b.writePeriods); err != nil {
			t.Fatal(err)
		}
	}
	txn := db.NewTransaction(false)
	defer txn.Discard()
	for range 3000 {
		from := start - longest + r.Int64N(6*longest)
		to := from + r.Int64N([]int64{3, 100, 4000, 3 * longest}[r.IntN(4)])
		switch r.IntN(6) {
		case 0:
			from = math.MinInt32 * longest
		case 1:
			to = math.MaxInt32 * longest
		}
		want, some := extent{}, false
		for i, s := range times {
			if s >= from && s < to {
				if !some {
					want = extent{int64(i), int64(i)}
				}
				want, some = want.with(extent{int64(i), int64(i)}), true
			}
		}
		got, ok, err := periods(txn, from, to)
		if err != nil {
			t.Fatal(err)
		}
		if got != want || ok != some {
			t.Fatalf("from %d to %d: %v %v, want %v %v", from, to, got, ok, want, some)
		}
	}
}
