package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestHistogramQuantiles compares quantiles with those of the sorted values.
func TestHistogramQuantiles(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func() time.Duration{
		"one value":   func() time.Duration { return 731 * time.Microsecond },
		"uniform":     func() time.Duration { return time.Duration(dice.Int64N(int64(50 * time.Millisecond))) },
		"exponential": func() time.Duration { return time.Duration(dice.ExpFloat64() * float64(2*time.Millisecond)) },
		"wide":        func() time.Duration { return time.Duration(math.Exp(dice.Float64() * math.Log(1e11))) },
		"tiny":        func() time.Duration { return time.Duration(dice.Int64N(300)) },
	}
	for name, next := range shapes {
		t.Run(name, func(t *testing.T) {
			var h histogram
			values := make([]time.Duration, 20_000)
			for i := range values {
				values[i] = next()
				h.record(values[i])
			}
			slices.Sort(values)
			for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.99, 0.999, 1} {
				want := values[max(int(q*float64(len(values))+0.5), 1)-1]
				got := h.quantile(q)
				if off := math.Abs(float64(got - want)); off > 1 && off > 0.005*float64(want) {
					t.Errorf("quantile %v is %v, sorted values say %v", q, got, want)
				}
			}
			if want := values[len(values)-1]; h.longest != want {
				t.Errorf("longest is %v, want %v", h.longest, want)
			}
		})
	}
}

// TestHistogramBuckets walks the edges: buckets follow each other without a gap, and each holds its own middle.
func TestHistogramBuckets(t *testing.T) {
	for bucket := range buckets {
		if got := bucketOf(uint64(middle(bucket))); got != bucket {
			t.Fatalf("the middle of bucket %d, %v, falls into bucket %d", bucket, middle(bucket), got)
		}
	}
	for _, ns := range []uint64{0, 1, 255, 256, 257, 1 << 20, 1<<longestBits - 1, 1 << longestBits, math.MaxInt64} {
		if b := bucketOf(ns); b < 0 || b >= buckets {
			t.Errorf("%d ns falls into bucket %d of %d", ns, b, buckets)
		}
	}
	var h histogram
	h.record(-time.Second)
	h.record(time.Hour)
	if h.total != 2 || h.quantile(0.5) != 0 || h.longest != time.Hour {
		t.Errorf("after extremes: total %d, median %v, longest %v", h.total, h.quantile(0.5), h.longest)
	}
}

func TestHistogramMerge(t *testing.T) {
	var whole, a, b histogram
	for i := range 1000 {
		d := time.Duration(i*i) * time.Microsecond
		whole.record(d)
		if i%3 == 0 {
			a.record(d)
		} else {
			b.record(d)
		}
	}
	a.merge(&b)
	if a != whole {
		t.Error("two halves merged differ from the whole")
	}
	if new(histogram).quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
}

// TestRecordAllocates holds the hot path to what its comment says.
func TestRecordAllocates(t *testing.T) {
	tl := &tally{}
	if n := testing.AllocsPerRun(1000, func() { tl.add(outcome{took: time.Millisecond, bytes: 800}) }); n != 0 {
		t.Errorf("counting an answer allocates %v times", n)
	}
}
