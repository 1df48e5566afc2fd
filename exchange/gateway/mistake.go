package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var (
	unknownField = regexp.MustCompile(`(unknown field|duplicate field) "((?:[^"\\]|\\.)*)"`)
	wrongValue   = regexp.MustCompile(`invalid value for (\w+) field (\w+)`)
	place        = regexp.MustCompile(`\(line (\d+):(\d+)\)`)
)

// undecodable says what was wrong with a body. Of the decoder's own text it takes names and places only: the rest quotes what was read. outer
// is the outermost field that does not decode, if it is one.
func undecodable(err error, outer protoreflect.FieldDescriptor) *mistake {
	text := err.Error()
	at := ""
	if m := place.FindStringSubmatch(text); m != nil {
		at = fmt.Sprintf(" (line %s, column %s of the body)", m[1], m[2])
	}
	if m := unknownField.FindStringSubmatch(text); m != nil {
		return &mistake{subject: m[2], detail: m[1] + at}
	}
	if m := wrongValue.FindStringSubmatch(text); m != nil {
		subject := m[2]
		if outer != nil && outer.IsMap() {
			subject = outer.JSONName() // the decoder calls every value of a map "value"
		}
		return &mistake{subject: subject, detail: "the value is no " + m[1] + at}
	}
	if outer != nil && strings.Contains(text, "invalid UTF-8") {
		return &mistake{subject: outer.JSONName(), detail: "the text is not UTF-8" + at}
	}
	if outer != nil {
		return &mistake{subject: outer.JSONName(), detail: "the value is not of this field's form, which is " + formOf(outer) + at}
	}
	return &mistake{detail: "the body is not the JSON of this method's request" + at}
}

// outermost finds the first member of a body that does not decode by itself; nil where the body is no JSON object or every member does. The
// decoder names no place but a column.
func outermost(body []byte, t protoreflect.MessageType) protoreflect.FieldDescriptor {
	fields := t.Descriptor().Fields()
	d := json.NewDecoder(bytes.NewReader(body))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil
		}
		name, _ := key.(string)
		f := fields.ByJSONName(name)
		if f == nil {
			f = fields.ByTextName(name)
		}
		if f != nil && protojson.Unmarshal(fmt.Appendf(nil, "{%q:%s}", f.JSONName(), value), t.New().Interface()) != nil {
			return f
		}
	}
	return nil
}

// formOf is how a field looks in JSON.
func formOf(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsList():
		return "an array"
	case f.IsMap(), f.Message() != nil && f.Message().FullName().Parent() != "google.protobuf":
		return "an object"
	case f.Kind() == protoreflect.BoolKind:
		return "true or false"
	}
	return "a single value" // a number, an enum's name, or a text such as a timestamp's
}

// timeouts are the units of the header Grpc-Timeout, as in gRPC itself.
var timeouts = regexp.MustCompile(`^([0-9]{1,8})([HMSmun])$`)

// checkHeader finds headers that would be misunderstood or pass in silence.
func checkHeader(h http.Header, body bool) *mistake {
	if encoding := h.Get("Content-Encoding"); body && encoding != "" && !strings.EqualFold(encoding, "identity") {
		return &mistake{status: http.StatusUnsupportedMediaType, subject: "Content-Encoding", detail: "bodies are taken as they are, not compressed or otherwise encoded"}
	}
	if text := h.Get("Grpc-Timeout"); text != "" && !isTimeout(text) {
		return &mistake{subject: "Grpc-Timeout", detail: "write it as a number from 1 to 99999999 and a unit, one of H, M, S, m (milliseconds), u and n: 5S is five seconds"}
	}
	return nil
}

// isTimeout reports whether a timeout means what it says: to the generated code zero is none at all, and too many hours are a negative time.
func isTimeout(text string) bool {
	m := timeouts.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	unit := map[string]time.Duration{
		"H": time.Hour, "M": time.Minute, "S": time.Second, "m": time.Millisecond, "u": time.Microsecond, "n": time.Nanosecond,
	}[m[2]]
	return err == nil && n > 0 && n <= math.MaxInt64/int64(unit)
}
