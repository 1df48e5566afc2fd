package config

import (
	"regexp"
	"strings"

	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/yamlfile"
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

func fields(t *yamlfile.Table, open bool) []Field {
	items := t.Items("fields")
	if t.Has("fields") && len(items) == 0 {
		t.Add(t.Where("fields"), "a resource has at least one field")
	}
	if len(items) > maxFields {
		t.Add(items[maxFields].At(), "more than %d fields; the catalogue takes no more", maxFields)
		items = items[:maxFields]
	}
	names, columns := map[string]int{}, map[string]string{}
	var list []Field
	for _, item := range items {
		f := field(item, open)
		list = append(list, f)
		if f.Name == "" {
			continue
		}
		if line, ok := names[f.Name]; ok {
			t.Add(f.At, "field `%s` stands twice, first on line %d; remove one", f.Name, line)
			continue
		}
		names[f.Name] = f.At.Line
		column := strings.ToLower(f.Column)
		if other, ok := columns[column]; ok {
			t.Add(f.At, "fields `%s` and `%s` read the same column; remove one or set its `column`", other, f.Name)
		}
		columns[column] = f.Name
	}
	return list
}

func field(item yamlfile.Item, open bool) Field {
	t := item.Table("a field", "name title type", "description length scale unit column mask share open")
	f := Field{
		At:          item.At(),
		Name:        matched(t, "name", identifier),
		Title:       localized(t, "title", 2000),
		Description: t.TextWithin("description", 1000),
		Type:        yamlfile.Word(t, "type", types()...),
		Length:      int(t.Integer("length", 0, 1, maxLength)),
		Scale:       int(t.Integer("scale", ScaleAsGiven, 0, maxScale)),
		Unit:        t.TextWithin("unit", 32),
		Column:      t.TextWithin("column", 200),
		Mask:        mask(t, "mask"),
		Share:       yamlfile.Word(t, "share", Unconditional, Conditional, NotShared),
		Open:        t.Bool("open", open),
	}
	if f.Column == "" {
		f.Column = f.Name
	}
	// A field that is not shared does not become open because its resource is.
	if f.Share == NotShared && !t.Has("open") {
		f.Open = false
	}
	switch f.Type {
	case TypeString, TypeMemo, TypeGeneral:
		only(t, "scale", "types N and Y")
	case TypeNumber, TypeCurrency:
		only(t, "length", "types C, M and G")
	case "":
	default:
		only(t, "scale", "types N and Y")
		only(t, "length", "types C, M and G")
	}
	if f.Mask != ident.MaskNone && f.Mask != ident.MaskRedact && f.Type != "" && f.Type != TypeString && f.Type != TypeMemo && f.Type != TypeGeneral {
		t.Add(t.Where("mask"), "mask `%v` is for text; a field of type %s can only be masked with redact", f.Mask, f.Type)
	}
	return f
}

// only reports a key that means nothing for the type, since its writer expected something of it.
func only(t *yamlfile.Table, name, where string) {
	if t.Has(name) {
		t.Add(t.Key(name), "`%s` is for %s only; remove it", name, where)
	}
}

func mask(t *yamlfile.Table, name string) ident.Mask {
	if !t.Has(name) {
		return ident.MaskNone
	}
	s := t.Text(name)
	if s == "" {
		return ident.MaskRedact
	}
	m, err := ident.ParseMask(s)
	if err != nil {
		t.Add(t.Where(name), "unknown mask `%.64s`%s", s, yamlfile.DidYouMean(s, ident.MaskNames()))
		return ident.MaskRedact
	}
	return m
}

func parameters(t *yamlfile.Table) []Parameter {
	items := t.Items("parameters")
	if len(items) > maxParameters {
		t.Add(items[maxParameters].At(), "more than %d parameters; the catalogue takes no more", maxParameters)
		items = items[:maxParameters]
	}
	names, subject := map[string]int{}, ""
	var list []Parameter
	for _, item := range items {
		p := parameter(item)
		list = append(list, p)
		if line, ok := names[p.Name]; ok && p.Name != "" {
			t.Add(p.At, "parameter `%s` stands twice, first on line %d; remove one", p.Name, line)
		}
		names[p.Name] = p.At.Line
		if p.Subject && subject != "" {
			t.Add(p.At, "parameter `%s` is the subject already; a query is about one person or enterprise", subject)
		} else if p.Subject {
			subject = p.Name
		}
	}
	return list
}

func parameter(item yamlfile.Item) Parameter {
	t := item.Table("a parameter", "name type", "title format required subject max_length")
	p := Parameter{
		At:        item.At(),
		Name:      matched(t, "name", identifier),
		Title:     localized(t, "title", 2000),
		Type:      yamlfile.Word(t, "type", types()...),
		Format:    yamlfile.Word(t, "format", FormatCitizenID, FormatUSCC, FormatRegion),
		Required:  t.Bool("required", false),
		Subject:   t.Bool("subject", false),
		MaxLength: int(t.Integer("max_length", defaultParameterLength, 1, maxParameterLength)),
	}
	if !t.Has("title") {
		p.Title = Text{ZH: p.Name, EN: p.Name}
	}
	if p.Format != FormatAny && p.Type != TypeString && p.Type != "" {
		t.Add(t.Where("format"), "`format` is for type C only; remove it or declare type C")
	}
	return p
}
