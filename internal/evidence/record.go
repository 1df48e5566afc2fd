package evidence

import (
	"errors"
	"fmt"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ErrRecord means that bytes are not a record that this version understands.
var ErrRecord = errors.New("not a valid record")

// MaxRecordSize bounds a record. The largest honest one, an intent with 200 field names and all texts at their limits, has about 20 KiB.
const MaxRecordSize = 64 << 10

var marshal = proto.MarshalOptions{Deterministic: true}

// NewRecord returns a record with a fresh salt; the caller sets its kind.
func NewRecord(now time.Time) *auditv1.Record {
	return &auditv1.Record{Salt: NewSalt(), Time: timestamppb.New(now)}
}

// EncodeRecord returns the bytes that go on record.
func EncodeRecord(r *auditv1.Record) ([]byte, error) {
	b, err := marshal.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding record: %w", err)
	}
	if len(b) > MaxRecordSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, len(b), MaxRecordSize)
	}
	return b, nil
}

// DecodeRecord reads a record and refuses anything that it does not fully understand.
func DecodeRecord(b []byte) (*auditv1.Record, error) {
	if len(b) > MaxRecordSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, len(b), MaxRecordSize)
	}
	r := &auditv1.Record{}
	if err := proto.Unmarshal(b, r); err != nil {
		// The decoder's own text may quote what it read.
		return nil, fmt.Errorf("%w: not the protobuf encoding of a record", ErrRecord)
	}
	switch {
	case len(r.GetSalt()) != SaltSize:
		return nil, fmt.Errorf("%w: salt has %d bytes, want %d", ErrRecord, len(r.GetSalt()), SaltSize)
	case !r.GetTime().IsValid():
		return nil, fmt.Errorf("%w: no valid time", ErrRecord)
	case r.GetKind() == nil:
		return nil, fmt.Errorf("%w: no kind", ErrRecord)
	case hasUnknown(r.ProtoReflect()):
		return nil, fmt.Errorf("%w: fields or values that this version does not know", ErrRecord)
	}
	return r, nil
}

// hasUnknown finds fields and enum values that this version does not know, at any depth.
func hasUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() == protoreflect.MessageKind && f.Cardinality() != protoreflect.Repeated:
			found = hasUnknown(v.Message())
		case f.Kind() == protoreflect.EnumKind && f.Cardinality() != protoreflect.Repeated:
			found = f.Enum().Values().ByNumber(v.Enum()) == nil
		case f.Kind() == protoreflect.MessageKind || f.Kind() == protoreflect.EnumKind:
			found = true // records have none; whoever adds one extends this, and a test says so
		}
		return !found
	})
	return found
}
