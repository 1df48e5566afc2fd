package exchange

import (
	"context"
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/member"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// authenticate finds out who calls and whether the method is for it. With some refusals the caller is known all the same, and the refusal goes
// on record against it.
func (s *Server) authenticate(ctx context.Context, method string) (Caller, error) {
	allowed, listed := s.methods[method]
	if !listed {
		return Caller{}, refusal.New(auditv1.Reason_REASON_ROLE_NOT_ALLOWED, "the method %s is not offered", method)
	}
	if allowed.permits(anybody) {
		return Caller{}, nil
	}
	peer, err := certs.PeerFromContext(ctx, s.now())
	if err != nil && !errors.Is(err, certs.ErrExpired) {
		return Caller{}, err
	}
	if ident.ContainsCitizenID(peer.ID.Name) {
		// A bureau that names its operators by identity number would put them on record with everything that they do.
		return Caller{}, refusal.New(auditv1.Reason_REASON_SPIFFE_ID_INVALID, "the name in your SPIFFE ID contains an identity number, which must not go on record; issue an SVID with another name")
	}
	caller := Caller{Peer: peer}
	if peer.ID.TrustDomain != s.domain {
		m, ok := s.members.ByTrustDomain(peer.ID.TrustDomain)
		if !ok {
			return Caller{}, refusal.New(auditv1.Reason_REASON_MEMBER_UNKNOWN, "the trust domain of %s is not registered", peer.ID)
		}
		caller.Member = m
	}
	if err != nil {
		return caller, err
	}
	return caller, s.entitle(caller, allowed, method)
}

// entitle checks role and membership.
func (s *Server) entitle(c Caller, allowed roles, method string) error {
	own := c.Member == nil
	switch {
	case !allowed.permits(c.ID.Role):
		return refusal.New(auditv1.Reason_REASON_ROLE_NOT_ALLOWED, "%s has the role %q; %s is for %v", c.ID, c.ID.Role, method, []certs.Role(allowed))
	case own != (c.ID.Role == certs.RoleAdmin):
		// Any authority can sign "/admin/…" in its own domain, and the exchange's own must not pose as a province's application.
		return refusal.New(auditv1.Reason_REASON_ROLE_NOT_ALLOWED, "%s: administrators belong to the exchange's domain and everybody else to a member's", c.ID)
	case !own && !member.Active(c.Member):
		return refusal.New(auditv1.Reason_REASON_MEMBER_SUSPENDED, "the membership of %s is suspended", c.Member.GetName())
	case c.ID.Role == certs.RoleNode && !member.Has(c.Member, registryv1.MemberRole_MEMBER_ROLE_PROVIDER):
		return refusal.New(auditv1.Reason_REASON_ROLE_NOT_ALLOWED, "%s is not registered as a provider", c.Member.GetName())
	case c.ID.Role == certs.RoleApplication && !member.Has(c.Member, registryv1.MemberRole_MEMBER_ROLE_REQUESTER):
		return refusal.New(auditv1.Reason_REASON_ROLE_NOT_ALLOWED, "%s is not registered as a requester", c.Member.GetName())
	}
	return nil
}

// unary runs around every unary call: who, may it, is it well-formed, then the handler, then how a refusal looks.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	done := s.metrics.started(info.FullMethod)
	resp, err := s.guarded(ctx, req, info, handler)
	done(err)
	return resp, err
}

func (s *Server) guarded(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	caller, err := s.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, s.refuse(ctx, caller, info.FullMethod, req, err)
	}
	if _, undecodable := req.(malformed); !undecodable {
		if err := s.validate(info.FullMethod, req); err != nil {
			return nil, s.refuse(ctx, caller, info.FullMethod, req, err)
		}
	}
	resp, err := handler(withCaller(ctx, caller), req)
	if err != nil {
		return nil, s.refuse(ctx, caller, info.FullMethod, req, err)
	}
	return resp, nil
}

