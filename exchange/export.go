package exchange

import (
	"context"

	"github.com/kuasheng/kuasheng/exchange/link"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"google.golang.org/grpc"
)

// ExportResource takes the same steps as QueryResource; between the record that the province begins and the record that it has ended, rows pass
// through as fast as the caller takes them.
func (s *queryService) ExportResource(req *queryv1.ExportResourceRequest, stream grpc.ServerStreamingServer[queryv1.ExportResourceResponse]) error {
	a := ask{
		method: queryv1.QueryService_ExportResource_FullMethodName, mode: auditv1.Mode_MODE_EXPORT, resource: req.GetResource(), fields: req.GetFields(),
		parameters: req.GetParameters(), purpose: req.GetPurpose(), operator: req.GetOperator(), requestID: req.GetRequestId(), resume: req.GetResume(),
	}
	ctx, cancel := context.WithTimeout(stream.Context(), timeLeft(stream.Context(), exportTime, longestExport))
	defer cancel()
	call, err := s.begin(ctx, a)
	if err != nil {
		return err
	}
	call, err = call.WaitBegun(ctx)
	if err == nil {
		err = s.relay(ctx, call, stream)
	}
	if err != nil {
		if s.hub.Abandon(call, goneReason(ctx)) {
			return s.abandoned(call, goneReason(ctx))
		}
	}
	<-call.Done()
	result := call.Result()
	if result.Err != nil {
		return refusedCall(call, result)
	}
	// The record counts this part, the trailer the whole: so the caller sees whether the parts make one.
	rows := call.Intent.GetFromRow() + result.Answer.GetRowCount()
	trailer := &queryv1.ExportTrailer{RowCount: rows, EndReceipt: result.Receipt}
	return stream.Send(&queryv1.ExportResourceResponse{Part: &queryv1.ExportResourceResponse_Trailer{Trailer: trailer}})
}

// relay sends the header and the rows until the call has ended. An error means that the caller has gone.
func (s *queryService) relay(ctx context.Context, call *link.Call, stream grpc.ServerStreamingServer[queryv1.ExportResourceResponse]) error {
	select {
	case <-call.Begun():
	default:
		return nil // it ended without having begun
	}
	receipt, err := call.Receipt()
	if err != nil {
		return err
	}
	head := call.Head()
	header := &queryv1.ExportHeader{
		Access: accessName(receipt.GetIndex()), MediaType: head.Answer.GetMediaType(), ParametersSalt: call.ParametersSalt,
		AnswerSalt: head.AnswerSalt, MaskedFields: head.Answer.GetFieldsMasked(), IntentReceipt: receipt, BeginReceipt: head.Receipt,
	}
	if err := stream.Send(&queryv1.ExportResourceResponse{Part: &queryv1.ExportResourceResponse_Header{Header: header}}); err != nil {
		return err
	}
	for {
		select {
		case chunk := <-call.Chunks():
			part := &queryv1.ExportResourceResponse_Chunk{Chunk: &queryv1.ExportChunk{Data: chunk.GetData(), RowCount: chunk.GetRowCount()}}
			if err := stream.Send(&queryv1.ExportResourceResponse{Part: part}); err != nil {
				return err
			}
		case <-call.Done():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
