package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// ErrPart means that the rows received before are not those that the Part describes.
var ErrPart = errors.New("the rows received before do not fit")

// rereadBlock is read at a time when rows are hashed again: large enough to stream, small enough to be nothing.
const rereadBlock = 256 << 10

// Resume goes on with an export that was cut. Received gives the part's rows again, exactly as they were handed over; they are hashed and not
// handed over a second time. The request must be that of the first part. A resumed export is an access of its own, and the digest at its
// end is over the whole: data that changed in between, or rows that were altered here, show as ErrChanged inside ErrEvidence, and rows that have
// become fewer as ErrChanged alone. Then only an export from the beginning helps. A part without rows begins anew.
func (c *Client) Resume(ctx context.Context, req *queryv1.ExportResourceRequest, part Part, received io.Reader, take func(rows []byte, n int64) error, opts ...ExportOption) (*ExportResult, error) {
	if part.Rows == 0 {
		return c.Export(ctx, req, take, opts...)
	}
	if err := checkExport(req, take); err != nil {
		return nil, err
	}
	if received == nil || part.Rows < 0 || part.Bytes < part.Rows || len(part.AnswerSalt) != evidence.SaltSize {
		return nil, fmt.Errorf("resuming export of %.128q: %w: not a part", req.GetResource(), ErrPart)
	}
	e := &export{take: take, part: part, before: part, digest: evidence.AnswerHash(part.AnswerSalt, part.MediaType)}
	if err := e.reread(ctx, received); err != nil {
		return nil, fmt.Errorf("resuming export of %.128q: %w", req.GetResource(), err)
	}
	resumed := proto.CloneOf(req)
	resumed.Resume = &queryv1.ExportResume{Rows: part.Rows, AnswerSalt: part.AnswerSalt}
	return c.export(ctx, resumed, e, opts)
}

// reread hashes what was received before.
func (e *export) reread(ctx context.Context, received io.Reader) error {
	received = io.LimitReader(received, e.part.Bytes)
	buf := make([]byte, rereadBlock)
	var size, rows int64
	last := byte('\n')
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := received.Read(buf)
		if n > 0 {
			e.digest.Write(buf[:n])
			size, rows, last = size+int64(n), rows+int64(bytes.Count(buf[:n], []byte("\n"))), buf[n-1]
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading the rows received before: %w", err)
		}
	}
	if size != e.part.Bytes || rows != e.part.Rows || last != '\n' {
		return fmt.Errorf("%w: %d rows in %d bytes, want %d in %d", ErrPart, rows, size, e.part.Rows, e.part.Bytes)
	}
	return nil
}
