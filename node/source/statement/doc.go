// Package statement reads the one SQL statement of a resource's mapping and rewrites its :name placeholders into the
// form the engine's driver binds. Values never pass through here: a statement is rewritten once, when the node starts,
// and every value is sent to the server beside it.
//
// The tokenizer knows just enough SQL to tell text that the server reads from text that it skips: quotes with their
// doubled and backslashed forms, line and nested block comments, PostgreSQL's ::casts and $tag$ quotes, MySQL's
// backticks and SQLite's brackets. A colon inside any of them is not a placeholder. What it cannot be sure about it
// refuses (an open quote, MySQL's executable comments, a second statement), because a statement that this package and
// the server read differently is how a bound parameter becomes a spliced one.
package statement
