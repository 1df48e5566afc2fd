package state

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"
)

// revisionBytes is the length of the revision before each value.
const revisionBytes = 8

func encodeValue(revision uint64, value []byte) []byte {
	data := make([]byte, revisionBytes, revisionBytes+len(value))
	binary.BigEndian.PutUint64(data, revision)
	return append(data, value...)
}

func decodeEntry(key Key, data []byte) (Entry, error) {
	if len(data) < revisionBytes {
		return Entry{}, fmt.Errorf("value of %d bytes: %w", len(data), ErrIdentity)
	}
	return Entry{Key: key, Revision: binary.BigEndian.Uint64(data), Value: data[revisionBytes:]}, nil
}

// Encode turns a message into a value: the same bytes for the same message, so that replicas and comparisons agree.
func Encode(m proto.Message) ([]byte, error) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	if value == nil {
		value = []byte{} // nil would mean no value
	}
	return value, nil
}

// Etag is how callers see a key's revision: a text that changes with every change. It is never stored, as it is not known before the
// change has its place in the order.
func Etag(revision uint64) string { return strconv.FormatUint(revision, 16) }
