package yamlfile

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// entry is a key of a table with its value.
type entry struct {
	key   Position
	value ast.Node
}

// Table is a mapping of the file whose keys were checked. A nil table stands for one that is absent or no mapping: all
// its reads give zero values and report nothing, since its absence was reported.
type Table struct {
	r       *Reader
	at      Position
	names   []string // keys in the order of the file
	entries map[string]entry
}

// position is where a node begins.
func position(n ast.Node) Position {
	if n == nil {
		return Position{1, 1}
	}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0] // a block mapping's own token is its first colon
	}
	if v, ok := n.(*ast.MappingValueNode); ok && v.Key != nil {
		n = v.Key
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return Position{1, 1}
	}
	return Position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// table reads a mapping with the given keys, each list separated by spaces.
func (r *Reader) table(n ast.Node, what, required, optional string) *Table {
	t := r.open(n, what)
	if t == nil {
		return nil
	}
	must := strings.Fields(required)
	known := append(must, strings.Fields(optional)...)
	for _, name := range t.names {
		if !slices.Contains(known, name) {
			r.Add(t.entries[name].key, "unknown key `%.64s` in %s%s", name, what, DidYouMean(name, known))
		}
	}
	for _, name := range must {
		if _, ok := t.entries[name]; !ok {
			r.Add(t.at, "%s lacks `%s`; add it", what, name)
		}
	}
	return t
}

// open reads a mapping with whatever keys it has.
func (r *Reader) open(n ast.Node, what string) *Table {
	t := &Table{r: r, at: position(n), entries: map[string]entry{}}
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		r.wrongKind(n, what, "keys and values")
		return nil
	}
	for _, v := range values {
		at := position(v)
		name, ok := keyText(v.Key)
		if !ok {
			r.Add(at, "a key in %s must be plain text; merge keys, anchors and complex keys are not read", what)
			continue
		}
		if first, ok := t.entries[name]; ok {
			r.Add(at, "`%.64s` stands twice in %s, first on line %d; remove one", name, what, first.key.Line)
			continue
		}
		t.names = append(t.names, name)
		t.entries[name] = entry{at, v.Value}
	}
	return t
}

func keyText(key ast.MapKeyNode) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.NullNode:
		return k.GetToken().Value, true // to be reported as unknown, or to serve as a name
	}
	return "", false
}

// Has reports whether the key stands in the file.
func (t *Table) Has(name string) bool {
	if t == nil {
		return false
	}
	_, ok := t.entries[name]
	return ok
}

// Where is the place of a key's value, or of the table when the key is absent.
func (t *Table) Where(name string) Position {
	if t.Has(name) {
		return position(t.entries[name].value)
	}
	return t.At()
}

// At is where the table begins.
func (t *Table) At() Position {
	if t == nil {
		return Position{1, 1}
	}
	return t.at
}

// Add reports a mistake; of a nil table nothing, since its absence was reported.
func (t *Table) Add(at Position, format string, args ...any) {
	if t != nil {
		t.r.Add(at, format, args...)
	}
}

// Child reads the mapping under a key.
func (t *Table) Child(name, required, optional string) *Table {
	return t.ChildAs(name, "`"+name+"`", required, optional)
}

// ChildAs reads the mapping under a key, and messages call it what is said.
func (t *Table) ChildAs(name, what, required, optional string) *Table {
	if !t.Has(name) {
		return nil
	}
	return t.r.table(t.entries[name].value, what, required, optional)
}

// Free reads the mapping under a key whose keys are names of the file's own, in their order.
func (t *Table) Free(name string) *Table {
	if !t.Has(name) {
		return nil
	}
	return t.r.open(t.entries[name].value, "`"+name+"`")
}

// Names are the keys of a table in the order of the file.
func (t *Table) Names() []string {
	if t == nil {
		return nil
	}
	return t.names
}

// Key is the place of a key itself; the table's own where the key is absent.
func (t *Table) Key(name string) Position {
	if t.Has(name) {
		return t.entries[name].key
	}
	return t.At()
}

// wrongKind reports a value of the wrong kind in the words of someone who does not know YAML's.
func (r *Reader) wrongKind(n ast.Node, what, wanted string) {
	found := "something else"
	switch n.(type) {
	case nil, *ast.NullNode:
		r.Add(position(n), "%s is empty; give it %s or remove it", what, wanted)
		return
	case *ast.MappingNode, *ast.MappingValueNode:
		found = "keys and values"
	case *ast.SequenceNode:
		found = "a list"
	case *ast.StringNode, *ast.LiteralNode:
		found = "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		found = "a number"
	case *ast.BoolNode:
		found = "true or false"
	case *ast.AnchorNode, *ast.AliasNode:
		r.Add(position(n), "%s uses an anchor or alias; write the value out", what)
		return
	case *ast.TagNode:
		r.Add(position(n), "%s has a YAML tag; remove it", what)
		return
	}
	r.Add(position(n), "%s must be %s, not %s", what, wanted, found)
}
