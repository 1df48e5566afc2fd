package gateway

import (
	"context"

	"google.golang.org/grpc"

	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

// eager waits for the first message of an export before it returns the stream: an export that is refused then looks like any other
// refusal, and not like a stream that begins and breaks.
type eager struct{ queryv1.QueryServiceClient }

// ExportResource implements queryv1.QueryServiceClient.
func (e eager) ExportResource(ctx context.Context, req *queryv1.ExportResourceRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[queryv1.ExportResourceResponse], error) {
	stream, err := e.QueryServiceClient.ExportResource(ctx, req, opts...)
	if err != nil {
		return nil, err
	}
	first, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	return &begun{ServerStreamingClient: stream, first: first}, nil
}

// begun is a stream whose first message has been taken. Only the goroutine that receives uses it.
type begun struct {
	grpc.ServerStreamingClient[queryv1.ExportResourceResponse]
	first *queryv1.ExportResourceResponse // nil once it was handed out
}

// Recv implements grpc.ServerStreamingClient.
func (b *begun) Recv() (*queryv1.ExportResourceResponse, error) {
	if m := b.first; m != nil {
		b.first = nil
		return m, nil
	}
	return b.ServerStreamingClient.Recv()
}
