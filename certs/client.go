package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc/credentials"
)

// ErrServer means that a server proved to be somebody else than the one to be called.
var ErrServer = errors.New("not the server wanted")

// ClientCredentials returns the credentials of a gRPC client: TLS 1.3, our own SVID presented, and no server accepted but the one with
// exactly the ID given, under the bundle of its own trust domain. Host names play no part: whoever controls DNS or routing can at most
// keep us from reaching the server.
//
// gRPC reports a failed handshake as UNAVAILABLE with this package's text in the message.
func ClientCredentials(svid x509svid.Source, bundles x509bundle.Source, server ID) credentials.TransportCredentials {
	return &clientCredentials{tls: credentials.NewTLS(clientTLS(svid, bundles, server, "h2"))}
}

// HTTPClientTLS is ClientCredentials for an http.Transport: for REST calls to the exchange.
func HTTPClientTLS(svid x509svid.Source, bundles x509bundle.Source, server ID) *tls.Config {
	return clientTLS(svid, bundles, server, "h2", "http/1.1")
}

func clientTLS(svid x509svid.Source, bundles x509bundle.Source, server ID, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return ownCertificate(svid)
		},
		// The standard check is of host names and of the system's authorities. VerifyConnection replaces both; it runs on every
		// handshake and there are no others, since no session is ever resumed (ClientSessionCache is nil).
		InsecureSkipVerify: true, //nolint:gosec // see above
		VerifyConnection: func(state tls.ConnectionState) error {
			return verifyServer(state.PeerCertificates, bundles, server)
		},
	}
}

func verifyServer(chain []*x509.Certificate, bundles x509bundle.Source, want ID) error {
	// Who the server claims to be comes first: "signed by an unknown authority" would hide that one has dialled the wrong address.
	if id, err := x509svid.IDFromCert(chain[0]); err == nil && id.String() != want.String() {
		return fmt.Errorf("verifying the server: %w: the server is %.128s, wanted %s", ErrServer, id, want)
	}
	who, err := verifyChain(chain, bundles, x509.ExtKeyUsageServerAuth, time.Now())
	if err != nil {
		return fmt.Errorf("verifying the server, wanted %s: %w", want, err)
	}
	if who.id != want {
		return fmt.Errorf("verifying the server: %w: the server is %s, wanted %s", ErrServer, who.id, want)
	}
	return nil
}

type clientCredentials struct {
	tls credentials.TransportCredentials
}

func (c *clientCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.tls.ClientHandshake(ctx, authority, raw)
	if record := (tls.RecordHeaderError{}); errors.As(err, &record) {
		return nil, nil, fmt.Errorf("connecting to %s: the server does not speak TLS on this port: %w", authority, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to %s: %w", authority, err)
	}
	return conn, info, nil
}

func (c *clientCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errClientOnly
}

func (c *clientCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls", SecurityVersion: "1.3"}
}

// Clone returns the credentials themselves: they are never changed.
func (c *clientCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is refused: the server is known by its ID.
func (c *clientCredentials) OverrideServerName(string) error { return errClientOnly }
