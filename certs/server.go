package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc/credentials"
)

// errServerOnly and errClientOnly answer a wiring mistake: credentials handed to the wrong side.
var (
	errServerOnly = errors.New("these credentials are for a server")
	errClientOnly = errors.New("these credentials are for a client")
)

// ServerCredentials returns the credentials of a gRPC server: TLS 1.3 under the SVID that the source holds at each handshake, callers
// judged against bundles. A handshake succeeds whatever certificate the caller has or lacks; [PeerFromContext] says who it is.
// Connections of a [Memory] listener are recognised and served without TLS.
//
// The logger gets one line per connection at debug level only: whoever can reach the port can make connections, and must not be able
// to fill a disk with them.
func ServerCredentials(svid x509svid.Source, bundles Bundles, logger *slog.Logger) credentials.TransportCredentials {
	return &serverCredentials{
		tls:        credentials.NewTLS(serverTLS(svid, logger, "h2")),
		bundles:    bundles,
		forwarding: newForwarding(bundles),
		logger:     logger,
	}
}

// HTTPServerTLS returns the TLS configuration of the HTTPS server in front of the REST gateway: the same protocol version and the same
// treatment of callers as ServerCredentials. The gateway's handler passes the request's TLS state on with [Forward].
func HTTPServerTLS(svid x509svid.Source, logger *slog.Logger) *tls.Config {
	return serverTLS(svid, logger, "h2", "http/1.1")
}

// serverTLS asks for a client certificate without judging it. TLS 1.3 still demands a signature by the certificate's key, so a chain
// that reaches us is never merely a copy of somebody's.
func serverTLS(svid x509svid.Source, logger *slog.Logger, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		ClientAuth: tls.RequestClientCert,
		// A resumed session takes the certificate from a ticket, without a new proof of its key. Connections here live long; the
		// little time that resumption saves is not worth a second way in.
		SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert, err := ownCertificate(svid)
			if err != nil {
				// The caller sees only "internal error", so that the operator must be told.
				logger.Error("no svid to serve with", "error", err)
			}
			return cert, err
		},
	}
}

// ownCertificate shapes the source's SVID for crypto/tls.
func ownCertificate(source x509svid.Source) (*tls.Certificate, error) {
	svid, err := source.GetX509SVID()
	if err != nil {
		return nil, fmt.Errorf("getting our own SVID: %w", err)
	}
	cert := &tls.Certificate{PrivateKey: svid.PrivateKey, Leaf: svid.Certificates[0]}
	for _, c := range svid.Certificates {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, nil
}

type serverCredentials struct {
	tls        credentials.TransportCredentials
	bundles    Bundles
	forwarding *forwarding
	logger     *slog.Logger
}

// ServerHandshake implements credentials.TransportCredentials. The Go type of the connection is what tells an in-memory one: no byte
// that arrives from a network changes a type.
func (s *serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if conn, ok := raw.(*memoryConn); ok {
		return conn, memoryInfo{
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
			forwarding:     s.forwarding,
		}, nil
	}
	conn, info, err := s.tls.ServerHandshake(raw)
	if err != nil {
		s.logger.Debug("tls handshake failed", "remote", raw.RemoteAddr().String(), "error", err)
		return nil, nil, fmt.Errorf("taking in a connection: %w", err)
	}
	tlsInfo, ok := info.(credentials.TLSInfo)
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("taking in a connection: unexpected %T", info), conn.Close())
	}
	c := &caller{chain: tlsInfo.State.PeerCertificates, bundles: s.bundles}
	// Judging now takes the cost out of the first call. The error is not dropped: each call of this connection gets it.
	peer, err := c.judge(time.Now())
	s.logger.Debug("connection taken in", "remote", raw.RemoteAddr().String(), "id", peer.ID.String(), "serial", peer.Serial, "error", err)
	return conn, networkInfo{TLSInfo: tlsInfo, caller: c}, nil
}

func (s *serverCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errServerOnly
}

func (s *serverCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls", SecurityVersion: "1.3"}
}

// Clone returns the credentials themselves: they are never changed.
func (s *serverCredentials) Clone() credentials.TransportCredentials { return s }

// OverrideServerName is refused: names here come from SVIDs.
func (s *serverCredentials) OverrideServerName(string) error { return errServerOnly }
