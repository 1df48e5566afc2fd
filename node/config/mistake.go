package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrMistakes is matched by the error of a file that was read and is wrong.
var ErrMistakes = errors.New("mistakes in the node's file")

// Mistake is one thing wrong with a file, and what to do about it.
type Mistake struct {
	Line, Column int
	Message      string
}

// Mistakes is everything wrong with a file, in order of position.
type Mistakes struct {
	File string
	List []Mistake
}

// Error lists the mistakes, one a line, in the form that editors can jump to.
func (m *Mistakes) Error() string {
	var b strings.Builder
	for i, one := range m.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s", m.File, one.Line, one.Column, one.Message)
	}
	return b.String()
}

// Is makes every Mistakes match ErrMistakes.
func (m *Mistakes) Is(target error) bool { return target == ErrMistakes }

// maxMistakes bounds the report. A file that is wrong in more places is most likely not a node's file.
const maxMistakes = 200

// mistakes collects while a file is read.
type mistakes struct{ list []Mistake }

func (m *mistakes) add(at Position, format string, args ...any) {
	if len(m.list) < maxMistakes {
		m.list = append(m.list, Mistake{at.Line, at.Column, fmt.Sprintf(format, args...)})
	}
}

// err sorts what was found and drops what was found twice.
func (m *mistakes) err(file string) error {
	if len(m.list) == 0 {
		return nil
	}
	slices.SortStableFunc(m.list, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Mistakes{File: file, List: slices.Compact(m.list)}
}
