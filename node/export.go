package node

import (
	"bytes"
	"context"
	"errors"
	"hash"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/node/link"
	"github.com/kuasheng/kuasheng/node/source"
	"github.com/kuasheng/kuasheng/node/ticket"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// exportChunk is how many bytes of rows travel in one message.
const exportChunk = 128 << 10

// errLink marks an export's failure to send, as against its source's failure to answer.
var errLink = errors.New("rows were not taken")

// export streams rows: a record that it begins, durable before the first row leaves; the rows, on a stream of their own; a record that it
// ended, with the digest over the whole, or that it was cut. Both count what left in this access, not what a resumed one was resumed from.
func (h *handler) export(ctx context.Context, s *serving, a *auditv1.Answer, t *ticket.Ticket, req source.Request, reply *link.Reply) {
	started := h.now()
	masked, err := s.sources.CheckExport(req, t.Intent.GetFromRow() > 0)
	if err != nil {
		h.fail(a, err, reply)
		return
	}
	salt := t.AnswerSalt
	if salt == nil {
		salt = evidence.NewSalt()
	}
	a.State = auditv1.AnswerState_ANSWER_STATE_STREAM_BEGUN
	a.MediaType, a.FromRow = mediaLines, t.Intent.GetFromRow()
	a.FieldsReleased, a.FieldsMasked = req.Fields, masked
	end := proto.CloneOf(a)
	reply.Salt = salt
	last := reply.Next()
	last.Salt = salt
	reply.Adding()
	if added, err := h.journal.Append(a, reply); err != nil {
		h.logger.Error("export was not recorded and does not begin", "intent", a.GetIntentIndex(), "error", err)
		if !added {
			reply.Failed(err)
		}
		return
	}

	w := &exportWriter{digest: evidence.AnswerHash(salt, mediaLines), skip: t.Intent.GetFromRow()}
	err = h.sendRows(ctx, s, req, reply, w)
	end.State = auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED
	end.RowCount, end.AnswerBytes = w.sentRows, w.sentBytes
	end.SourceDuration = durationpb.New(h.now().Sub(started))
	switch {
	case err == nil && w.skip > 0:
		// The source has fewer rows than the caller says it received: nothing is left to send, and the digest would be over something else.
		end.State, end.Reason = auditv1.AnswerState_ANSWER_STATE_STREAM_CUT, auditv1.Reason_REASON_MODE_NOT_OFFERED
		end.SubjectOfRefusal = "resume"
	case err == nil:
		end.AnswerDigest = w.digest.Sum(nil)
	case errors.Is(err, errLink):
		end.State, end.Reason = auditv1.AnswerState_ANSWER_STATE_STREAM_CUT, auditv1.Reason_REASON_CALLER_GONE
	default:
		end.State = auditv1.AnswerState_ANSWER_STATE_STREAM_CUT
		end.Reason, end.SubjectOfRefusal = sourceReason(err)
		h.logger.Warn("export was cut", "intent", a.GetIntentIndex(), "error", err)
	}
	h.add(end, last)
}

func (h *handler) sendRows(ctx context.Context, s *serving, req source.Request, reply *link.Reply, w *exportWriter) error {
	side, err := reply.Stream(ctx)
	if err != nil {
		return errors.Join(errLink, err)
	}
	w.send = side.Send
	// From row 0 even when it is resumed: the digest is over the whole.
	if _, err := s.sources.Export(ctx, req, 0, exportChunk, w.take); err != nil {
		side.Abort()
		return err
	}
	if err := side.Close(); err != nil {
		return errors.Join(errLink, err)
	}
	return nil
}

// exportWriter digests all rows and sends those that the caller does not have yet.
type exportWriter struct {
	digest    hash.Hash
	skip      int64 // rows that the caller has already
	send      func(data []byte, rows int64) error
	sentRows  int64
	sentBytes int64
}

func (w *exportWriter) take(chunk []byte, rows int) error {
	w.digest.Write(chunk)
	left := int64(rows)
	for w.skip > 0 && left > 0 {
		i := bytes.IndexByte(chunk, '\n')
		chunk = chunk[i+1:]
		w.skip--
		left--
	}
	if left == 0 {
		return nil
	}
	if err := w.send(chunk, left); err != nil {
		return errors.Join(errLink, err)
	}
	w.sentRows += left
	w.sentBytes += int64(len(chunk))
	return nil
}
