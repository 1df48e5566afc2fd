package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// ForwardKey is the metadata key under which a chain travels on an in-memory connection: one value, the certificates in DER, leaf
// first, one after the other; empty if the caller presented none. On any other connection the key means nothing.
const ForwardKey = "kuasheng-peer-chain-bin"

// maxForwarded bounds how many forwarded chains are remembered with their judgement: more than the application systems that will use
// REST at one time, and at most 16 MB. Beyond it an arbitrary one is forgotten and, if it comes back, verified again.
const maxForwarded = 1024

// oversized travels in place of a leaf that is above the bounds. It is no certificate, and so is judged untrusted, as on TLS.
const oversized = "\x00"

type forwardKey struct{}

// Forward returns a context whose calls over a [Memory] connection are made in the name of whoever is at the other end of the TLS
// connection given, usually http.Request.TLS, which is nil for a plain one. The server judges the chain as if the caller had come to
// it directly; possession of the key was proved to the HTTPS server in the same process.
func Forward(ctx context.Context, state *tls.ConnectionState) context.Context {
	var value []byte
	if state != nil && len(state.PeerCertificates) > 0 {
		for _, cert := range boundChain(state.PeerCertificates) {
			value = append(value, cert.Raw...)
		}
		if len(value) == 0 {
			value = []byte(oversized)
		}
	}
	return context.WithValue(ctx, forwardKey{}, string(value))
}

// forwardContext puts the chain from the context, and nothing else, under the key. It replaces every value that is there: a REST
// gateway copies "Grpc-Metadata-*" headers into the metadata, and certificates are public, so that anybody could name somebody.
func forwardContext(ctx context.Context) context.Context {
	value, _ := ctx.Value(forwardKey{}).(string) // no Forward: no certificate
	md, ok := metadata.FromOutgoingContext(ctx)
	if !ok {
		md = metadata.MD{}
	}
	md.Set(ForwardKey, value)
	return metadata.NewOutgoingContext(ctx, md)
}

func forwardUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(forwardContext(ctx), method, req, reply, cc, opts...)
}

func forwardStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return stream(forwardContext(ctx), desc, cc, method, opts...)
}

// forwarding remembers the callers behind in-memory connections, so that their chains are verified as rarely as those of TLS ones.
type forwarding struct {
	bundles Bundles

	mu      sync.Mutex
	callers map[[sha256.Size]byte]*caller // by the hash of the forwarded value; guarded by mu
}

func newForwarding(bundles Bundles) *forwarding {
	return &forwarding{bundles: bundles, callers: make(map[[sha256.Size]byte]*caller)}
}

// caller returns who is behind an RPC on an in-memory connection.
func (f *forwarding) caller(ctx context.Context) (*caller, error) {
	values := metadata.ValueFromIncomingContext(ctx, ForwardKey)
	switch {
	case len(values) > 1:
		// Memory.Dial sends one value. Two mean that something else writes the key, and none of them can be believed.
		return nil, fmt.Errorf("reading a forwarded chain: %w: %d values", ErrUntrusted, len(values))
	case len(values) == 0 || values[0] == "":
		return nil, ErrNoCertificate
	}
	key := sha256.Sum256([]byte(values[0]))
	f.mu.Lock()
	c, ok := f.callers[key]
	f.mu.Unlock()
	if ok {
		return c, nil
	}
	// Parsing is done outside the lock. Two calls may do it at once; both results are right.
	chain, err := parseForwarded(values[0])
	if err != nil {
		return nil, err
	}
	c = &caller{chain: chain, forwarded: true, bundles: f.bundles}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.callers) >= maxForwarded {
		for k := range f.callers {
			delete(f.callers, k)
			break
		}
	}
	f.callers[key] = c
	return c, nil
}

// parseForwarded reads the value that Forward wrote. Errors wrap ErrUntrusted.
func parseForwarded(value string) ([]*x509.Certificate, error) {
	if len(value) > maxChainBytes {
		return nil, fmt.Errorf("reading a forwarded chain: %w: it is larger than %d bytes", ErrUntrusted, maxChainBytes)
	}
	chain, err := x509.ParseCertificates([]byte(value))
	if err != nil {
		return nil, fmt.Errorf("reading a forwarded chain: %w: %w", ErrUntrusted, err)
	}
	return chain, nil
}
