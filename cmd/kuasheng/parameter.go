package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxParameters bounds the file with parameters: the protocol allows 32 of at most 4,096 bytes, and JSON can double that.
const maxParameters = 512 << 10

// errParameter means that parameters cannot be read. Errors give names and lines, never values.
var errParameter = errors.New("invalid parameter")

// parseParameters reads lines of name=value, where lines that are empty or begin with # do not count, or a JSON object of strings.
func parseParameters(into map[string]string, data []byte) error {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors on Windows put it there
	if !utf8.Valid(data) {
		return fmt.Errorf("%w: the file is not UTF-8", errParameter)
	}
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		return parseJSONParameters(into, trimmed)
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%w: line %d is not name=value", errParameter, number)
		}
		if err := addParameter(into, strings.TrimSpace(name), value); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	return nil
}

// parseJSONParameters reads the object token by token: maps would hide a name that stands twice.
func parseJSONParameters(into map[string]string, data []byte) error {
	// The decoder's own errors may quote a value.
	bad := fmt.Errorf("%w: not a JSON object whose values are strings", errParameter)
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return bad
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return bad
		}
		value, err := d.Token()
		if err != nil {
			return bad
		}
		n, isName := name.(string)
		v, isText := value.(string)
		if !isName || !isText {
			return bad
		}
		if err := addParameter(into, n, v); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad
	}
	return nil
}

func addParameter(into map[string]string, name, value string) error {
	if name == "" {
		return fmt.Errorf("%w: a name is missing", errParameter)
	}
	if _, ok := into[name]; ok {
		return fmt.Errorf("%w: %.64q is given twice", errParameter, name)
	}
	into[name] = value
	return nil
}
