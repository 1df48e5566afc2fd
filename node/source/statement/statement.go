package statement

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxLength bounds a statement in bytes. Hand-written queries stay below a few kilobytes; the bound keeps a wrong file
// from being read as a query.
const MaxLength = 64 << 10

// maxPlaceholders is what the least of the three wire protocols binds (MySQL and PostgreSQL count them in 16 bits,
// SQLite allows 32,766), far above what one look-up needs.
const maxPlaceholders = 1000

// ErrStatement is wrapped by every refusal of Parse.
var ErrStatement = errors.New("statement refused")

// Error says what is wrong with a statement and where. Reason names keywords and positions, never literals.
type Error struct {
	Offset int // byte offset into the statement
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("at character %d: %s", e.Offset+1, e.Reason)
}

// Is makes every Error match ErrStatement.
func (e *Error) Is(target error) bool { return target == ErrStatement }

// Statement is a read-only statement split at its placeholders.
type Statement struct {
	dialect Dialect
	parts   []part
	ordered bool
}

// part is text to be copied, followed by a placeholder unless it is the last.
type part struct {
	text   string
	name   string // empty for the last part
	tested bool   // the placeholder is the operand of IS, so the engine cannot infer its type
}

// Parse reads one SELECT or WITH statement.
func Parse(d Dialect, query string) (*Statement, error) {
	if len(query) > MaxLength {
		return nil, &Error{MaxLength, "the statement is longer than 64 KiB"}
	}
	s := &Statement{dialect: d}
	r := &reading{lexer: lexer{dialect: d, in: query}, out: s}
	if err := r.run(); err != nil {
		return nil, err
	}
	return s, nil
}

// Names lists the placeholders without repetition, in order of first use.
func (s *Statement) Names() []string {
	var names []string
	for _, p := range s.parts {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Ordered reports whether the statement orders its result: without it rows come in any order and a broken export
// cannot be resumed.
func (s *Statement) Ordered() bool { return s.ordered }

// Bound is a statement in the form its driver wants. Order names the parameter of each bound value, so a name used
// twice stands in it twice.
type Bound struct {
	Text  string
	Order []string
}

// Bind numbers the placeholders. cast may wrap a placeholder in a conversion that the engine needs to give the
// parameter its type; tested says that the placeholder is the operand of IS, where PostgreSQL can infer none. Each
// occurrence is bound by itself: PostgreSQL refuses `$1 IS NULL OR day >= $1` when it meets the untyped use first.
func (s *Statement) Bind(cast func(name, placeholder string, tested bool) string) Bound {
	var b strings.Builder
	var order []string
	for _, p := range s.parts {
		b.WriteString(p.text)
		if p.name == "" {
			continue
		}
		order = append(order, p.name)
		b.WriteString(cast(p.name, s.dialect.placeholder(len(order)), p.tested))
	}
	return Bound{Text: b.String(), Order: order}
}
