package exchange

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"github.com/kuasheng/kuasheng/exchange/decision"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// undecodable says that a message is not what its method takes. The decoder's own text may quote what it read, so none of it is kept.
type undecodable struct {
	field string // the text field that is not valid UTF-8; empty where it is anything else
}

// Error implements error.
func (e *undecodable) Error() string { return "message cannot be decoded" }

// refusal names the field where there is one.
func (e *undecodable) refusal() *refusal.Error {
	if e.field != "" {
		return refusal.About(auditv1.Reason_REASON_MESSAGE_MALFORMED, e.field, "%s is not valid UTF-8", e.field)
	}
	return refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the message is not the protobuf encoding of the method's request")
}

// malformed stands for a request that cannot be decoded.
type malformed struct{}

// decodable wraps a service so that its messages are read by receive, and one which cannot be read or decoded passes the interceptors like any
// other and is refused as INVALID_ARGUMENT, on record. By itself gRPC answers before any interceptor runs. Streams do the same in receiving
// and guardedStream.
func (s *Server) decodable(desc grpc.ServiceDesc) *grpc.ServiceDesc {
	methods := make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		full := "/" + desc.ServiceName + "/" + m.MethodName
		methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: func(srv any, ctx context.Context, _ func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			refuse := func(ctx context.Context, cause error) error {
				info := &grpc.UnaryServerInfo{Server: srv, FullMethod: full}
				_, err := interceptor(ctx, malformed{}, info, func(context.Context, any) (any, error) { return nil, cause })
				return err
			}
			anyone, leave, err := s.open(ctx, full)
			if err != nil {
				return nil, refuse(ctx, err)
			}
			defer leave()
			var f frame
			if err := s.receive(ctx, full, anyone, &f, refuse); err != nil {
				return nil, err
			}
			var cause *undecodable
			resp, err := m.Handler(srv, ctx, func(v any) error {
				err := f.decode(v)
				errors.As(err, &cause)
				return err
			}, interceptor)
			if cause != nil {
				return nil, refuse(ctx, cause.refusal())
			}
			return resp, err
		}}
	}
	desc.Methods = methods
	return &desc
}

// maxDepth bounds the search for a broken text: requests nest three deep.
const maxDepth = 10

// invalidText finds the first text field of an encoded message that is not valid UTF-8. Of a map it names the map.
func invalidText(v any, encoded []byte) string {
	if m, ok := v.(proto.Message); ok {
		return invalidIn(m.ProtoReflect().Descriptor(), encoded, maxDepth)
	}
	return ""
}

func invalidIn(m protoreflect.MessageDescriptor, b []byte, depth int) string {
	for len(b) > 0 && depth > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return ""
		}
		size := protowire.ConsumeFieldValue(number, kind, b[n:])
		if size < 0 {
			return ""
		}
		value := b[n : n+size]
		b = b[n+size:]
		f := m.Fields().ByNumber(number)
		if f == nil || kind != protowire.BytesType {
			continue
		}
		content, _ := protowire.ConsumeBytes(value)
		switch {
		case f.Kind() == protoreflect.StringKind && !utf8.Valid(content):
			return string(f.Name())
		case f.Kind() == protoreflect.MessageKind:
			if name := invalidIn(f.Message(), content, depth-1); name != "" {
				if f.IsMap() {
					return string(f.Name())
				}
				return name
			}
		}
	}
	return ""
}

// unknownField refuses a request with a field that this version does not know. Whoever sets one asks for something, a narrower permission
// perhaps, that must not be left out in silence; and the texts of a request that go on record must be those that were checked.
func unknownField(m protoreflect.Message) *refusal.Error {
	if len(m.GetUnknown()) > 0 {
		return refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the request has a field that this version of the exchange does not know")
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		// No request about data has messages in lists or maps: a test says so.
		if f.Kind() != protoreflect.MessageKind || f.IsList() || f.IsMap() || !m.Has(f) {
			continue
		}
		inside := m.Get(f).Message()
		if len(inside.GetUnknown()) > 0 {
			return refusal.About(auditv1.Reason_REASON_MESSAGE_MALFORMED, string(f.Name()), "%s has a field that this version of the exchange does not know", f.Name())
		}
		if found := unknownField(inside); found != nil {
			return found
		}
	}
	return nil
}

// violationPath is the path of a field that breaks a constraint, for example parameters["id_number"]. A map's key is a name that comes from
// outside.
func violationPath(v *protovalidate.Violation) string {
	path := v.Proto.GetField()
	for _, e := range path.GetElements() {
		if key, ok := e.GetSubscript().(*validate.FieldPathElement_StringKey); ok && decision.Recordable(key.StringKey) != key.StringKey {
			key.StringKey = decision.Withheld
		}
	}
	return clipText(protovalidate.FieldPathString(path))
}

// clipText bounds a name that came from outside before it goes into an error and a record. One that holds an identity number goes into
// neither.
func clipText(s string) string {
	if ident.ContainsCitizenID(s) {
		return "(withheld)"
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "�")
	}
	const most = 128
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// wellFormedResource returns a resource name that may go on record, or nothing. A class code has room for an identity number.
func wellFormedResource(name string) string {
	if _, err := ident.ParseResourceName(name); err != nil || ident.ContainsCitizenID(name) {
		return ""
	}
	return name
}
