package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/kuasheng/kuasheng/internal/yamlfile"
	"github.com/kuasheng/kuasheng/node/source/statement"
)

// maxQuery is the statement package's own bound, in characters.
const maxQuery = statement.MaxLength

// Dialect is the SQL dialect of a source; false for HTTP.
func (k SourceKind) Dialect() (statement.Dialect, bool) {
	switch k {
	case SQLite:
		return statement.SQLite, true
	case Postgres:
		return statement.Postgres, true
	case MySQL:
		return statement.MySQL, true
	}
	return 0, false
}

// mapping checks that a resource can be answered from its source: exactly one of query and request, and exactly the
// declared parameters in it.
func mapping(t *yamlfile.Table, res Resource, n *Node) {
	routed := res.Share.Type != NotShared && res.Share.Mode != ModeFile
	if !routed {
		for _, name := range []string{"source", "query", "request"} {
			if t.Has(name) && res.Share.Type != "" {
				t.Add(t.Key(name), "this resource is published but not queried (not_shared, or mode file); remove `%s`", name)
			}
		}
		return
	}
	if !t.Has("source") {
		t.Add(t.At(), "a resource that is shared names its `source`; add it")
		return
	}
	s, ok := n.Source(res.Source)
	if !ok {
		if res.Source != "" {
			t.Add(t.Where("source"), "unknown source `%s`%s", res.Source, yamlfile.DidYouMean(res.Source, sourceNames(n)))
		}
		return
	}
	d, sql := s.Kind.Dialect()
	switch {
	case s.Kind == "": // reported with the source
	case sql:
		only(t, "request", "HTTP sources")
		if !t.Has("query") {
			t.Add(t.At(), "source `%s` is a database, so the resource needs a `query`; add it", s.Name)
		} else if res.Query != "" {
			query(t, res, d)
		}
	default:
		only(t, "query", "databases")
		if !t.Has("request") {
			t.Add(t.At(), "source `%s` is an HTTP service, so the resource needs a `request`; add it", s.Name)
		} else if res.Request != nil {
			used(t, res, res.Request.Names(), "request", "{%s}")
			addressed(t, res)
		}
	}
}

func sourceNames(n *Node) []string {
	names := make([]string, len(n.Sources))
	for i, s := range n.Sources {
		names[i] = s.Name
	}
	return names
}

func query(t *yamlfile.Table, res Resource, d statement.Dialect) {
	s, err := statement.Parse(d, res.Query)
	var e *statement.Error
	switch {
	case errors.As(err, &e):
		line := 1 + strings.Count(res.Query[:min(e.Offset, len(res.Query))], "\n")
		t.Add(t.Where("query"), "`query` (its line %d): %s", line, e.Reason)
	case err != nil:
		t.Add(t.Where("query"), "`query`: %v", err)
	default:
		used(t, res, s.Names(), "query", ":%s")
	}
}

// used compares the parameters that a mapping uses with those that are declared.
func used(t *yamlfile.Table, res Resource, names []string, key, form string) {
	declared := make([]string, len(res.Parameters))
	for i, p := range res.Parameters {
		declared[i] = p.Name
	}
	for _, name := range names {
		if !slices.Contains(declared, name) {
			hint := "; declare it under `parameters`"
			if len(declared) > 0 {
				hint += yamlfile.DidYouMean(name, declared)
			}
			t.Add(t.Where(key), "`%s` uses parameter `%.64s`, which is not declared%s", key, name, hint)
		}
	}
	for _, p := range res.Parameters {
		if p.Name != "" && !slices.Contains(names, p.Name) {
			t.Add(p.At, "parameter `%s` is declared and never used; use it as %s or remove it", p.Name, strings.Replace(form, "%s", p.Name, 1))
		}
	}
}

// addressed demands that what stands in a request's path is there: an address with a hole is another address.
func addressed(t *yamlfile.Table, res Resource) {
	for _, m := range placeholders.FindAllStringSubmatch(res.Request.Path, -1) {
		if p, ok := res.Parameter(m[1]); ok && !p.Required {
			t.Add(p.At, "parameter `%s` stands in the request's path, so it cannot be left out; set required: true, or move it to `query`", p.Name)
		}
	}
}

func request(t *yamlfile.Table) *Request {
	c := t.Child("request", "path", "method query body rows missing_is_null")
	if c == nil {
		return nil
	}
	r := &Request{
		At:            c.At(),
		Method:        yamlfile.Word(c, "method", "GET", "POST"),
		Path:          c.Text("path"),
		Query:         pairs(c, "query"),
		Body:          pairs(c, "body"),
		Rows:          c.TextWithin("rows", 200),
		MissingIsNull: c.Bool("missing_is_null", false),
	}
	if r.Method == "" {
		r.Method = "GET"
	}
	if r.Method == "GET" && c.Has("body") {
		c.Add(c.Key("body"), "a GET request has no body; set method: POST, or use `query`")
	}
	if r.Path != "" && (!strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?#") || slices.Contains(strings.Split(r.Path, "/"), "..")) {
		c.Add(c.Where("path"), "`path` must begin with / and hold no ?, # or ..; it is appended to the source's base_url")
	}
	for _, text := range r.templates() {
		if strings.ContainsAny(placeholders.ReplaceAllString(text, ""), "{}") {
			c.Add(c.At(), "`request` holds a brace that belongs to no {parameter}; write parameters as {name}")
		}
	}
	return r
}

func pairs(t *yamlfile.Table, name string) []Pair {
	c := t.Free(name)
	if c == nil {
		return nil
	}
	list := make([]Pair, 0, len(c.Names()))
	for _, key := range c.Names() {
		list = append(list, Pair{key, c.Text(key)})
	}
	return list
}

// placeholders are the parameters of a request's templates.
var placeholders = regexp.MustCompile(`\{([a-z][a-z0-9_]{0,63})\}`)

func (r *Request) templates() []string {
	list := []string{r.Path}
	for _, p := range slices.Concat(r.Query, r.Body) {
		list = append(list, p.Value)
	}
	return list
}

// Names lists the parameters that the request uses, without repetition.
func (r *Request) Names() []string {
	var names []string
	for _, text := range r.templates() {
		for _, m := range placeholders.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(names, m[1]) {
				names = append(names, m[1])
			}
		}
	}
	return names
}
