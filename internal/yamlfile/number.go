package yamlfile

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Bool reads true or false.
func (t *Table) Bool(name string, otherwise bool) bool {
	if !t.Has(name) {
		return otherwise
	}
	b, ok := t.entries[name].value.(*ast.BoolNode)
	if !ok {
		t.r.wrongKind(t.entries[name].value, "`"+name+"`", "true or false")
		return otherwise
	}
	return b.Value
}

// Integer reads a whole number within bounds.
func (t *Table) Integer(name string, otherwise, least, most int64) int64 {
	if !t.Has(name) {
		return otherwise
	}
	n, ok := t.entries[name].value.(*ast.IntegerNode)
	if !ok {
		t.r.wrongKind(t.entries[name].value, "`"+name+"`", "a whole number")
		return otherwise
	}
	value := int64(math.MaxInt64)
	switch v := n.Value.(type) {
	case int64:
		value = v
	case uint64:
		if v <= math.MaxInt64 {
			value = int64(v)
		}
	}
	if value < least || value > most {
		t.Add(position(n), "`%s` must be between %d and %d", name, least, most)
		return otherwise
	}
	return value
}

// maxDuration is more than a length of time takes in characters.
const maxDuration = 32

// Duration reads a length of time such as 2s or 500ms within bounds.
func (t *Table) Duration(name string, otherwise, least, most time.Duration) time.Duration {
	if !t.Has(name) {
		return otherwise
	}
	if _, ok := t.entries[name].value.(*ast.IntegerNode); ok {
		t.Add(t.Where(name), "`%s` lacks a unit; write it as in 2s, 500ms or 5m", name)
		return otherwise
	}
	s := t.TextWithin(name, maxDuration)
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.Add(t.Where(name), "`%s` is no length of time; write it as in 2s, 500ms or 5m", name)
	case d < least || d > most:
		t.Add(t.Where(name), "`%s` must be between %v and %v", name, least, most)
	default:
		return d
	}
	return otherwise
}

// Size reads a number of bytes, plain or as in 64MiB, within bounds and a multiple of step.
func (t *Table) Size(name string, otherwise, least, most, step int64) int64 {
	if !t.Has(name) {
		return otherwise
	}
	value, ok := sizeOf(t.entries[name].value)
	switch {
	case !ok:
		t.Add(t.Where(name), "`%s` is no size; write it as in 64MiB", name)
	case value < least || value > most:
		t.Add(t.Where(name), "`%s` must be between %dMiB and %dMiB", name, least>>20, most>>20)
	case value%step != 0:
		t.Add(t.Where(name), "`%s` must be a multiple of %d bytes", name, step)
	default:
		return value
	}
	return otherwise
}

func sizeOf(n ast.Node) (int64, bool) {
	var text string
	switch n := n.(type) {
	case *ast.IntegerNode:
		text = n.GetToken().Value
	case *ast.StringNode:
		text = n.Value
	default:
		return 0, false
	}
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if s, ok := strings.CutSuffix(text, unit); ok {
			text, shift = strings.TrimSpace(s), 10*(i+1)
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > math.MaxInt64>>shift {
		return 0, false
	}
	return v << shift, true
}
