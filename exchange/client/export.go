package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"google.golang.org/grpc"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// ErrStalled means that an export was given up because nothing came for Config.StallTimeout.
var ErrStalled = errors.New("the exchange sent nothing for too long")

// Part is what was received of an export so far: rows from row 0. It can be written down as JSON. The salt lets whoever has it try values against
// the digest on record: keep it as carefully as the rows.
type Part struct {
	Rows       int64  `json:"rows"`
	Bytes      int64  `json:"bytes"`
	MediaType  string `json:"media_type"`
	AnswerSalt []byte `json:"answer_salt"`
}

// ExportResult is an export that is whole and whose evidence holds.
type ExportResult struct {
	Part // the whole: from row 0, whatever was received before a resumption included

	Header  *queryv1.ExportHeader
	Trailer *queryv1.ExportTrailer
	// Evidence is that of the end; nil where Config.Unverified gave it up.
	Evidence *Evidence
}

// ExportOption adds to an export.
type ExportOption func(*export)

// OnBegin has f called once the beginning is proven and before the first row is handed over, with what a resumption will need besides the rows.
// Who writes it down there can resume even after a crash. An error ends the export.
func OnBegin(f func(Part) error) ExportOption { return func(e *export) { e.begin = f } }

// Export asks one resource for many rows. It hands runs of whole rows (JSON Lines) to take, in order; take must not keep the slice. The rows are
// provisional until Export returns without an error: only then the digest over all of them is proven. Errors are those of Query, and a
// [*CutError] for an export that ended early, also because take failed; then nothing of that run counts as received. ErrArgument means that nothing
// was asked.
func (c *Client) Export(ctx context.Context, req *queryv1.ExportResourceRequest, take func(rows []byte, n int64) error, opts ...ExportOption) (*ExportResult, error) {
	if req.GetResume() != nil {
		return nil, fmt.Errorf("exporting %.128q: %w: a resumption goes by Resume, which has the rows before it", req.GetResource(), ErrProtocol)
	}
	if err := checkExport(req, take); err != nil {
		return nil, err
	}
	return c.export(ctx, req, &export{take: take}, opts)
}

// checkExport refuses what would fail when the first row comes, with the access on record.
func checkExport(req *queryv1.ExportResourceRequest, take func([]byte, int64) error) error {
	err := checkText(req.ProtoReflect())
	switch {
	case req == nil:
		err = fmt.Errorf("%w: no request", ErrArgument)
	case take == nil:
		err = fmt.Errorf("%w: take: nobody takes the rows", ErrArgument)
	}
	if err != nil {
		return fmt.Errorf("exporting %.128q: %w", req.GetResource(), err)
	}
	return nil
}

// export is the state of one export. Only the goroutine that called Export uses it.
type export struct {
	begin func(Part) error
	take  func(rows []byte, n int64) error

	call    *call
	part    Part
	before  Part      // what an earlier access received; empty where nothing is resumed
	digest  hash.Hash // over everything from row 0; nil before the header
	header  *queryv1.ExportHeader
	intent  evidence.Proven
	trailer *queryv1.ExportTrailer
	proof   *Evidence
}

func (c *Client) export(ctx context.Context, req *queryv1.ExportResourceRequest, e *export, opts []ExportOption) (*ExportResult, error) {
	for _, o := range opts {
		o(e)
	}
	e.call = c.exportCall(req)
	if err := c.receive(ctx, req, e); err != nil {
		err = fmt.Errorf("exporting %.128q: %w", req.GetResource(), err)
		if e.header != nil && !errors.Is(err, ErrEvidence) && !errors.Is(err, ErrChanged) {
			return nil, &CutError{Part: e.part, Err: err}
		}
		return nil, err
	}
	return &ExportResult{Part: e.part, Header: e.header, Trailer: e.trailer, Evidence: e.proof}, nil
}

func (c *Client) exportCall(req *queryv1.ExportResourceRequest) *call {
	return &call{
		caller: c.ID().String(), method: queryv1.QueryService_ExportResource_FullMethodName, mode: auditv1.Mode_MODE_EXPORT,
		resource: req.GetResource(), fields: req.GetFields(), parameters: req.GetParameters(), purpose: req.GetPurpose(),
		operator: req.GetOperator(), requestID: req.GetRequestId(), fromRow: req.GetResume().GetRows(),
	}
}

// receive runs the stream: header, chunks, trailer, end.
func (c *Client) receive(ctx context.Context, req *queryv1.ExportResourceRequest, e *export) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(c.stall, func() { cancel(ErrStalled) })
	defer stalled.Stop()
	stream, err := c.queries().ExportResource(ctx, req)
	if err != nil {
		return err
	}
	for e.trailer == nil {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the stream ended without a trailer", ErrProtocol)
		}
		if err != nil {
			if errors.Is(context.Cause(ctx), ErrStalled) {
				return fmt.Errorf("%w: %w", ErrStalled, err)
			}
			return e.ended(err)
		}
		// What take does with its rows is no silence of the exchange.
		stalled.Stop()
		if err := c.part(ctx, e, m); err != nil {
			return err
		}
		stalled.Reset(c.stall)
	}
	return end(stream)
}

