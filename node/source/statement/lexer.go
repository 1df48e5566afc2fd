package statement

import "strings"

// kind says what a token is to the reader.
type kind int

const (
	other       kind = iota // operators, numbers, quoted text: copied, never looked into
	space                   // white space and comments
	word                    // an unquoted identifier or keyword
	placeholder             // :name
	open                    // (
	closing                 // )
	semicolon
	end
)

// token is a piece of the input, in[from:to].
type token struct {
	kind     kind
	from, to int
}

// lexer cuts a statement into tokens.
type lexer struct {
	dialect Dialect
	in      string
	at      int
}

func (l *lexer) peek(ahead int) byte {
	if l.at+ahead < len(l.in) {
		return l.in[l.at+ahead]
	}
	return 0
}

func (l *lexer) fail(at int, reason string) error { return &Error{at, reason} }

// next returns the token at the current position and moves behind it.
func (l *lexer) next() (token, error) {
	from := l.at
	if from >= len(l.in) {
		return token{end, from, from}, nil
	}
	k, err := l.scan()
	return token{k, from, l.at}, err
}

func (l *lexer) scan() (kind, error) {
	c := l.peek(0)
	switch {
	case c == 0:
		return other, l.fail(l.at, "a NUL character cannot stand in a statement")
	case isSpace(c):
		for isSpace(l.peek(0)) {
			l.at++
		}
		return space, nil
	case c == '-' && l.peek(1) == '-', c == '#' && l.dialect == MySQL:
		return l.line()
	case c == '/' && l.peek(1) == '*':
		return l.block()
	case c == '\'', c == '"', c == '`' && l.dialect != Postgres:
		return other, l.quoted(c, l.dialect == MySQL && c != '`')
	case c == '[' && l.dialect == SQLite:
		return other, l.quoted(']', false)
	case c == '$' && l.dialect == Postgres:
		return other, l.dollar()
	case isWordStart(c):
		return l.word()
	case c >= '0' && c <= '9':
		for isWord(l.peek(0)) || l.peek(0) == '.' {
			l.at++
		}
		return other, nil
	case c == ':':
		return l.colon()
	case c == '?' && l.dialect != Postgres, c == '$', c == '@' && l.dialect == SQLite:
		return other, l.fail(l.at, "write parameters as :name; "+string(c)+" belongs to the driver")
	}
	l.at++
	switch c {
	case '(':
		return open, nil
	case ')':
		return closing, nil
	case ';':
		return semicolon, nil
	}
	return other, nil
}

// line skips a comment up to the end of its line. MySQL reads -- as a comment only before white space.
func (l *lexer) line() (kind, error) {
	if l.dialect == MySQL && l.peek(0) == '-' {
		if c := l.peek(2); c != 0 && !isSpace(c) {
			l.at += 2
			return other, nil
		}
	}
	n := strings.IndexByte(l.in[l.at:], '\n')
	if n < 0 {
		l.at = len(l.in)
		return space, nil
	}
	l.at += n + 1
	return space, nil
}

// block skips a block comment; PostgreSQL nests them, the others do not.
func (l *lexer) block() (kind, error) {
	from := l.at
	if rest := l.in[from+2:]; l.dialect == MySQL && (strings.HasPrefix(rest, "!") || strings.HasPrefix(rest, "M!")) {
		return space, l.fail(from, "comments that the server executes (/*! … */) are refused")
	}
	depth := 0
	for l.at < len(l.in) {
		switch {
		case l.peek(0) == '*' && l.peek(1) == '/':
			l.at += 2
			if depth--; depth == 0 {
				return space, nil
			}
		case l.peek(0) == '/' && l.peek(1) == '*' && (depth == 0 || l.dialect == Postgres):
			l.at += 2
			depth++
		default:
			l.at++
		}
	}
	return space, l.fail(from, "this comment is never closed")
}

// quoted skips a literal or a quoted identifier that ends with the given character, doubled to stand for itself.
func (l *lexer) quoted(closer byte, backslash bool) error {
	from := l.at
	for l.at++; l.at < len(l.in); l.at++ {
		switch c := l.in[l.at]; {
		case c == 0:
			return l.fail(l.at, "a NUL character cannot stand in a statement")
		case c == '\\' && backslash:
			l.at++
		case c == closer && l.peek(1) == closer && closer != ']':
			l.at++
		case c == closer:
			l.at++
			return nil
		}
	}
	l.at = len(l.in)
	return l.fail(from, "this quote is never closed")
}

// dollar skips PostgreSQL's $tag$ … $tag$.
func (l *lexer) dollar() error {
	from := l.at
	n := 1
	for isWordStart(l.peek(n)) || n > 1 && isWord(l.peek(n)) && l.peek(n) != '$' {
		n++
	}
	if l.peek(n) != '$' {
		return l.fail(from, "write parameters as :name; $ belongs to the driver")
	}
	tag := l.in[from : from+n+1]
	body := strings.Index(l.in[from+len(tag):], tag)
	if body < 0 {
		return l.fail(from, "this quote is never closed")
	}
	l.at = from + body + 2*len(tag)
	return nil
}

// word reads an identifier or keyword. PostgreSQL's E'…' is the only string there in which a backslash escapes.
func (l *lexer) word() (kind, error) {
	from := l.at
	for isWord(l.peek(0)) {
		l.at++
	}
	if l.dialect == Postgres && l.peek(0) == '\'' && strings.EqualFold(l.in[from:l.at], "e") {
		return other, l.quoted('\'', true)
	}
	return word, nil
}

// colon tells a placeholder from a cast (::), an assignment (:=) and an array slice ([1: 2]).
func (l *lexer) colon() (kind, error) {
	switch c := l.peek(1); {
	case c == ':', c == '=':
		l.at += 2
		return other, nil
	case !isWordStart(c):
		l.at++
		return other, nil
	}
	for l.at++; isWord(l.peek(0)); l.at++ {
	}
	return placeholder, nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// isWordStart takes every byte above ASCII as a letter, as all three engines do: Chinese column names are words.
func isWordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isWord(c byte) bool { return isWordStart(c) || c >= '0' && c <= '9' || c == '$' }
