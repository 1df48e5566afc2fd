package source

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
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

func (c *column) exact(v any) (string, string) {
	const misfit = "it is no decimal that its type and scale hold exactly"
	s, ok := "", false
	switch v := v.(type) {
	case string:
		s, ok = decimal(v, c.Scale)
	case []byte:
		s, ok = decimal(string(v), c.Scale)
	case json.Number:
		s, ok = decimal(string(v), c.Scale)
	case int64:
		s, ok = decimal(strconv.FormatInt(v, 10), c.Scale)
	case uint64:
		s, ok = decimal(strconv.FormatUint(v, 10), c.Scale)
	case float64:
		if s, ok = decimalOfFloat(v, 64, c.Scale); !ok {
			return "", "it is a binary floating-point number that does not hold an exact decimal; store it as DECIMAL (in SQLite as TEXT)"
		}
	case float32:
		if s, ok = decimalOfFloat(float64(v), 32, c.Scale); !ok {
			return "", "it is a binary floating-point number that does not hold an exact decimal; store it as DECIMAL"
		}
	}
	if !ok {
		return "", misfit
	}
	return s, ""
}

// exactFloat is the greatest magnitude up to which a double holds every integer.
const exactFloat = 1 << 53

func (c *column) whole(v any) (string, string) {
	const misfit = "it is no integer of 64 bits; declare type N for larger ones and for fractions"
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), ""
	case uint64:
		if v <= math.MaxInt64 {
			return strconv.FormatUint(v, 10), ""
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= exactFloat {
			return strconv.FormatInt(int64(v), 10), ""
		}
	case string:
		return integerText(v, misfit)
	case []byte:
		return integerText(string(v), misfit)
	case json.Number:
		return integerText(string(v), misfit)
	}
	return "", misfit
}

func integerText(s, misfit string) (string, string) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return "", misfit
	}
	return strconv.FormatInt(n, 10), ""
}

func (c *column) float(v any) (string, string) {
	const misfit = "it is no finite floating-point number"
	bits := 64
	var f float64
	var err error
	switch v := v.(type) {
	case float64:
		f = v
	case float32:
		f, bits = float64(v), 32
	case int64:
		if v > exactFloat || v < -exactFloat {
			return "", "it is an integer that a float does not hold exactly; declare type I"
		}
		f = float64(v)
	case string:
		f, err = strconv.ParseFloat(v, 64)
	case []byte:
		f, err = strconv.ParseFloat(string(v), 64)
	case json.Number:
		f, err = strconv.ParseFloat(string(v), 64)
	default:
		return "", misfit
	}
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return "", misfit
	}
	return formatFloat(f, bits), ""
}

// formatFloat writes a float as encoding/json does: shortest, with an exponent only for the very small and very large.
func formatFloat(f float64, bits int) string {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(f, format, -1, bits)
}

func (c *column) date(v any) (string, string) {
	const misfit = "it is no date; declare type T if it has a time of day"
	var t time.Time
	ok := false
	switch v := v.(type) {
	case day:
		t, ok = time.Time(v), inRange(time.Time(v))
	case naive:
		t, ok = time.Time(v), midnight(time.Time(v)) && inRange(time.Time(v))
	case time.Time:
		t = v.In(c.clock.zone)
		ok = midnight(t) && inRange(t)
	case string:
		t, ok = parseDay(v)
	case standard:
		t, ok = parseDay(string(v))
	case []byte:
		t, ok = parseDay(string(v))
	}
	if !ok {
		return "", misfit
	}
	return t.Format(time.DateOnly), ""
}

func (c *column) time(v any) (string, string) {
	const misfit = "it is no date with time; declare type D if it has no time of day"
	var t time.Time
	ok := false
	switch v := v.(type) {
	case naive:
		t, ok = c.clock.local(time.Time(v)), true
	case time.Time:
		t, ok = v, true
	case string:
		t, ok = c.clock.parse(v)
	case []byte:
		t, ok = c.clock.parse(string(v))
	case standard:
		t, ok = clock{c.clock.standard, c.clock.standard}.parse(string(v))
	}
	if !ok || !inRange(t.In(c.clock.zone)) {
		return "", misfit
	}
	return c.clock.instant(t), ""
}

func (c *column) logical(v any) (string, string) {
	const misfit = "it is no logical value; true/false, 1/0, t/f, y/n and 是/否 are understood"
	word := ""
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v), ""
	case int64:
		word = strconv.FormatInt(v, 10)
	case string:
		word = v
	case []byte:
		word = string(v)
	case binary:
		word = string(v)
	case json.Number:
		word = string(v)
	}
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "true", "t", "1", "y", "yes", "是", "\x01": // BIT(1) of MySQL is a byte
		return "true", ""
	case "false", "f", "0", "n", "no", "否", "\x00":
		return "false", ""
	}
	return "", misfit
}
