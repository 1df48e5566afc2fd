package config

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kuasheng/kuasheng/internal/ident"
)

const (
	maxFields     = 500 // the catalogue's bound
	maxParameters = 32  // the catalogue's bound

	defaultParameterLength = 256
	maxParameterLength     = 4096 // the catalogue's bound; nobody types more into a form

	maxLength = 1 << 20 // of a field in characters; an answer is smaller than that
	maxScale  = 30      // MySQL's bound for decimals, the least of the engines'
)

// identifier is the form of a field's and a parameter's name.
var identifier = pattern{regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`), "lower-case letters, digits and _, beginning with a letter, at most 64"}

func types() []Type {
	return []Type{TypeString, TypeNumber, TypeCurrency, TypeDate, TypeTime, TypeLogical, TypeMemo, TypeGeneral, TypeDouble, TypeInteger, TypeFloat}
}

func (t *table) fields(open bool) []Field {
	items := t.items("fields")
	if t.has("fields") && len(items) == 0 {
		t.r.add(t.where("fields"), "a resource has at least one field")
	}
	if len(items) > maxFields {
		t.r.add(position(items[maxFields]), "more than %d fields; the catalogue takes no more", maxFields)
		items = items[:maxFields]
	}
	names, columns := map[string]int{}, map[string]string{}
	var list []Field
	for _, item := range items {
		f := t.r.field(item, open)
		list = append(list, f)
		if f.Name == "" {
			continue
		}
		if line, ok := names[f.Name]; ok {
			t.r.add(f.At, "field `%s` stands twice, first on line %d; remove one", f.Name, line)
			continue
		}
		names[f.Name] = f.At.Line
		column := strings.ToLower(f.Column)
		if other, ok := columns[column]; ok {
			t.r.add(f.At, "fields `%s` and `%s` read the same column; remove one or set its `column`", other, f.Name)
		}
		columns[column] = f.Name
	}
	return list
}

func (r *reader) field(item ast.Node, open bool) Field {
	t := r.table(item, "a field", "name title type", "description length scale unit column mask share open")
	f := Field{
		At:          position(item),
		Name:        t.matched("name", identifier),
		Title:       t.localized("title", 2000),
		Description: t.text("description", 1000),
		Type:        word(t, "type", types()...),
		Length:      int(t.integer("length", 0, 1, maxLength)),
		Scale:       int(t.integer("scale", ScaleAsGiven, 0, maxScale)),
		Unit:        t.text("unit", 32),
		Column:      t.text("column", 200),
		Mask:        t.mask("mask"),
		Share:       word(t, "share", Unconditional, Conditional, NotShared),
		Open:        t.boolean("open", open),
	}
	if f.Column == "" {
		f.Column = f.Name
	}
	// A field that is not shared does not become open because its resource is.
	if f.Share == NotShared && !t.has("open") {
		f.Open = false
	}
	switch f.Type {
	case TypeString, TypeMemo, TypeGeneral:
		t.only("scale", "types N and Y")
	case TypeNumber, TypeCurrency:
		t.only("length", "types C, M and G")
	case "":
	default:
		t.only("scale", "types N and Y")
		t.only("length", "types C, M and G")
	}
	if f.Mask != ident.MaskNone && f.Mask != ident.MaskRedact && f.Type != "" && f.Type != TypeString && f.Type != TypeMemo && f.Type != TypeGeneral {
		t.r.add(t.where("mask"), "mask `%v` is for text; a field of type %s can only be masked with redact", f.Mask, f.Type)
	}
	return f
}

// only reports a key that means nothing for the type, since its writer expected something of it.
func (t *table) only(name, where string) {
	if t.has(name) {
		t.r.add(t.entries[name].key, "`%s` is for %s only; remove it", name, where)
	}
}

func (t *table) mask(name string) ident.Mask {
	if !t.has(name) {
		return ident.MaskNone
	}
	s := t.text(name, maxText)
	if s == "" {
		return ident.MaskRedact
	}
	m, err := ident.ParseMask(s)
	if err != nil {
		t.r.add(t.where(name), "unknown mask `%.64s`%s", s, didYouMean(s, ident.MaskNames()))
		return ident.MaskRedact
	}
	return m
}

func (t *table) parameters() []Parameter {
	items := t.items("parameters")
	if len(items) > maxParameters {
		t.r.add(position(items[maxParameters]), "more than %d parameters; the catalogue takes no more", maxParameters)
		items = items[:maxParameters]
	}
	names, subject := map[string]int{}, ""
	var list []Parameter
	for _, item := range items {
		p := t.r.parameter(item)
		list = append(list, p)
		if line, ok := names[p.Name]; ok && p.Name != "" {
			t.r.add(p.At, "parameter `%s` stands twice, first on line %d; remove one", p.Name, line)
		}
		names[p.Name] = p.At.Line
		if p.Subject && subject != "" {
			t.r.add(p.At, "parameter `%s` is the subject already; a query is about one person or enterprise", subject)
		} else if p.Subject {
			subject = p.Name
		}
	}
	return list
}

func (r *reader) parameter(item ast.Node) Parameter {
	t := r.table(item, "a parameter", "name type", "title format required subject max_length")
	p := Parameter{
		At:        position(item),
		Name:      t.matched("name", identifier),
		Title:     t.localized("title", 2000),
		Type:      word(t, "type", types()...),
		Format:    word(t, "format", FormatCitizenID, FormatUSCC, FormatRegion),
		Required:  t.boolean("required", false),
		Subject:   t.boolean("subject", false),
		MaxLength: int(t.integer("max_length", defaultParameterLength, 1, maxParameterLength)),
	}
	if !t.has("title") {
		p.Title = Text{ZH: p.Name, EN: p.Name}
	}
	if p.Format != FormatAny && p.Type != TypeString && p.Type != "" {
		t.r.add(t.where("format"), "`format` is for type C only; remove it or declare type C")
	}
	return p
}
