package statement

import "strings"

// reading turns tokens into parts and holds the rules: one statement, read-only, balanced, parameters by name.
type reading struct {
	lexer
	out      *Statement
	from     int    // start of the text not yet copied
	depth    int    // open parentheses
	previous string // the last word, in capitals; empty after anything else
	first    bool   // a first word was seen
	count    int
}

func (r *reading) run() error {
	for {
		t, err := r.next()
		if err != nil {
			return err
		}
		if t.kind == end {
			break
		}
		if t.kind == semicolon {
			if err := r.onlySpaceFollows(); err != nil {
				return err
			}
			return r.finish(t.from)
		}
		if err := r.take(t); err != nil {
			return err
		}
	}
	return r.finish(len(r.in))
}

func (r *reading) take(t token) error {
	if !r.first && t.kind != space && t.kind != word {
		return r.fail(t.from, "a statement begins with SELECT or WITH")
	}
	previous := r.previous
	if t.kind != space {
		r.previous = ""
	}
	switch t.kind {
	case open:
		r.depth++
	case closing:
		if r.depth--; r.depth < 0 {
			return r.fail(t.from, "this parenthesis closes nothing")
		}
	case placeholder:
		return r.place(t)
	case word:
		return r.keyword(t, previous)
	}
	return nil
}

func (r *reading) keyword(t token, previous string) error {
	w := strings.ToUpper(r.in[t.from:t.to])
	r.previous = w
	switch {
	case !r.first && w != "SELECT" && w != "WITH":
		return r.fail(t.from, "a statement begins with SELECT or WITH; a node only reads")
	case w == "INTO":
		// SELECT … INTO OUTFILE writes a file on the server even in a read-only transaction.
		return r.fail(t.from, "INTO writes; a node only reads")
	case previous == "FOR" && (w == "UPDATE" || w == "SHARE"):
		return r.fail(t.from, "FOR "+w+" locks rows; a node only reads")
	case previous == "ORDER" && w == "BY" && r.depth == 0:
		r.out.ordered = true
	}
	r.first = true
	return nil
}

func (r *reading) place(t token) error {
	if r.count++; r.count > maxPlaceholders {
		return r.fail(t.from, "more than 1000 parameters")
	}
	r.out.parts = append(r.out.parts, part{
		text:   r.in[r.from:t.from],
		name:   r.in[t.from+1 : t.to],
		tested: r.isFollows(),
	})
	r.from = t.to
	return nil
}

// isFollows looks ahead for IS without moving.
func (r *reading) isFollows() bool {
	ahead := r.lexer
	for {
		t, err := ahead.next()
		if err != nil || t.kind != space {
			return err == nil && t.kind == word && strings.EqualFold(ahead.in[t.from:t.to], "IS")
		}
	}
}

func (r *reading) onlySpaceFollows() error {
	for {
		t, err := r.next()
		switch {
		case err != nil:
			return err
		case t.kind == end:
			return nil
		case t.kind != space:
			return r.fail(t.from, "a second statement is refused")
		}
	}
}

func (r *reading) finish(to int) error {
	switch {
	case !r.first:
		return r.fail(0, "the statement is empty")
	case r.depth > 0:
		return r.fail(to, "a parenthesis is never closed")
	}
	r.out.parts = append(r.out.parts, part{text: r.in[r.from:to]})
	return nil
}
