package yamlfile

import (
	"math"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// maxText bounds any single text in characters, far above what a name, a path or a key needs.
const maxText = 4000

// Text reads a text without control characters except line breaks.
func (t *Table) Text(name string) string {
	if !t.Has(name) {
		return ""
	}
	return t.r.text(t.entries[name].value, "`"+name+"`")
}

func (r *Reader) text(n ast.Node, what string) string {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = strings.TrimRight(n.Value.Value, "\n")
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		r.Add(position(n), "%s must be text; put it in quotes: %.64q", what, n.GetToken().Value)
		return ""
	default:
		r.wrongKind(n, what, "text")
		return ""
	}
	control := func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }
	switch {
	case strings.TrimSpace(s) == "":
		r.Add(position(n), "%s is empty; give it text or remove it", what)
	case utf8.RuneCountInString(s) > maxText:
		r.Add(position(n), "%s is longer than %d characters; shorten it", what, maxText)
	case strings.ContainsFunc(s, control):
		r.Add(position(n), "%s contains a control character; remove it", what)
	default:
		return s
	}
	return ""
}

// Path reads a file name and puts a relative one into the file's own directory.
func (t *Table) Path(name string) string {
	s := t.Text(name)
	if s == "" || filepath.IsAbs(s) {
		return s
	}
	return filepath.Join(t.r.directory, s)
}

// Address reads host:port.
func (t *Table) Address(name, example string) string {
	s := t.Text(name)
	if s != "" && !isAddress(s) {
		t.r.Add(t.Where(name), "`%s` must be host:port, as in %s", name, example)
		return ""
	}
	return s
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// Size reads a number of bytes, plain or as in 64MiB, within bounds and a multiple of step.
func (t *Table) Size(name string, otherwise, least, most, step int64) int64 {
	if !t.Has(name) {
		return otherwise
	}
	value, ok := sizeOf(t.entries[name].value)
	switch {
	case !ok:
		t.r.Add(t.Where(name), "`%s` is no size; write it as in 64MiB", name)
	case value < least || value > most:
		t.r.Add(t.Where(name), "`%s` must be between %dMiB and %dMiB", name, least>>20, most>>20)
	case value%step != 0:
		t.r.Add(t.Where(name), "`%s` must be a multiple of %d bytes", name, step)
	default:
		return value
	}
	return otherwise
}

func sizeOf(n ast.Node) (int64, bool) {
	text := ""
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
