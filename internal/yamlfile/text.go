package yamlfile

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

const (
	// maxText bounds any single text in characters: the catalogue's own bound for an abstract, and more than any other needs.
	maxText = 4000
	// maxAddress is more than a host name's 253 characters and a port.
	maxAddress = 300
)

// Text reads a text without control characters except line breaks and tabs.
func (t *Table) Text(name string) string { return t.TextWithin(name, maxText) }

// TextWithin reads a text of at most most characters.
func (t *Table) TextWithin(name string, most int) string {
	if !t.Has(name) {
		return ""
	}
	s, _ := t.r.text(t.entries[name].value, "`"+name+"`", most)
	return s
}

func (r *Reader) text(n ast.Node, what string, most int) (string, bool) {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = strings.TrimRight(n.Value.Value, "\n")
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		r.Add(position(n), "%s must be text; put it in quotes: %.64q", what, n.GetToken().Value)
		return "", false
	default:
		r.wrongKind(n, what, "text")
		return "", false
	}
	control := func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }
	switch {
	case strings.TrimSpace(s) == "":
		r.Add(position(n), "%s is empty; give it text or remove it", what)
	case utf8.RuneCountInString(s) > most:
		r.Add(position(n), "%s is longer than %d characters; shorten it", what, most)
	case strings.ContainsFunc(s, control):
		r.Add(position(n), "%s contains a control character; remove it", what)
	default:
		return s, true
	}
	return "", false
}

// Word reads one of a fixed set of words.
func Word[W ~string](t *Table, name string, known ...W) W {
	s := W(t.Text(name))
	if s == "" || slices.Contains(known, s) {
		return s
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	t.Add(t.Where(name), "unknown word `%.64s` for `%s`%s", string(s), name, DidYouMean(string(s), names))
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
	s := t.TextWithin(name, maxAddress)
	if s != "" && !isAddress(s) {
		t.Add(t.Where(name), "`%s` must be host:port, as in %s", name, example)
		return ""
	}
	return s
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n > 0 || port == "0")
}
