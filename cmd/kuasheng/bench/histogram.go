package bench

import (
	"math/bits"
	"time"
)

const (
	// precision is how many of the leading bits of a latency are kept: buckets are at most 1/128 wide, and their middle is less than 0.4 % off.
	precision = 7
	// longestBits bounds what is told apart: 2^38 ns are four and a half minutes, longer than any call may take.
	longestBits = 38
	buckets     = (longestBits-precision-1)<<precision + 2<<precision
)

// histogram counts latencies in buckets that grow with them. It never allocates. It is for one goroutine.
type histogram struct {
	counts  [buckets]uint64
	total   uint64
	longest time.Duration
}

// record counts one latency.
func (h *histogram) record(d time.Duration) {
	d = max(d, 0) // the monotonic clock does not go back, but an index must not depend on it
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.longest = max(h.longest, d)
}

// bucketOf keeps small values exactly; of others it drops the low bits, and every doubling has 2^precision buckets.
func bucketOf(ns uint64) int {
	ns = min(ns, 1<<longestBits-1)
	shift := max(bits.Len64(ns)-precision-1, 0)
	return shift<<precision + int(ns>>shift)
}

// middle is the latency that stands for a bucket.
func middle(bucket int) time.Duration {
	shift := max(bucket>>precision-1, 0)
	low := uint64(bucket-shift<<precision) << shift
	return time.Duration(low + 1<<shift/2)
}

// merge adds another histogram's counts.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.longest = max(h.longest, other.longest)
}

// quantile returns the latency that a share q of all, from 0 to 1, did not exceed; 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := min(max(uint64(q*float64(h.total)+0.5), 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(middle(i), h.longest)
		}
	}
	return h.longest
}
