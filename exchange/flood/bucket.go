package flood

import "time"

// Bucket is a token bucket. The zero value is full. Its owner guards it.
type Bucket struct {
	spent float64 // tokens missing at the time at
	at    time.Time
}

// Rate is what a bucket lets pass: Burst at once and PerSecond for ever.
type Rate struct{ Burst, PerSecond float64 }

// Take takes one token, if there is one.
func (b *Bucket) Take(now time.Time, r Rate) bool {
	if !b.Room(now, r) {
		return false
	}
	b.spent++
	return true
}

// Room reports whether a token is there.
func (b *Bucket) Room(now time.Time, r Rate) bool {
	b.refill(now, r)
	return b.spent+1 <= r.Burst
}

// Full reports whether the bucket is as good as new.
func (b *Bucket) Full(now time.Time, r Rate) bool {
	b.refill(now, r)
	return b.spent == 0
}

// refill adds what has come since the last look. A clock that was set back gives nothing and takes nothing.
func (b *Bucket) refill(now time.Time, r Rate) {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.spent = max(0, b.spent-passed*r.PerSecond)
	}
	b.at = now
}
