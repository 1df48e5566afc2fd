package dataset

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// dice is a reproducible source of chance. Each purpose has dice of its own, so that another table or field does not
// change what the others hold.
type dice struct{ *rand.Rand }

func newDice(seed uint64, region, purpose string) dice {
	h := fnv.New64a()
	h.Write([]byte(region + "/" + purpose))
	return dice{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// between returns a number from low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

// chance is true in the given share of cases.
func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// day returns a day from one to another, both included; the first if they are in the wrong order.
func (d dice) day(from, to time.Time) time.Time {
	days := int(to.Sub(from).Hours() / 24)
	if days <= 0 {
		return from
	}
	return from.AddDate(0, 0, d.between(0, days))
}

// month returns the first day of a month from one to another, both included.
func (d dice) month(from, to time.Time) time.Time {
	n := monthsBetween(from, to)
	if n <= 0 {
		return from
	}
	return from.AddDate(0, d.between(0, n), 0)
}

// digits returns a run of n digits.
func (d dice) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + d.IntN(10))
	}
	return string(b)
}

func pick[T any](d dice, list []T) T { return list[d.IntN(len(list))] }
