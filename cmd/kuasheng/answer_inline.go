package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// withAnswer indents an object and puts the answer into it as its last member. What the digest on record is over are the answer's exact bytes, so
// a JSON answer stands there byte for byte, never indented again; any other is a base64 string, as over REST.
func withAnswer(object, answer []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(object), "", "  "); err != nil {
		return nil, fmt.Errorf("encoding the result: %w", err)
	}
	value := answer
	if !standsInline(answer) {
		var err error
		if value, err = json.Marshal(answer); err != nil {
			return nil, fmt.Errorf("encoding the answer: %w", err)
		}
	}
	out.Truncate(out.Len() - len("\n}"))
	out.WriteString(",\n  \"answer\": ")
	out.Write(value)
	out.WriteString("\n}\n")
	return out.Bytes(), nil
}

// standsInline reports whether a reader of the JSON around it gets the answer back byte for byte, and cannot take it for base64: an array or an
// object without white space around it.
func standsInline(answer []byte) bool {
	if len(answer) == 0 || answer[0] != '{' && answer[0] != '[' || !utf8.Valid(answer) || !json.Valid(answer) {
		return false
	}
	last := answer[len(answer)-1]
	return last == '}' || last == ']'
}

// spellings are the bytes that an inline answer may stand for: base64, or the JSON itself, as it stands and without the white space that a program
// which saved the file may have put between its parts. White space carries no meaning there; anything else that was changed has another digest.
func spellings(value json.RawMessage) [][]byte {
	if bytes.HasPrefix(value, []byte(`"`)) {
		var answer []byte
		if json.Unmarshal(value, &answer) != nil {
			return nil
		}
		return [][]byte{answer}
	}
	var tight bytes.Buffer
	if json.Compact(&tight, value) != nil {
		return nil
	}
	return [][]byte{value, tight.Bytes()}
}

// members reads the outermost object. A name that stands twice is refused: of two answers one reader would see the first and another the last.
func members(data []byte) (map[string]json.RawMessage, error) {
	// The decoder's own errors may quote the file.
	bad := fmt.Errorf("%w: not a JSON object", errReceiptFile)
	if !json.Valid(data) {
		return nil, bad
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, bad
	}
	all := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, bad
		}
		if _, ok := all[name]; ok {
			return nil, fmt.Errorf("%w: %.64q stands twice", errReceiptFile, name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, bad
		}
		all[name] = value
	}
	return all, nil
}
