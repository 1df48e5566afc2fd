package yamlfile

import (
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// Item is an entry of a list in the file.
type Item struct {
	r    *Reader
	node ast.Node
}

// At is where the entry begins.
func (i Item) At() Position { return position(i.node) }

// Table reads the entry as a mapping with the given keys, each list separated by spaces; messages call it what is said.
func (i Item) Table(what, required, optional string) *Table {
	return i.r.table(i.node, what, required, optional)
}

// Items reads the list under a key.
func (t *Table) Items(name string) []Item {
	if !t.Has(name) {
		return nil
	}
	n := t.entries[name].value
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		t.r.wrongKind(n, "`"+name+"`", "a list")
		return nil
	}
	items := make([]Item, len(s.Values))
	for i, v := range s.Values {
		items[i] = Item{t.r, v}
	}
	return items
}

// Texts reads a list of at most most texts of at most length characters, without repetition.
func (t *Table) Texts(name string, most, length int) []string {
	var list []string
	items := t.Items(name)
	if len(items) > most {
		t.Add(items[most].At(), "`%s` has more than %d entries; remove some", name, most)
		items = items[:most]
	}
	for _, item := range items {
		s, ok := t.r.text(item.node, "an entry of `"+name+"`", length)
		if ok && slices.Contains(list, s) {
			t.Add(item.At(), "this entry stands twice in `%s`; remove one", name)
		} else if ok {
			list = append(list, s)
		}
	}
	return list
}

// Addresses reads a list of at most most host:port.
func (t *Table) Addresses(name string, most int, example string) []string {
	list := t.Texts(name, most, maxAddress)
	for _, item := range t.Items(name) {
		if s, ok := item.node.(*ast.StringNode); ok && !isAddress(s.Value) {
			t.Add(item.At(), "an address must be host:port, as in %s", example)
		}
	}
	return list
}
