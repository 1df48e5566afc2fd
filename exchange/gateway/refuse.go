package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// recordTime bounds how long a refusal may take to get on record; with a well log it takes a millisecond.
const recordTime = 5 * time.Second

// mistake is why a request cannot be translated. It names what is wrong and never quotes a value.
type mistake struct {
	status  int    // HTTP status; 0 for 400
	subject string // name of the field or parameter, as the caller wrote it; empty where there is none
	detail  string
}

// refuse answers a request that cannot be translated. The exchange refuses it first, as a message that does not decode: so the caller
// is authenticated, and the refusal is on record. What it then says about protobuf is replaced by what was wrong with the request.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, rt *route, wrong *mistake) {
	ctx, cancel := context.WithTimeout(r.Context(), recordTime)
	defer cancel()
	err := g.sendUndecodable(ctx, rt.method)
	refused, domain, access, ok := refusal.FromStatus(err)
	if !ok || refused.Reason != auditv1.Reason_REASON_MESSAGE_MALFORMED {
		g.write(w, 0, g.typed(err))
		return
	}
	subject := clip(wrong.subject)
	detail := wrong.detail
	if subject != "" {
		detail = fmt.Sprintf("%s: %s", subject, detail)
	}
	code := wrong.status
	if code == 0 {
		code = http.StatusBadRequest
	}
	g.write(w, code, refusal.About(auditv1.Reason_REASON_MESSAGE_MALFORMED, subject, "%s", detail).Status(domain, access))
}

// sendUndecodable calls a method with a message that is no protobuf of any type. The value sent stands for nothing; for nil gRPC would send
// an empty message and not ask the codec.
func (g *Gateway) sendUndecodable(ctx context.Context, method string) error {
	stream, err := g.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, grpc.ForceCodecV2(undecodableCodec{}))
	if err != nil {
		return err
	}
	if err := stream.SendMsg(struct{}{}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(struct{}{})
}

// undecodableCodec sends one byte, a tag of a wire type that does not exist, and reads nothing.
type undecodableCodec struct{}

// Marshal implements encoding.CodecV2.
func (undecodableCodec) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer{0x07}}, nil
}

// Unmarshal implements encoding.CodecV2.
func (undecodableCodec) Unmarshal(mem.BufferSlice, any) error { return nil }

// Name implements encoding.CodecV2: to the server it is like any other message.
func (undecodableCodec) Name() string { return "proto" }

// onError answers calls that failed.
func (g *Gateway) onError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	if _, _, _, ok := refusal.FromStatus(err); !ok && status.Code(err) == codes.InvalidArgument {
		// The generated code refused it, which translate leaves hardly anything for. Its text may quote values.
		if rt := routeFrom(ctx); rt != nil {
			g.refuse(w, r, rt, &mistake{detail: "the request cannot be read"})
			return
		}
	}
	g.write(w, 0, g.typed(err))
}

// onStream is how the error of a stream that has begun looks.
func (g *Gateway) onStream(_ context.Context, err error) *status.Status { return g.typed(err) }

// onRouting answers requests that name no method. They are nobody's access, and on no record.
func (g *Gateway) onRouting(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, code int) {
	r := refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the path cannot be read")
	switch code {
	case http.StatusNotFound:
		r = refusal.New(auditv1.Reason_REASON_NOT_FOUND, "no method has this path; see /openapi.json")
	case http.StatusMethodNotAllowed:
		r = refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the path is not for this HTTP method; see /openapi.json")
	}
	g.write(w, code, r.Status(g.domain, ""))
}

// typed makes sure that an error carries a reason. One that the exchange did not give comes from the way to it.
func (g *Gateway) typed(err error) *status.Status {
	if _, _, _, ok := refusal.FromStatus(err); ok {
		return status.Convert(err)
	}
	r := refusal.New(auditv1.Reason_REASON_INTERNAL, "an internal fault of the gateway")
	switch status.Code(err) {
	case codes.DeadlineExceeded:
		r = refusal.New(auditv1.Reason_REASON_DEADLINE_EXCEEDED, "the deadline passed")
	case codes.Canceled:
		r = refusal.New(auditv1.Reason_REASON_CALLER_GONE, "the call was cancelled")
	case codes.Unavailable:
		r = refusal.New(auditv1.Reason_REASON_SHUTTING_DOWN, "the exchange is stopping; try again, or another one")
	}
	return r.Status(g.domain, "")
}

// write writes an error. A code of 0 stands for that of the status.
func (g *Gateway) write(w http.ResponseWriter, code int, s *status.Status) {
	if code == 0 {
		code = runtime.HTTPStatusFromCode(s.Code())
	}
	body, err := protojson.Marshal(s.Proto())
	if err != nil { // a detail of a type that is not linked in
		code, body = http.StatusInternalServerError, []byte(`{"code":13,"message":"INTERNAL"}`)
	}
	h := w.Header()
	h.Del("Transfer-Encoding")
	h.Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // who asked has gone
}

// clip bounds a name that the caller wrote before it goes into an answer. One that holds an identity number does not.
func clip(name string) string {
	if ident.ContainsCitizenID(name) {
		return "(withheld)"
	}
	const most = 64
	if len(name) > most {
		name = name[:most] + "…"
	}
	return strings.ToValidUTF8(name, "�")
}
