package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/kuasheng/kuasheng/exchange/door"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// errWire means that gRPC's stream is not as this version expects it. Every call then fails, and every test: an upgrade cannot bring it
// unnoticed.
var errWire = errors.New("the gRPC stream cannot be read")

// wire is a call's stream below gRPC's messages. gRPC by itself answers a message that is too large, compressed or cut with a status of its own,
// untyped, before anybody can put it on record; and it reads a unary message before it asks who calls. So messages are read here.
type wire interface {
	RecvCompress() string // header grpc-encoding
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
	WriteStatus(st *status.Status) error // ends the call; safe beside a read, which it ends
}

func wireOf(ctx context.Context) (wire, error) {
	w, ok := grpc.ServerTransportStreamFromContext(ctx).(wire)
	if !ok {
		return nil, errWire
	}
	return w, nil
}

func malformedMessage(format string, args ...any) *refusal.Error {
	return refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, format, args...)
}

// readFrame reads one message of at most limit bytes; io.EOF where there is none. Nothing of a message that is refused is read, and nothing is
// ever decompressed: a few bytes could become megabytes.
func readFrame(w wire, f *frame, limit int) error {
	if name := w.RecvCompress(); name != "" && name != encoding.Identity {
		return malformedMessage("compressed messages are not taken; send without grpc-encoding")
	}
	var header [5]byte // flag of compression, length
	if err := w.ReadMessageHeader(header[:]); err != nil {
		return readError(err)
	}
	size := binary.BigEndian.Uint32(header[1:])
	switch {
	case header[0] != 0:
		return malformedMessage("the message is marked as compressed, which is not taken")
	case int64(size) > int64(limit):
		return malformedMessage("the message is larger than %d bytes", limit)
	}
	data, err := w.Read(int(size))
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return readError(err)
	}
	f.data = data
	return nil
}

// readOnly reads the one message of a call that has one, and the end behind it.
func readOnly(w wire, f *frame, limit int) error {
	err := readFrame(w, f, limit)
	if errors.Is(err, io.EOF) {
		return malformedMessage("the call has no message")
	}
	if err != nil {
		return err
	}
	var header [5]byte
	err = w.ReadMessageHeader(header[:])
	if errors.Is(err, io.EOF) {
		return nil
	}
	f.data.Free()
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformedMessage("the call has more than one message")
	}
	return readError(err)
}

// readError makes the error of a broken stream what gRPC makes of it.
func readError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return malformedMessage("the message ends before its length")
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if s := status.FromContextError(err); s.Code() != codes.Unknown {
		return s.Err()
	}
	return status.Error(codes.Unavailable, "the connection broke")
}

// readInTime reads within messageTime. After it, refuse says how the call ends; its status goes out at once, which ends the read.
func (s *Server) readInTime(w wire, read func() error, refuse func(*refusal.Error) error) error {
	var late error
	written := make(chan struct{})
	timer := time.AfterFunc(s.messageTime, func() {
		defer close(written)
		late = refuse(refusal.New(auditv1.Reason_REASON_DEADLINE_EXCEEDED, "the message did not come whole within %v", s.messageTime))
		_ = w.WriteStatus(status.Convert(late)) // the caller has gone
	})
	err := read()
	if timer.Stop() {
		return err
	}
	<-written
	return late
}

// receive reads the message of a unary call. Whoever is not known is refused before anything is read; with everybody else the message is read
// first, since what it asks for goes on record with the refusal.
func (s *Server) receive(ctx context.Context, method string, anyone bool, f *frame, refuse func(context.Context, error) error) error {
	w, err := wireOf(ctx)
	if err != nil {
		return refuse(ctx, err)
	}
	limit := maxHealth
	if !anyone {
		limit = maxMessage
		caller, err := s.authenticate(ctx, method)
		if err != nil && caller.ID.IsZero() {
			return refuse(ctx, err)
		}
		if caller.Forwarded && len(metadata.ValueFromIncomingContext(ctx, door.KnockKey)) > 0 {
			if err := grpc.SendHeader(ctx, nil); err != nil {
				return err
			}
		}
	}
	read := func() error { return readOnly(w, f, limit) }
	// The record of a refusal is finished although the call it belongs to has ended.
	err = s.readInTime(w, read, func(late *refusal.Error) error { return refuse(context.WithoutCancel(ctx), late) })
	if r, ok := refusal.Of(err); ok {
		return refuse(ctx, r)
	}
	return err
}

// receiving stands under every stream, below s.stream, and reads its messages.
func (s *Server) receiving(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	w, err := wireOf(ss.Context())
	if err != nil {
		return s.toStatus(toRefusal(ss.Context(), err, s.logger, info.FullMethod), "", "")
	}
	anyone, leave, err := s.open(ss.Context(), info.FullMethod)
	if err != nil {
		return s.toStatus(toRefusal(ss.Context(), err, s.logger, info.FullMethod), "", "")
	}
	defer leave()
	limit := maxMessage
	if anyone {
		limit = maxHealth
	}
	return handler(srv, &receivingStream{ServerStream: ss, server: s, method: info.FullMethod, wire: w, limit: limit, one: !info.IsClientStream})
}

type receivingStream struct {
	grpc.ServerStream
	server *Server
	method string
	wire   wire
	limit  int
	one    bool // the caller sends one message only, which then has to come in time
}

// RecvMsg implements grpc.ServerStream; it takes a *frame.
func (r *receivingStream) RecvMsg(m any) error {
	f, ok := m.(*frame)
	if !ok {
		return errWire
	}
	if !r.one {
		return readFrame(r.wire, f, r.limit)
	}
	read := func() error { return readOnly(r.wire, f, r.limit) }
	return r.server.readInTime(r.wire, read, func(late *refusal.Error) error {
		// The call ends with this, and its context; the record is finished all the same.
		ctx := context.WithoutCancel(r.Context())
		caller, err := r.server.authenticate(ctx, r.method)
		if err != nil {
			return r.server.toStatus(toRefusal(ctx, err, r.server.logger, r.method), "", "") // the identity ended while we waited
		}
		return r.server.refuse(ctx, caller, r.method, nil, late)
	})
}
