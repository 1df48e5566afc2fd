package clienttest

import (
	"google.golang.org/grpc"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

const jsonLines = "application/jsonl"

// ExportResource implements queryv1.QueryServiceServer. Each row is a chunk of its own.
func (e *Exchange) ExportResource(req *queryv1.ExportResourceRequest, stream grpc.ServerStreamingServer[queryv1.ExportResourceResponse]) error {
	from := req.GetResume().GetRows()
	salt := evidence.NewSalt()
	intent, err := e.decide(stream.Context(), &auditv1.Intent{
		Method: queryv1.QueryService_ExportResource_FullMethodName, Mode: auditv1.Mode_MODE_EXPORT, Resource: req.GetResource(),
		Fields: req.GetFields(), Purpose: req.GetPurpose(), Operator: req.GetOperator(), RequestId: req.GetRequestId(), FromRow: from,
		ParametersDigest: evidence.ParametersDigest(salt, req.GetParameters()), JournalOrigin: e.Journal.Origin(),
	})
	if err != nil {
		return err
	}
	send := func(m *queryv1.ExportResourceResponse) error {
		if e.OnExport != nil {
			e.OnExport(m)
		}
		return stream.Send(m)
	}
	header := &queryv1.ExportHeader{
		Access: accessName(intent.GetIndex()), MediaType: jsonLines, ParametersSalt: salt, AnswerSalt: req.GetResume().GetAnswerSalt(),
		MaskedFields: e.masked(req.GetFields()), IntentReceipt: intent,
	}
	if from == 0 {
		header.AnswerSalt = evidence.NewSalt()
	}
	digest := evidence.AnswerHash(header.GetAnswerSalt(), jsonLines)
	header.BeginReceipt, err = e.answered(intent, &auditv1.Answer{
		State: auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN, FieldsReleased: req.GetFields(), FieldsMasked: header.GetMaskedFields(),
		MediaType: jsonLines, FromRow: from,
	})
	if err != nil {
		return err
	}
	if err := send(&queryv1.ExportResourceResponse{Part: &queryv1.ExportResourceResponse_Header{Header: header}}); err != nil {
		return err
	}
	var rows, size int64 // of this part
	for i, values := range e.Rows {
		line := append(e.row(req.GetFields(), values), '\n')
		digest.Write(line)
		if int64(i) < from {
			continue
		}
		if e.cutHere(i) {
			return refusal.New(auditv1.Reason_REASON_NODE_LOST, "the node was lost").Status(ExchangeDomain, header.GetAccess()).Err()
		}
		rows, size = rows+1, size+int64(len(line))
		chunk := &queryv1.ExportChunk{Data: line, RowCount: 1}
		if err := send(&queryv1.ExportResourceResponse{Part: &queryv1.ExportResourceResponse_Chunk{Chunk: chunk}}); err != nil {
			return err
		}
	}
	if int64(len(e.Rows)) < from {
		return refusal.About(auditv1.Reason_REASON_MODE_NOT_OFFERED, "resume", "fewer rows").Status(ExchangeDomain, header.GetAccess()).Err()
	}
	end, err := e.answered(intent, &auditv1.Answer{
		State: auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED, FieldsReleased: req.GetFields(), FieldsMasked: header.GetMaskedFields(),
		MediaType: jsonLines, FromRow: from, RowCount: rows, AnswerBytes: size, AnswerDigest: digest.Sum(nil),
	})
	if err != nil {
		return err
	}
	trailer := &queryv1.ExportTrailer{RowCount: from + rows, EndReceipt: end}
	return send(&queryv1.ExportResourceResponse{Part: &queryv1.ExportResourceResponse_Trailer{Trailer: trailer}})
}

// cutHere says, once, that the stream breaks before row i.
func (e *Exchange) cutHere(i int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.CutAfter == 0 || i != e.CutAfter || e.cut {
		return false
	}
	e.cut = true
	return true
}
