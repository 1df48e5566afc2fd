package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

// messages is proto3 JSON with inline answers. Fields with their default value are shown, so that a script that reads rowCount finds one.
type messages struct{ runtime.JSONPb }

func newMessages() *messages {
	return &messages{runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true}}}
}

// Marshal implements runtime.Marshaler.
func (m *messages) Marshal(v any) ([]byte, error) {
	answer, ok := v.(*queryv1.QueryResourceResponse)
	if !ok || !inline(answer) {
		return m.JSONPb.Marshal(v)
	}
	without := &queryv1.QueryResourceResponse{}
	answer.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Name() != "answer" {
			without.ProtoReflect().Set(f, v)
		}
		return true
	})
	around, err := m.JSONPb.Marshal(without)
	if err != nil {
		return nil, err
	}
	return splice(around, "answer", answer.GetAnswer())
}

// StreamContentType implements runtime.StreamContentType.
func (*messages) StreamContentType(any) string { return "application/x-ndjson" }

// inline reports whether an answer can stand in JSON byte for byte: an array or object, valid, and without white space around it, which
// is no part of a JSON value.
func inline(a *queryv1.QueryResourceResponse) bool {
	media, _, err := mime.ParseMediaType(a.GetMediaType())
	b := a.GetAnswer()
	if err != nil || media != "application/json" || len(b) < 2 {
		return false
	}
	first, last := b[0], b[len(b)-1]
	return (first == '[' && last == ']' || first == '{' && last == '}') && utf8.Valid(b) && json.Valid(b)
}

// splice puts raw JSON in place of the value of a member of an object. It walks the object instead of searching its text, in which the same
// characters could stand anywhere.
func splice(object []byte, member string, raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("reading a message: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("reading a message: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("reading a message: %w", err)
		}
		if name != member {
			continue
		}
		end := int(d.InputOffset())
		out := make([]byte, 0, len(object)+len(raw))
		out = append(out, object[:end-len(value)]...)
		out = append(out, raw...)
		return append(out, object[end:]...), nil
	}
	return nil, fmt.Errorf("writing a message: it has no member %q", member)
}
