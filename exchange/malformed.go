package exchange

import (
	"context"
	"strings"
	"unicode/utf8"

	"buf.build/go/protovalidate"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// malformed stands for a request that cannot be decoded.
type malformed struct{ cause error }

// decodable wraps a service so that a message which cannot be decoded passes the interceptors like any other and is refused as
// INVALID_ARGUMENT, on record. By itself gRPC answers INTERNAL before any interceptor runs.
func decodable(desc grpc.ServiceDesc) *grpc.ServiceDesc {
	methods := make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		full := "/" + desc.ServiceName + "/" + m.MethodName
		methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: func(srv any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			var cause error
			resp, err := m.Handler(srv, ctx, func(v any) error {
				cause = dec(v)
				return cause
			}, interceptor)
			if cause == nil || !isUndecodable(cause) {
				return resp, err
			}
			info := &grpc.UnaryServerInfo{Server: srv, FullMethod: full}
			return interceptor(ctx, &malformed{cause}, info, func(context.Context, any) (any, error) { return nil, malformedRefusal(cause) })
		}}
	}
	desc.Methods = methods
	return &desc
}

// isUndecodable recognises gRPC's own error for a message that does not parse.
func isUndecodable(err error) bool {
	s, ok := status.FromError(err)
	return ok && s.Code() == codes.Internal && strings.Contains(s.Message(), "unmarshal")
}

// malformedRefusal names the field where the decoder names one: of its text only that, because the rest may quote what it read.
func malformedRefusal(cause error) error {
	const utf8Suffix = " contains invalid UTF-8"
	text := status.Convert(cause).Message()
	if i := strings.Index(text, utf8Suffix); i > 0 {
		field := text[strings.LastIndexByte(text[:i], ' ')+1 : i]
		name := field[strings.LastIndexByte(field, '.')+1:]
		if strings.Contains(field, "ParametersEntry") {
			name = "parameters"
		}
		return refusal.About(auditv1.Reason_REASON_MESSAGE_MALFORMED, name, "%s is not valid UTF-8", name)
	}
	return refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the message is not the protobuf encoding of the method's request")
}

// violationPath is the path of a field that breaks a constraint, for example parameters["id_number"]. A map key comes from outside.
func violationPath(v *protovalidate.Violation) string {
	return clipText(protovalidate.FieldPathString(v.Proto.GetField()))
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

// wellFormedResource returns a resource name that may go on record, or nothing.
func wellFormedResource(name string) string {
	if _, err := ident.ParseResourceName(name); err != nil {
		return ""
	}
	return name
}
