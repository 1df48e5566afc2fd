package source

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/node/config"
)

// column is a field with all that is needed to write its values.
type column struct {
	config.Field
	masks []ident.Mask // in the order applied
	clock clock
	key   []byte   // `"name":`
	path  []string // of HTTP sources
}

// newColumn takes the masks that the policy puts on the resource.
func newColumn(f config.Field, policy []config.FieldMask, c clock) *column {
	col := &column{Field: f, clock: c, path: strings.Split(f.Column, ".")}
	col.key = append(appendString(nil, f.Name), ':')
	if f.Mask != ident.MaskNone {
		col.masks = append(col.masks, f.Mask)
	}
	for _, m := range policy {
		if m.Field == f.Name {
			col.masks = append(col.masks, m.With)
		}
	}
	return col
}

// write appends the JSON of a value that a source gave.
func (c *column) write(dst []byte, v any) ([]byte, error) {
	if v == nil {
		return append(dst, "null"...), nil
	}
	s, reason := c.text(v)
	if reason != "" {
		return dst, misfit(c.Name, reason)
	}
	for _, m := range c.masks {
		s = m.Apply(s)
	}
	switch {
	case len(c.masks) > 0:
	case c.Type == config.TypeDouble, c.Type == config.TypeFloat, c.Type == config.TypeLogical:
		return append(dst, s...), nil
	}
	return appendString(dst, s), nil
}

// text gives the value as its type writes it, or the reason why it does not fit.
func (c *column) text(v any) (string, string) {
	switch c.Type {
	case config.TypeString, config.TypeMemo, config.TypeGeneral:
		return c.words(v)
	case config.TypeNumber, config.TypeCurrency:
		return c.exact(v)
	case config.TypeInteger:
		return c.whole(v)
	case config.TypeDouble, config.TypeFloat:
		return c.float(v)
	case config.TypeDate:
		return c.date(v)
	case config.TypeTime:
		return c.time(v)
	case config.TypeLogical:
		return c.logical(v)
	}
	return "", "its declared type is unknown"
}

func (c *column) words(v any) (string, string) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case []byte:
		s = string(v)
	case binary:
		if c.Type == config.TypeGeneral {
			s = base64.StdEncoding.EncodeToString(v)
			break
		}
		s = string(v)
	case int64:
		s = strconv.FormatInt(v, 10)
	case uint64:
		s = strconv.FormatUint(v, 10)
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return "", "it is a fraction, which text would write in one of many ways; declare type N or F"
		}
		s = string(v)
	default:
		return "", "it is no text; declare the type of its column"
	}
	switch {
	case !utf8.ValidString(s):
		return "", "it is not UTF-8; convert it in the query, or declare type G for binary data"
	case c.Length > 0 && len(s) > c.Length && utf8.RuneCountInString(s) > c.Length:
		return "", "it is longer than its declared length"
	}
	return s, ""
}
