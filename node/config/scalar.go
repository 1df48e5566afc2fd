package config

import (
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// maxText bounds any single text in characters: the catalogue's own bound for an abstract, and more than any other needs.
const maxText = 4000

// text reads a text of at most max characters, without control characters except line breaks.
func (t *table) text(name string, max int) string {
	if !t.has(name) {
		return ""
	}
	s, _ := t.r.text(t.entries[name].value, "`"+name+"`", max)
	return s
}

func (r *reader) text(n ast.Node, what string, max int) (string, bool) {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = strings.TrimRight(n.Value.Value, "\n")
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		r.add(position(n), "%s must be text; put it in quotes: %.64q", what, n.GetToken().Value)
		return "", false
	default:
		r.wrongKind(n, what, "text")
		return "", false
	}
	control := func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }
	switch {
	case strings.TrimSpace(s) == "":
		r.add(position(n), "%s is empty; give it text or remove it", what)
	case utf8.RuneCountInString(s) > max:
		r.add(position(n), "%s is longer than %d characters; shorten it", what, max)
	case strings.ContainsFunc(s, control):
		r.add(position(n), "%s contains a control character; remove it", what)
	default:
		return s, true
	}
	return "", false
}

// texts reads a list of texts without repetition.
func (t *table) texts(name string, most, length int) []string {
	var list []string
	items := t.items(name)
	if len(items) > most {
		t.r.add(position(items[most]), "`%s` has more than %d entries; remove some", name, most)
		items = items[:most]
	}
	for _, n := range items {
		s, ok := t.r.text(n, "an entry of `"+name+"`", length)
		if ok && slices.Contains(list, s) {
			t.r.add(position(n), "this entry stands twice in `%s`; remove one", name)
		} else if ok {
			list = append(list, s)
		}
	}
	return list
}

// pattern is a rule that a text follows, with its description for whoever broke it.
type pattern struct {
	*regexp.Regexp
	description string
}

// matched reads a text that follows a pattern.
func (t *table) matched(name string, p pattern) string {
	s := t.text(name, maxText)
	if s != "" && !p.MatchString(s) {
		t.r.add(t.where(name), "`%s` must be %s", name, p.description)
		return ""
	}
	return s
}

// path reads a file name and puts a relative one into the file's own directory.
func (t *table) path(name string) string {
	s := t.text(name, maxText)
	if s == "" || filepath.IsAbs(s) {
		return s
	}
	return filepath.Join(t.r.directory, s)
}

// boolean reads true or false.
func (t *table) boolean(name string, otherwise bool) bool {
	if !t.has(name) {
		return otherwise
	}
	b, ok := t.entries[name].value.(*ast.BoolNode)
	if !ok {
		t.r.wrongKind(t.entries[name].value, "`"+name+"`", "true or false")
		return otherwise
	}
	return b.Value
}

// integer reads a whole number within bounds.
func (t *table) integer(name string, otherwise, least, most int64) int64 {
	if !t.has(name) {
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
		t.r.add(position(n), "`%s` must be between %d and %d", name, least, most)
		return otherwise
	}
	return value
}

// duration reads a length of time such as 2s or 500ms.
func (t *table) duration(name string, otherwise, least, most time.Duration) time.Duration {
	if !t.has(name) {
		return otherwise
	}
	n := t.entries[name].value
	if _, ok := n.(*ast.IntegerNode); ok {
		t.r.add(position(n), "`%s` lacks a unit; write it as in 2s, 500ms or 5m", name)
		return otherwise
	}
	s, ok := t.r.text(n, "`"+name+"`", 32)
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.r.add(position(n), "`%s` is no length of time; write it as in 2s, 500ms or 5m", name)
	case d < least || d > most:
		t.r.add(position(n), "`%s` must be between %v and %v", name, least, most)
	default:
		return d
	}
	return otherwise
}

// word reads one of a fixed set of words.
func word[W ~string](t *table, name string, known ...W) W {
	if !t.has(name) {
		return ""
	}
	s := W(t.text(name, maxText))
	if s == "" || slices.Contains(known, s) {
		return s
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	t.r.add(t.where(name), "unknown word `%.64s` for `%s`%s", string(s), name, didYouMean(string(s), names))
	return ""
}
