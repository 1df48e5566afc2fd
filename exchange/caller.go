package exchange

import (
	"context"

	"github.com/kuasheng/kuasheng/certs"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

// Caller is who called, after authentication: the verified SPIFFE ID and the member that its trust domain belongs to.
type Caller struct {
	certs.Peer
	Member *registryv1.Member // nil for the exchange's own domain (administrators); shared, never changed
}

// Region is the region code of the caller's member, "410000"; empty for the exchange's own domain.
func (c Caller) Region() string {
	if c.Member == nil {
		return ""
	}
	return c.Member.GetName()[len("provinces/"):]
}

// Record is the caller as it stands in a record.
func (c Caller) Record() *auditv1.Caller {
	return &auditv1.Caller{SpiffeId: c.ID.String(), CertificateSerial: c.Serial, Region: c.Region()}
}

type callerKey struct{}

// withCaller is used by the authentication interceptor alone.
func withCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerFrom returns the caller that the authentication interceptor found. Every method runs behind that interceptor, so its absence is a
// programmer's error.
func callerFrom(ctx context.Context) Caller {
	c, ok := ctx.Value(callerKey{}).(Caller)
	if !ok {
		panic("exchange: handler runs without authentication")
	}
	return c
}
