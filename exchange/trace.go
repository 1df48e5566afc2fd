package exchange

import (
	"context"

	"github.com/kuasheng/kuasheng/internal/ident"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
)

// traceOf returns the trace that a call belongs to: its id for the record and the traceparent for the node. Both are empty where the caller sent
// none and the exchange makes none. Names of traces come from outside and are taken only in their strict form (W3C Trace Context).
func traceOf(ctx context.Context) (id, parent string) {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		md, _ := metadata.FromIncomingContext(ctx)
		span = trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, incoming(md)))
	}
	if !span.IsValid() || ident.ContainsCitizenID(span.TraceID().String()) {
		return "", "" // 32 digits of the caller's choice have room for an identity number, and the id goes on record
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(ctx, span), carrier)
	return span.TraceID().String(), carrier["traceparent"]
}

// incoming lets the propagator read gRPC metadata.
type incoming metadata.MD

// Get implements propagation.TextMapCarrier.
func (m incoming) Get(key string) string {
	if v := metadata.MD(m).Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Set implements propagation.TextMapCarrier; nothing is injected here.
func (m incoming) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (m incoming) Keys() []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
