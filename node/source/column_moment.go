package source

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

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
