package certs

import (
	"context"
	"crypto/x509"
	"time"

	"google.golang.org/grpc/credentials"
)

// ParseForwarded is for the fuzz test, which needs devca and so stands outside the package.
func ParseForwarded(value string) error {
	_, err := parseForwarded(value)
	return err
}

// ForwardedCallers returns how many chains ServerCredentials remember after looking up n distinct ones.
func ForwardedCallers(bundles Bundles, contexts []context.Context) int {
	f := newForwarding(bundles)
	for _, ctx := range contexts {
		_, _ = f.caller(ctx)
	}
	return len(f.callers)
}

// MaxForwarded is the bound on that number.
const MaxForwarded = maxForwarded

// TakeIn returns what a connection's AuthInfo is for a caller with this chain.
func TakeIn(bundles Bundles, chain []*x509.Certificate) (credentials.AuthInfo, error) {
	c := &caller{chain: chain, bundles: bundles}
	_, err := c.judge(time.Now())
	return networkInfo{caller: c}, err
}
