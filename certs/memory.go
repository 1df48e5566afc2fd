package certs

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/test/bufconn"
)

// memoryBuffer is how many bytes wait in each direction of an in-memory connection: what a server's connection buffers on a network
// hold. A full buffer makes the writer wait; it loses nothing.
const memoryBuffer = 128 << 10

// Memory is a listener inside the process, through which the REST gateway reaches its own gRPC server: a REST call passes the same
// authentication, decisions and records as any other. It has no address, so that nothing outside the process can connect.
type Memory struct{ pipe *bufconn.Listener }

// NewMemory returns a listener for grpc.Server.Serve; the server's credentials must be [ServerCredentials].
func NewMemory() *Memory { return &Memory{pipe: bufconn.Listen(memoryBuffer)} }

// memoryConn marks a connection as in-memory by its Go type. Only this file makes one.
type memoryConn struct{ net.Conn }

// Accept implements net.Listener.
func (m *Memory) Accept() (net.Conn, error) {
	conn, err := m.pipe.Accept()
	if err != nil {
		// bufconn fails to accept for one reason only.
		return nil, fmt.Errorf("accepting an in-memory connection: %w", net.ErrClosed)
	}
	return &memoryConn{conn}, nil
}

// Close implements net.Listener. Open connections stay open.
func (m *Memory) Close() error { return m.pipe.Close() }

// Addr implements net.Listener.
func (m *Memory) Addr() net.Addr { return m.pipe.Addr() }

// Dial returns a client of the server that accepts from m. Each call carries the certificate chain that [Forward] put into its context,
// and no other: whatever a gateway copied from HTTP headers into the metadata under the same key is thrown away.
func (m *Memory) Dial(opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	// Ours come last. The interceptors are so the innermost ones, and nothing runs between them and the wire.
	opts = append(opts[:len(opts):len(opts)],
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := m.pipe.DialContext(ctx)
			if err != nil {
				return nil, fmt.Errorf("dialling in memory: %w", err)
			}
			return &memoryConn{conn}, nil
		}),
		grpc.WithTransportCredentials(memoryCredentials{}),
		grpc.WithChainUnaryInterceptor(forwardUnary),
		grpc.WithChainStreamInterceptor(forwardStream),
	)
	conn, err := grpc.NewClient("passthrough:///memory", opts...)
	if err != nil {
		return nil, fmt.Errorf("preparing an in-memory client: %w", err)
	}
	return conn, nil
}

// memoryCredentials are the client's side of an in-memory connection: no handshake, since both ends are this process.
type memoryCredentials struct{}

var errNotMemory = errors.New("these credentials are for in-memory connections")

func (memoryCredentials) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if _, ok := conn.(*memoryConn); !ok {
		return nil, nil, errNotMemory
	}
	return conn, memoryInfo{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}, nil
}

func (memoryCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errClientOnly
}

func (memoryCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "memory"}
}

func (c memoryCredentials) Clone() credentials.TransportCredentials { return c }

func (memoryCredentials) OverrideServerName(string) error { return errNotMemory }
