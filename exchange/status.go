package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/accesslog"
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/grpc/status"
)

// recorded is a refusal that stands in the access log already.
type recorded struct {
	cause  *refusal.Error
	domain string // hop that refused; empty for the exchange
	index  int64
}

func (e *recorded) Error() string { return e.cause.Error() }

// Unwrap lets errors.As find the refusal.
func (e *recorded) Unwrap() error { return e.cause }

func accessName(index int64) string { return fmt.Sprintf("accesses/%d", index) }

// toRefusal turns any error into a refusal. What it does not know is an internal fault: its text stays in the log.
func toRefusal(ctx context.Context, err error, logger *slog.Logger, method string) *refusal.Error {
	if r, ok := refusal.Of(err); ok {
		return r
	}
	switch {
	case errors.Is(err, certs.ErrNoCertificate):
		return refusal.New(auditv1.Reason_REASON_CLIENT_CERTIFICATE_MISSING, "present a client certificate (SVID) issued by your province's authority")
	case errors.Is(err, certs.ErrExpired):
		return refusal.New(auditv1.Reason_REASON_CLIENT_CERTIFICATE_EXPIRED, "%v; renew your SVID", err)
	case errors.Is(err, certs.ErrID):
		return refusal.New(auditv1.Reason_REASON_SPIFFE_ID_INVALID, "%v", err)
	case errors.Is(err, certs.ErrUntrusted):
		return refusal.New(auditv1.Reason_REASON_CLIENT_CERTIFICATE_UNTRUSTED, "%v", err)
	case errors.Is(err, accesslog.ErrUnavailable):
		logger.ErrorContext(ctx, "access log unavailable", "method", method, "error", err)
		return refusal.New(auditv1.Reason_REASON_LOG_UNAVAILABLE, "the access log cannot be written; without a record no data leaves")
	case errors.Is(err, accesslog.ErrBehind):
		logger.ErrorContext(ctx, "access log index is behind", "method", method, "error", err)
		return refusal.New(auditv1.Reason_REASON_OVERLOADED, "the index of the access log is catching up; try again in a minute")
	case errors.Is(err, accesslog.ErrOverloaded):
		return refusal.New(auditv1.Reason_REASON_OVERLOADED, "the exchange has as many accesses under way as it accepts; try again later")
	case errors.Is(err, state.ErrConflict):
		return refusal.New(auditv1.Reason_REASON_ETAG_MISMATCH, "it was changed by somebody else in this moment; read it again and repeat")
	case errors.Is(err, state.ErrTooLarge):
		return refusal.New(auditv1.Reason_REASON_ARGUMENT_INVALID, "the entry is too large")
	case errors.Is(err, state.ErrFailed), errors.Is(err, state.ErrDiskFull), errors.Is(err, state.ErrClosed):
		logger.ErrorContext(ctx, "state unavailable", "method", method, "error", err)
		return refusal.New(auditv1.Reason_REASON_STATE_UNAVAILABLE, "the exchange's registry, catalogue and grants cannot be changed now; its operator has to look")
	case errors.Is(err, context.DeadlineExceeded):
		return refusal.New(auditv1.Reason_REASON_DEADLINE_EXCEEDED, "the deadline passed")
	case errors.Is(err, context.Canceled):
		return refusal.New(auditv1.Reason_REASON_CALLER_GONE, "the call was cancelled")
	}
	logger.ErrorContext(ctx, "internal fault", "method", method, "error", err)
	return refusal.New(auditv1.Reason_REASON_INTERNAL, "an internal fault; the exchange's operator finds it in the operations log")
}

// toStatus is what goes to the caller.
func (s *Server) toStatus(r *refusal.Error, domain, access string) error {
	if domain == "" {
		domain = s.domain.Name()
	}
	return r.Status(domain, access).Err()
}

// alreadyStatus reports whether an error is a gRPC status made elsewhere (health, reflection, the transport).
func alreadyStatus(err error) bool {
	var s interface{ GRPCStatus() *status.Status }
	return errors.As(err, &s)
}
