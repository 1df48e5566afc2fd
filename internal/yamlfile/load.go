package yamlfile

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

// maxDepth bounds nesting. The parser recurses, and deep nesting would exhaust its stack, which cannot be recovered from.
const maxDepth = 64

// Kind is a kind of file.
type Kind struct {
	Server string // whose file it is, as in node
	Init   string // the command that writes one, in the quotes that messages show it in
	Max    int64  // largest size in bytes, a whole number of MiB
}

// name is what messages call the file.
func (k Kind) name() string { return k.Server + "'s file" }

// one is the server with its article.
func (k Kind) one() string {
	if k.Server != "" && strings.ContainsRune("aeiou", rune(k.Server[0])) {
		return "an " + k.Server
	}
	return "a " + k.Server
}

// Reader walks a parsed file. It never stops at a mistake: what cannot be read is reported and left zero. One goroutine uses it.
type Reader struct {
	name      string // of the file
	directory string // that relative paths are relative to
	root      ast.Node
	list      []Mistake
}

// Load reads a file. An error is about the file itself; mistakes in it are told by [Reader.Err].
func Load(path string, kind Kind) (*Reader, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("opening the %s (%s writes one): %w", kind.name(), kind.Init, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the %s: %w", kind.name(), err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, kind.Max+1))
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w", kind.name(), err)
	}
	return Parse(path, data, kind), nil
}

// Parse reads a file from memory. Relative paths in it are taken from the directory of name.
func Parse(name string, data []byte, kind Kind) *Reader {
	r := &Reader{name: name, directory: filepath.Dir(name)}
	r.root = r.document(data, kind)
	return r
}

// Root reads the file's one mapping with the given keys, each list separated by spaces. It is nil where there is none.
func (r *Reader) Root(required, optional string) *Table {
	if r.root == nil {
		return nil
	}
	return r.table(r.root, "the file", required, optional)
}

// document parses the YAML up to its one mapping.
func (r *Reader) document(data []byte, kind Kind) ast.Node {
	start := Position{1, 1}
	text := strings.TrimPrefix(string(data), "\ufeff") // editors on Windows write a byte order mark
	switch {
	case int64(len(data)) > kind.Max:
		r.Add(start, "the file is larger than %d MiB; this is hardly %s's file", kind.Max>>20, kind.one())
		return nil
	case !utf8.ValidString(text):
		r.Add(invalidAt(text), "the file is not UTF-8; save it as UTF-8 (GBK is not read)")
		return nil
	}
	if at, deep := tooDeep(text); deep {
		r.Add(at, "brackets or indentation nest deeper than %d levels", maxDepth)
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
			r.Add(position(d.Body), "a second document begins here; %s has one file with one document", kind.one())
		case i == 0:
			body = d.Body
		}
	}
	if body == nil {
		r.Add(start, "the file is empty; %s writes a commented one to start from", kind.Init)
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
func (r *Reader) syntax(err error) {
	at := Position{1, 1}
	message := err.Error()
	var ye yaml.Error
	if errors.As(err, &ye) {
		message = ye.GetMessage()
		if t := ye.GetToken(); t != nil && t.Position != nil {
			at = Position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
		}
	}
	line, _, _ := strings.Cut(message, "\n")
	r.Add(at, "this is not YAML: %s; nothing behind this place was checked", line)
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
