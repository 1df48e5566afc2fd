package source

import (
	"errors"
	"io"
)

// errBudget says that more was read than is good.
var errBudget = errors.New("too much to read")

// budget bounds what is read for one element, and for the whole unless it is an export.
type budget struct {
	from    io.Reader
	element int
	total   int
	bounded bool
}

func (b *budget) refill() { b.element = maxElement }

// Read reads within the budget.
func (b *budget) Read(p []byte) (int, error) {
	if b.element <= 0 || b.bounded && b.total <= 0 {
		return 0, errBudget
	}
	p = p[:min(len(p), b.element)]
	n, err := b.from.Read(p)
	b.element -= n
	b.total -= n
	return n, err
}
