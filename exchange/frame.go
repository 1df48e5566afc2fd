package exchange

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// frame takes a message as it came, not decoded yet: a frame always can be read, so that the refusal of what is inside is ours, typed, and on
// record. readFrame fills it.
type frame struct{ data mem.BufferSlice }

// decode decodes the message, once.
func (f *frame) decode(v any) error {
	defer f.data.Free()
	if err := encoding.GetCodecV2(proto.Name).Unmarshal(f.data, v); err != nil {
		return &undecodable{field: invalidText(v, f.data.Materialize())}
	}
	return nil
}
