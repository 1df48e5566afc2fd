package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/kuasheng/kuasheng/exchange/door"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

const (
	// maxRequests bounds requests under way. Each may hold a body and an answer of a megabyte or two: within the exchange's memory limit.
	maxRequests = 256
	// maxShare bounds those of one trust domain, and apart from them the bodies that it is sending: one province, whose key may be in wrong
	// hands, does not take everybody's places.
	maxShare = 64
)

// connections are the bounds of the HTTPS listener.
func connections() door.Limits {
	return door.Limits{All: 1024, Address: 256, Strangers: 256, OneAddress: 64}
}

// visitor is what a connection has shown. The certificate behind a connection never changes; whether it is still trusted the exchange
// judges with every call.
type visitor struct {
	conn  *door.Conn // nil where the listener is not ours: a test's
	known atomic.Bool
}

type visitorKey struct{}

// withVisitor is http.Server.ConnContext.
func withVisitor(ctx context.Context, c net.Conn) context.Context {
	v := &visitor{}
	if t, ok := c.(*tls.Conn); ok {
		v.conn, _ = t.NetConn().(*door.Conn)
	}
	return context.WithValue(ctx, visitorKey{}, v)
}

// identify asks the exchange whether the caller is known, once for each connection and before the body is read. The error is the exchange's
// refusal. For a known caller it returns the trust domain, which the exchange has then verified.
func (g *Gateway) identify(r *http.Request) (string, error) {
	v, _ := r.Context().Value(visitorKey{}).(*visitor)
	if v == nil {
		v = &visitor{}
	}
	if !v.known.Load() {
		if err := g.knock(r.Context()); err != nil {
			return "", err
		}
		v.known.Store(true)
		if v.conn != nil {
			v.conn.Admit()
		}
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || len(r.TLS.PeerCertificates[0].URIs) == 0 {
		return "", nil // cannot be: the exchange knows nobody without
	}
	return r.TLS.PeerCertificates[0].URIs[0].Host, nil
}

// knock opens a call in the caller's name and leaves when the exchange has shown that it would listen. Nothing goes on record by it.
func (g *Gateway) knock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, door.KnockKey, "1"), recordTime)
	defer cancel()
	stream, err := g.conn.NewStream(ctx, &grpc.StreamDesc{}, registryv1.RegistryService_GetExchange_FullMethodName)
	if err != nil {
		return err
	}
	header, err := stream.Header()
	if err != nil || header != nil {
		return err
	}
	return stream.RecvMsg(&registryv1.Exchange{}) // a refusal comes without headers
}

// turnAway refuses a caller whose body has not been read. HTTP/1 would wait for it, before and after the answer.
func (g *Gateway) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second)) // see readBody
	}
	g.write(w, 0, g.typed(err))
}

// enter takes a place for a call of a trust domain. The function gives it back.
func (g *Gateway) enter(domain string) (func(), error) {
	if !g.shares.Take(domain) {
		return nil, g.overloaded("your trust domain has %d requests under way; try again later", maxShare)
	}
	select {
	case g.places <- struct{}{}:
		return func() {
			<-g.places
			g.shares.Leave(domain)
		}, nil
	default:
		g.shares.Leave(domain)
		return nil, g.overloaded("%d requests are under way; try again later", maxRequests)
	}
}

func (g *Gateway) overloaded(format string, bound int) error {
	return refusal.New(auditv1.Reason_REASON_OVERLOADED, format, bound).Status(g.domain, "").Err()
}
