package bench

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

// rawCodec sends questions that are encoded already and only counts the bytes of answers: a load generator that decoded answers would measure
// itself. On the wire it is protobuf like any other client's.
type rawCodec struct{}

// answerSize is what rawCodec makes of an answer.
type answerSize struct{ bytes int }

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(mem.SliceBuffer)
	if !ok {
		return nil, fmt.Errorf("encoding a %T, which is no encoded question", v)
	}
	return mem.BufferSlice{b}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	size, ok := v.(*answerSize)
	if !ok {
		return fmt.Errorf("decoding into a %T, which is no size", v)
	}
	size.bytes = data.Len()
	return nil
}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return "proto" }
