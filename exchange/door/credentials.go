package door

import (
	"net"

	"google.golang.org/grpc/credentials"
)

// Credentials admits the connections whose handshake showed somebody known.
type Credentials struct {
	credentials.TransportCredentials
	known func(credentials.AuthInfo) bool
}

// NewCredentials wraps the credentials of a gRPC server. known judges what a handshake has shown.
func NewCredentials(inner credentials.TransportCredentials, known func(credentials.AuthInfo) bool) *Credentials {
	return &Credentials{TransportCredentials: inner, known: known}
}

// ServerHandshake implements credentials.TransportCredentials.
func (c *Credentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err // wrapped by those inside; gRPC compares some by value
	}
	if mine, ok := raw.(*Conn); ok && c.known(info) {
		mine.Admit()
	}
	return conn, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c *Credentials) Clone() credentials.TransportCredentials {
	return &Credentials{TransportCredentials: c.TransportCredentials.Clone(), known: c.known}
}
