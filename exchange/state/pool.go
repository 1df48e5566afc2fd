package state

import "hash/maphash"

// poolSlots holds the field names, titles and departments that recur all over a catalogue, in half a megabyte.
const poolSlots = 1 << 14

// Pool lets the views of a noun share what is equal: the same field name in 32,000 entries, the same requester in 1,000 grants. It
// remembers a bounded number of values, newer ones pushing out older ones, so that a province that keeps inventing names cannot fill the
// memory. What it hands out is shared and must never be changed. It is not safe for concurrent use.
type Pool[K comparable, V any] struct {
	seed  maphash.Seed
	slots []poolSlot[K, V]
}

type poolSlot[K comparable, V any] struct {
	used  bool
	key   K
	value V
}

// NewPool returns an empty pool.
func NewPool[K comparable, V any]() *Pool[K, V] {
	return &Pool[K, V]{seed: maphash.MakeSeed(), slots: make([]poolSlot[K, V], poolSlots)}
}

// Share returns the remembered value with this key, or else remembers and returns the one given.
func (p *Pool[K, V]) Share(key K, value V) V {
	slot := &p.slots[maphash.Comparable(p.seed, key)%poolSlots]
	if !slot.used || slot.key != key {
		*slot = poolSlot[K, V]{used: true, key: key, value: value}
	}
	return slot.value
}
