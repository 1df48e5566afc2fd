package yamlfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrMistakes is matched by the error of a file that was read and is wrong.
var ErrMistakes = errors.New("mistakes in the file")

// Position is a place in a file, counted from 1; columns count characters.
type Position struct{ Line, Column int }

// Mistake is one thing wrong with a file, and what to do about it.
type Mistake struct {
	Position
	Message string
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

// maxMistakes bounds the report. A file that is wrong in more places is most likely another kind of file.
const maxMistakes = 200

// Add reports a mistake.
func (r *Reader) Add(at Position, format string, args ...any) {
	if len(r.list) < maxMistakes {
		r.list = append(r.list, Mistake{at, fmt.Sprintf(format, args...)})
	}
}

// Err returns *Mistakes where any were reported: sorted, and without what was found twice.
func (r *Reader) Err() error {
	if len(r.list) == 0 {
		return nil
	}
	slices.SortStableFunc(r.list, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Mistakes{File: r.name, List: slices.Compact(r.list)}
}
