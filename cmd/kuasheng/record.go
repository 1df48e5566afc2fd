package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// notUnderstood stands where a record was written by a version that knows more than this one. Its place in the tree is proven all the same.
const notUnderstood = "not understood by this version"

// shownRecord is a record of a log with what proves that it is the one.
type shownRecord struct {
	Index int64  `json:"index"`
	Leaf  []byte `json:"leafHash"`
	Kind  string `json:"kind"`
	// Record is absent where this version does not understand it.
	Record json.RawMessage `json:"record,omitempty"`
	// Bytes are what the leaf hash is over; the JSON is only for reading.
	Bytes []byte `json:"recordBytes"`

	record *auditv1.Record
}

// newShownRecord keeps a copy of the bytes.
func newShownRecord(index int64, leaf translog.Hash, raw []byte) shownRecord {
	s := shownRecord{Index: index, Leaf: leaf[:], Kind: "unknown", Bytes: bytes.Clone(raw)}
	r, err := evidence.DecodeRecord(s.Bytes)
	if err != nil {
		return s
	}
	b, err := protojson.Marshal(r)
	if err != nil {
		return s
	}
	s.record, s.Record = r, b
	m := r.ProtoReflect()
	if kind := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind")); kind != nil {
		s.Kind = fieldTitle(kind)
	}
	return s
}

// detail is every number and every other field that is set, in the order of the format: nothing is left out of what was recorded.
func (s shownRecord) detail(origin string) *table {
	t := &table{}
	t.add("log", origin)
	t.add("record", fmt.Sprint(s.Index))
	t.add("leaf hash", hex.EncodeToString(s.Leaf))
	if s.record == nil {
		t.add("content", notUnderstood)
		return t
	}
	addFields(t, "", s.record.ProtoReflect())
	return t
}

func addFields(t *table, prefix string, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		// Record 0 is a record: numbers are shown even where they are 0.
		if !m.Has(f) && (f.Kind() != protoreflect.Int64Kind || f.ContainingOneof() != nil) {
			continue
		}
		title, value := prefix+fieldTitle(f), m.Get(f)
		switch {
		case f.IsList():
			var texts []string
			for j := range value.List().Len() {
				texts = append(texts, fieldText(f, value.List().Get(j)))
			}
			t.add(title, strings.Join(texts, ", "))
		case f.Kind() == protoreflect.MessageKind && !isTime(value.Message()):
			addFields(t, title+": ", value.Message())
		default:
			t.add(title, fieldText(f, value))
		}
	}
}

// isTime reports whether a message is one value to people.
func isTime(m protoreflect.Message) bool {
	switch m.Interface().(type) {
	case *timestamppb.Timestamp, *durationpb.Duration:
		return true
	}
	return false
}

func fieldTitle(f protoreflect.FieldDescriptor) string {
	return strings.ReplaceAll(string(f.Name()), "_", " ")
}

func fieldText(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.BytesKind:
		return hex.EncodeToString(v.Bytes())
	case protoreflect.EnumKind:
		if name := f.Enum().Values().ByNumber(v.Enum()); name != nil {
			return string(name.Name())
		}
	case protoreflect.MessageKind:
		switch m := v.Message().Interface().(type) {
		case *timestamppb.Timestamp:
			return m.AsTime().In(china()).Format(time.RFC3339Nano)
		case *durationpb.Duration:
			return m.AsDuration().String()
		}
	}
	return v.String()
}

// recordDetail is a record with its time in one line.
func recordDetail(r *auditv1.Record) string { return moment(r.GetTime()) + " " + recordSummary(r) }

// recordSummary is a record in one line.
func recordSummary(r *auditv1.Record) string {
	switch {
	case r.GetIntent() != nil:
		i := r.GetIntent()
		return fmt.Sprintf("%s %s: %s for %s%s", enum(i.GetVerdict(), "VERDICT_"), i.GetCaller().GetSpiffeId(), dash(i.GetResource()), dash(i.GetPurpose().GetCode()), because(i.GetReason()))
	case r.GetAnswer() != nil:
		a := r.GetAnswer()
		return fmt.Sprintf("%s intent %d: %d rows, %d bytes%s", enum(a.GetState(), "ANSWER_STATE_"), a.GetIntentIndex(), a.GetRowCount(), a.GetAnswerBytes(), because(a.GetReason()))
	case r.GetOutcome() != nil:
		o := r.GetOutcome()
		return fmt.Sprintf("%s intent %d%s", enum(o.GetResult(), "RESULT_"), o.GetIntentIndex(), because(o.GetReason()))
	case r.GetAuditRead() != nil:
		return "read of the log by " + r.GetAuditRead().GetCaller().GetSpiffeId()
	default:
		return notUnderstood
	}
}

func because(r auditv1.Reason) string {
	if r == auditv1.Reason_REASON_UNSPECIFIED {
		return ""
	}
	return " (" + reason(r) + ")"
}
