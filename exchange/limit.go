package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/door"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
)

const (
	// maxHeaders is the largest header list of a call. gRPC's own bound of 16 MiB lets a few bytes, which refer to one long header again and
	// again, be decoded into gigabytes. The largest of ours is a forwarded chain: 16 KiB, a third more in base64.
	maxHeaders = 64 << 10
	// maxHealth is the largest message of a method that anybody may call: the name of a service.
	maxHealth = 1 << 10
	// maxVisits bounds the calls of one address's strangers that are under way: only health takes any time for them.
	maxVisits = 16
	// handshakeTime bounds a connection's handshake and HTTP/2 preface.
	handshakeTime = 10 * time.Second
	// messageTime bounds how long the one message of a call may take to arrive: 4 MiB at the speed of the slowest line.
	messageTime = 10 * time.Second
	// unusedTime is how long a connection may stay without a call; clients connect again by themselves.
	unusedTime = 15 * time.Minute
)

// connections are the bounds of the gRPC listener. A connection holds 300 KB of buffers: 600 MB in all, 150 MB for strangers.
func connections() door.Limits {
	return door.Limits{All: 2048, Address: 512, Strangers: 512, OneAddress: 128}
}

// limits are the options of the gRPC server that bound what a caller can take.
func (s *Server) limits() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeTime),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: unusedTime, Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
}

// known reports whether a handshake has shown somebody whom the authority of a known trust domain vouches for, if only in the past: an expired
// caller's refusals are on record.
func (s *Server) known(info credentials.AuthInfo) bool {
	ctx := peer.NewContext(context.Background(), &peer.Peer{AuthInfo: info})
	_, err := certs.PeerFromContext(ctx, s.now())
	return err == nil || errors.Is(err, certs.ErrExpired)
}

// open reports whether anybody may call a method, and bounds those who do without an identity. The function gives the place back.
func (s *Server) open(ctx context.Context, method string) (anyone bool, leave func(), err error) {
	if !s.methods[method].permits(anybody) {
		return false, func() {}, nil
	}
	if _, err := certs.PeerFromContext(ctx, s.now()); err == nil {
		return true, func() {}, nil
	}
	host := ""
	if p, ok := peer.FromContext(ctx); ok {
		host = door.Host(p.Addr)
	}
	if !s.visits.Take(host) {
		return true, nil, refusal.New(auditv1.Reason_REASON_OVERLOADED, "too many calls without an identity come from your address; try again later")
	}
	return true, func() { s.visits.Leave(host) }, nil
}
