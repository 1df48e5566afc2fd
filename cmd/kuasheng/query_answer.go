package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/kuasheng/kuasheng/exchange/client"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

// showAnswer prints an answer: its exact bytes, or everything about it as JSON, or its rows as a table.
func showAnswer(w io.Writer, format string, fields []string, a *client.Answer) error {
	switch format {
	case "raw":
		_, err := w.Write(a.Bytes())
		return err
	case "json":
		b, err := answerJSON(a)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	}
	if t, ok := answerTable(fields, a.Response.GetMediaType(), a.Bytes()); ok {
		return t.write(w)
	}
	// Not rows of JSON: whoever asked knows what it is.
	_, err := w.Write(a.Bytes())
	return err
}

// answerTable reads {"rows":[{field: value, …}, …]}, the form in which nodes answer. Numbers stay as they are written.
func answerTable(fields []string, mediaType string, answer []byte) (table, bool) {
	if mediaType != "application/json" {
		return table{}, false
	}
	var body struct {
		Rows []map[string]json.RawMessage `json:"rows"`
	}
	if err := json.Unmarshal(answer, &body); err != nil || body.Rows == nil {
		return table{}, false
	}
	t := table{head: fields}
	for _, row := range body.Rows {
		cells := make([]string, len(fields))
		for i, f := range fields {
			cells[i] = cell(row[f])
		}
		t.rows = append(t.rows, cells)
	}
	return t, true
}

// cell prints a JSON value: strings without quotes, null as "-".
func cell(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && bytes.HasPrefix(value, []byte(`"`)) {
		return text
	}
	if len(value) == 0 || string(value) == "null" {
		return "-"
	}
	return string(value)
}

// answerJSON is the response as REST shows it, the answer inline where it is JSON, and what was verified.
func answerJSON(a *client.Answer) ([]byte, error) {
	rest, err := receiptOf(a.Response)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(rest, &all); err != nil {
		return nil, fmt.Errorf("encoding the result: %w", err)
	}
	if e := a.Evidence; e != nil {
		if all["verified"], err = encode(verifiedJSON{
			Access: e.Access, Intent: e.Intent, Answer: e.Answer, JournalKeyPinned: e.Pinned,
		}); err != nil {
			return nil, err
		}
	}
	b, err := encode(all)
	if err != nil {
		return nil, err
	}
	return withAnswer(b, a.Bytes())
}

// verifiedJSON says what was proven, as -o json prints it.
type verifiedJSON struct {
	Access           string       `json:"access"`
	Intent           client.Place `json:"intent"`
	Answer           client.Place `json:"answer"`
	JournalKeyPinned bool         `json:"journalKeyPinned"`
}

// encode is json.Marshal without the escapes that only HTML needs.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the result: %w", err)
	}
	return b.Bytes(), nil
}

// receiptOf is what --receipt saves: the response without the answer.
func receiptOf(resp *queryv1.QueryResourceResponse) ([]byte, error) {
	kept := proto.CloneOf(resp)
	kept.Answer = nil
	b, err := protojson.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encoding the receipt: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, fmt.Errorf("encoding the receipt: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
