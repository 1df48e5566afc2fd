package node

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// startSpan begins the node's part of a trace. Spans carry no attribute of the request: neither resource nor parameter nor caller. Without a
// configured exporter it costs next to nothing.
func startSpan(ctx context.Context, traceparent string) (context.Context, trace.Span) {
	if traceparent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
	}
	return otel.Tracer("github.com/kuasheng/kuasheng/node").Start(ctx, "kuasheng.node.Answer", trace.WithSpanKind(trace.SpanKindServer))
}