// ended tells rows that have become fewer, which no resumption will bring back, from an export that was cut.
func (e *export) ended(err error) error {
	if r, ok := RefusalOf(err); ok && e.header != nil && e.before.Rows > 0 && r.Reason == auditv1.Reason_REASON_MODE_NOT_OFFERED {
		return fmt.Errorf("%w: the province has fewer rows now than the %d received: export anew: %w", ErrChanged, e.before.Rows, err)
	}
	return err
}

// end waits for the end of the stream. The whole is proven by then: an error that comes after it takes nothing back.
func end(stream grpc.ServerStreamingClient[queryv1.ExportResourceResponse]) error {
	if _, err := stream.Recv(); err == nil {
		return fmt.Errorf("%w: a message after the trailer", ErrProtocol)
	}
	return nil
}

func (c *Client) part(ctx context.Context, e *export, m *queryv1.ExportResourceResponse) error {
	switch p := m.GetPart().(type) {
	case *queryv1.ExportResourceResponse_Header:
		if e.header != nil {
			return fmt.Errorf("%w: a second header", ErrProtocol)
		}
		return c.onHeader(ctx, e, p.Header)
	case *queryv1.ExportResourceResponse_Chunk:
		if e.header == nil {
			return fmt.Errorf("%w: rows before the header", ErrProtocol)
		}
		return e.onChunk(p.Chunk)
	case *queryv1.ExportResourceResponse_Trailer:
		if e.header == nil {
			return fmt.Errorf("%w: a trailer before the header", ErrProtocol)
		}
		return c.onTrailer(ctx, e, p.Trailer)
	default:
		return fmt.Errorf("%w: a message that this version does not know", ErrProtocol)
	}
}

// onHeader verifies the beginning. Nothing is handed over before.
func (c *Client) onHeader(ctx context.Context, e *export, h *queryv1.ExportHeader) error {
	if len(h.GetAnswerSalt()) != evidence.SaltSize {
		return fmt.Errorf("%w: the answer's salt has the wrong size", ErrProtocol)
	}
	if resumed := e.digest != nil; !resumed {
		e.part.MediaType, e.part.AnswerSalt = h.GetMediaType(), h.GetAnswerSalt()
		e.digest = evidence.AnswerHash(h.GetAnswerSalt(), h.GetMediaType())
	} else if !bytes.Equal(h.GetAnswerSalt(), e.part.AnswerSalt) || h.GetMediaType() != e.part.MediaType {
		return fmt.Errorf("%w: salt or media type are not those of the first part", ErrProtocol)
	}
	if v := c.verifier; v != nil {
		intent, err := v.intent(e.call, h.GetAccess(), h.GetIntentReceipt(), h.GetParametersSalt())
		if err != nil {
			return err
		}
		begun, _, err := v.answer(ctx, e.call, h.GetAccess(), intent, h.GetBeginReceipt(), auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN)
		if err != nil {
			return err
		}
		if err := v.content(e.call, h.GetAccess(), begun.Record.GetAnswer(), h.GetMediaType(), h.GetMaskedFields()); err != nil {
			return err
		}
		e.intent = intent
	}
	e.header = h
	if e.begin != nil {
		return e.begin(e.part)
	}
	return nil
}

// onChunk hands rows over. Rows end with a line feed, and JSON has none inside: counting them keeps the place to resume at exact.
func (e *export) onChunk(chunk *queryv1.ExportChunk) error {
	data, n := chunk.GetData(), chunk.GetRowCount()
	if len(data) == 0 && n == 0 {
		return nil
	}
	if !bytes.HasSuffix(data, []byte("\n")) || int64(bytes.Count(data, []byte("\n"))) != n {
		return fmt.Errorf("%w: a chunk is not as many whole rows as it says", ErrProtocol)
	}
	if err := e.take(data, n); err != nil {
		return fmt.Errorf("taking rows: %w", err)
	}
	e.digest.Write(data)
	e.part.Rows += n
	e.part.Bytes += int64(len(data))
	return nil
}

// onTrailer verifies the whole.
func (c *Client) onTrailer(ctx context.Context, e *export, t *queryv1.ExportTrailer) error {
	if t.GetRowCount() != e.part.Rows {
		return fmt.Errorf("%w: %d rows came, the trailer counts %d", ErrProtocol, e.part.Rows, t.GetRowCount())
	}
	if v := c.verifier; v != nil {
		access := e.header.GetAccess()
		ended, pinned, err := v.answer(ctx, e.call, access, e.intent, t.GetEndReceipt(), auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED)
		if err != nil {
			return err
		}
		answer := ended.Record.GetAnswer()
		if err := evidence.CheckAnswer(e.intent, answer, e.digest.Sum(nil)); err != nil {
			if e.before.Rows > 0 {
				err = fmt.Errorf("%w: both parts together are not what the province digested: export anew: %w", ErrChanged, err)
			}
			return v.fail(StepContent, access, err)
		}
		// The record counts what left in this access, without what was received before it.
		rows, size := e.part.Rows-e.before.Rows, e.part.Bytes-e.before.Bytes
		if answer.GetFromRow() != e.before.Rows || answer.GetRowCount() != rows || answer.GetAnswerBytes() != size {
			return v.fail(StepContent, access, errors.New("first row, rows or bytes differ from the record's"))
		}
		e.proof = newEvidence(access, e.intent, ended, pinned)
	}
	e.trailer = t
	return nil
}
