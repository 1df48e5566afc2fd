package certs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// ErrNoCertificate means that the caller presented no certificate and so is unknown.
var ErrNoCertificate = errors.New("no client certificate")

// Peer is a caller whose certificate the authority of its own trust domain signed.
type Peer struct {
	ID        ID
	Serial    string // of the certificate, lower-case hexadecimal
	NotBefore time.Time
	NotAfter  time.Time
	Forwarded bool // the call came in over REST and was forwarded in memory
}

// PeerFromContext says who is calling, from the context of an RPC on a server with [ServerCredentials], at the time now. It returns a
// nil error only for a fully verified, unexpired peer.
//
// Errors wrap ErrNoCertificate, ErrID, ErrUntrusted or ErrExpired. With ErrExpired the Peer is filled in, so that the refusal can be put
// on record against it; with the others it is empty. The error texts are fit for the caller's eyes: they tell nothing about anybody else.
//
// It is cheap, and its answer can change: a handler of a long-lived stream calls it again for every message it acts upon, or a member
// that has been removed keeps its stream.
func PeerFromContext(ctx context.Context, now time.Time) (Peer, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Peer{}, fmt.Errorf("looking up the caller: %w: not in a call", ErrNoCertificate)
	}
	switch info := p.AuthInfo.(type) {
	case networkInfo:
		return info.caller.judge(now)
	case memoryInfo:
		c, err := info.forwarding.caller(ctx)
		if err != nil {
			return Peer{}, err
		}
		return c.judge(now)
	default:
		return Peer{}, fmt.Errorf("looking up the caller: %w: the connection was not taken in with ServerCredentials", ErrNoCertificate)
	}
}

// networkInfo is the AuthInfo of a connection that came in over TLS.
type networkInfo struct {
	credentials.TLSInfo
	caller *caller
}

// memoryInfo is the AuthInfo of a connection inside the process.
type memoryInfo struct {
	credentials.CommonAuthInfo
	forwarding *forwarding
}

// AuthType names the security protocol, as gRPC demands.
func (memoryInfo) AuthType() string { return "memory" }