// stream runs around every streaming call. Messages are validated as they come in.
func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	done := s.metrics.started(info.FullMethod)
	caller, err := s.authenticate(ss.Context(), info.FullMethod)
	guarded := &guardedStream{ServerStream: ss, server: s, method: info.FullMethod, ctx: withCaller(ss.Context(), caller)}
	if err == nil {
		err = handler(srv, guarded)
	}
	if err != nil {
		err = s.refuse(ss.Context(), caller, info.FullMethod, guarded.first, err)
	}
	done(err)
	return err
}

type guardedStream struct {
	grpc.ServerStream
	server *Server
	method string
	ctx    context.Context // of the call, with its caller
	first  any             // first message, for the record of a refusal
}

func (g *guardedStream) Context() context.Context { return g.ctx }

func (g *guardedStream) RecvMsg(m any) error {
	var f frame
	if err := g.ServerStream.RecvMsg(&f); err != nil {
		return err
	}
	if err := f.decode(m); err != nil {
		var cause *undecodable
		if errors.As(err, &cause) {
			return cause.refusal()
		}
		return err
	}
	if g.first == nil {
		g.first = m
		return g.server.validate(g.method, m)
	}
	return nil
}

// validate checks the constraints that the protos state and names every field that breaks one.
func (s *Server) validate(method string, req any) error {
	m, ok := req.(proto.Message)
	if !ok {
		return nil
	}
	if recordsRefusals(method) {
		if unknown := unknownField(m.ProtoReflect()); unknown != nil {
			return unknown
		}
	}
	err := s.validator.Validate(m)
	var invalid *protovalidate.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &invalid) || len(invalid.Violations) == 0:
		return fmt.Errorf("validating request: %w", err)
	}
	r := refusal.New(auditv1.Reason_REASON_ARGUMENT_INVALID, "")
	for _, v := range invalid.Violations {
		r.Fields = append(r.Fields, refusal.Field{Name: violationPath(v), Description: v.Proto.GetMessage()})
	}
	r.Subject = r.Fields[0].Name
	r.Detail = fmt.Sprintf("%s: %s", r.Fields[0].Name, r.Fields[0].Description)
	if n := len(r.Fields) - 1; n > 0 {
		r.Detail += fmt.Sprintf(" (and %d more)", n)
	}
	return r
}

// refuse puts a refusal on record where the caller is known and it is one for the record, and turns it into a status. A refusal that cannot be
// recorded becomes LOG_UNAVAILABLE: nothing is answered without a record, or without being counted for one (flood.go).
func (s *Server) refuse(ctx context.Context, caller Caller, method string, req any, err error) error {
	var done *recorded
	if errors.As(err, &done) {
		return s.toStatus(done.cause, done.domain, accessName(done.index))
	}
	if _, isRefusal := refusal.Of(err); !isRefusal && alreadyStatus(err) {
		return err
	}
	r := toRefusal(ctx, err, s.logger, method)
	if caller.ID.IsZero() || !forRecord(method, r.Reason) || s.stale(caller.Peer, r.Reason) {
		return s.toStatus(r, "", "")
	}
	intent := &auditv1.Intent{Caller: caller.Record(), Method: method, Reason: r.Reason, SubjectOfRefusal: clipText(r.Subject)}
	if q, ok := req.(interface{ GetResource() string }); ok && recordsRefusals(method) {
		intent.Resource = wellFormedResource(q.GetResource())
	}
	index, err := s.putRefusal(ctx, intent, r)
	switch {
	case err == nil:
		return s.toStatus(r, "", accessName(index))
	case alreadyStatus(err): // counted
		return err
	}
	return s.toStatus(toRefusal(ctx, err, s.logger, method), "", "")
}

// forRecord reports whether a refusal goes into the access log: all about data and its records, and everywhere those about who the caller
// is. A log that cannot be written is not recorded in itself.
func forRecord(method string, reason auditv1.Reason) bool {
	if reason == auditv1.Reason_REASON_LOG_UNAVAILABLE {
		return false
	}
	return recordsRefusals(method) || reason > auditv1.Reason_REASON_UNSPECIFIED && reason <= auditv1.Reason_REASON_NOT_ENTITLED
}
