package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// MaxFile bounds the file in bytes. A province publishes about a thousand resources of some 4 kilobytes each.
const MaxFile = 16 << 20

// maxDepth bounds nesting. The file's own structure is six deep; the parser recurses, and deep nesting would exhaust its
// stack, which cannot be recovered from.
const maxDepth = 64

// Load reads a node's file. Mistakes come back as *Mistakes, which matches ErrMistakes.
func Load(path string) (*Node, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the node's file (`node init` writes one): %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the node's file: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a node's file from memory. Relative paths are taken from the directory of name.
func Parse(name string, data []byte) (*Node, error) {
	r := &reader{directory: filepath.Dir(name)}
	root := r.document(data)
	if root == nil {
		return nil, r.err(name)
	}
	n := r.node(root)
	if err := r.err(name); err != nil {
		return nil, err
	}
	n.File = name
	return n, nil
}

// document parses the YAML up to its one mapping.
func (r *reader) document(data []byte) ast.Node {
	start := Position{1, 1}
	text := strings.TrimPrefix(string(data), "\ufeff") // editors on Windows write a byte order mark
	switch {
	case len(data) > MaxFile:
		r.add(start, "the file is larger than 16 MiB; this is hardly a node's file")
		return nil
	case !utf8.ValidString(text):
		r.add(invalidAt(text), "the file is not UTF-8; save it as UTF-8 (GBK is not read)")
		return nil
	}
	if at, deep := tooDeep(text); deep {
		r.add(at, "brackets or indentation nest deeper than %d levels", maxDepth)
		return nil
	}
	f, err := parseYAML(strings.ReplaceAll(text, "\r\n", "\n"))
	if err != nil {
		r.syntax(err)
		return nil
	}
	var body ast.Node
	for i, d := range f.Docs {
		switch {
		case i > 0 && d.Body != nil:
			r.add(position(d.Body), "a second document begins here; a node has one file with one document")
		case i == 0:
			body = d.Body
		}
	}
	if body == nil {
		r.add(start, "the file is empty; `node init` writes a commented one to start from")
	}
	return body
}

// parseYAML turns a panic of the parser into an error: what an operator types must never end the process with a trace.
func parseYAML(text string) (f *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the YAML cannot be parsed")
		}
	}()
	return parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
}

// syntax reports an error of the parser, which knows the place and stops at the first.
func (r *reader) syntax(err error) {
	at := Position{1, 1}
	message := err.Error()
	var ye yaml.Error
	if errors.As(err, &ye) {
		message = ye.GetMessage()
		if t := ye.GetToken(); t != nil && t.Position != nil {
			at = Position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
		}
	}
	r.add(at, "this is not YAML: %s; nothing behind this place was checked", firstLine(message))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// invalidAt finds the first byte that is not UTF-8.
func invalidAt(text string) Position {
	line, column := 1, 1
	for i, c := range text {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				break
			}
		}
		if column++; c == '\n' {
			line, column = line+1, 1
		}
	}
	return Position{line, column}
}

// tooDeep is a bound on nesting that needs no parser: it counts opening brackets and dashes whether quoted or not, which
// only overcounts in lines that no honest file has.
func tooDeep(text string) (Position, bool) {
	line := 0
	depth := 0
	for l := range strings.Lines(text) {
		line++
		indent := len(l) - len(strings.TrimLeft(l, " -?\t"))
		if indent > 8*maxDepth {
			return Position{line, 1}, true
		}
		for i := range len(l) {
			switch l[i] {
			case '[', '{':
				if depth++; depth > maxDepth {
					return Position{line, i + 1}, true
				}
			case ']', '}':
				depth = max(depth-1, 0)
			}
		}
	}
	return Position{}, false
}
