package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/source"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// The plain servers get the transport settings of the exchange, so that a ratio between the two is what the exchange does and not how its
	// connections are tuned. Each is defined and justified in exchange/server.go.
	maxStreams = 4096
	buffer     = 128 << 10
	window     = 1 << 20

	// answerFile holds what the plain server answers, in its folder.
	answerFile = "answer"
	mediaType  = "application/json"
)

// plain answers queries without exchange, grant, record or proof.
type plain struct {
	queryv1.UnimplementedQueryServiceServer
	answer func(context.Context, *queryv1.QueryResourceRequest) ([]byte, int64, error)
}

// QueryResource implements queryv1.QueryServiceServer.
func (p *plain) QueryResource(ctx context.Context, req *queryv1.QueryResourceRequest) (*queryv1.QueryResourceResponse, error) {
	body, rows, err := p.answer(ctx, req)
	if err != nil {
		return nil, status.Error(codes.Internal, "the source did not answer")
	}
	return &queryv1.QueryResourceResponse{MediaType: mediaType, Answer: body, RowCount: rows}, nil
}

// openPlain serves one answer from memory.
func openPlain(ctx context.Context, dir string, logger *slog.Logger) (*server, error) {
	body, err := os.ReadFile(filepath.Join(dir, answerFile))
	if err != nil {
		return nil, fmt.Errorf("reading the answer to give: %w", err)
	}
	return servePlain(ctx, dir, logger, &plain{answer: func(context.Context, *queryv1.QueryResourceRequest) ([]byte, int64, error) {
		return body, 1, nil
	}}, func() {})
}

// openPlainSource serves what the node's sources answer, asked by the node's own package for it: what it costs more than openPlain is the sources'.
func openPlainSource(ctx context.Context, dir, nodeFile string, logger *slog.Logger) (*server, error) {
	file, err := config.Load(nodeFile)
	if err != nil {
		return nil, err
	}
	set, err := source.Open(ctx, file, logger)
	if err != nil {
		return nil, err
	}
	s, err := servePlain(ctx, dir, logger, &plain{answer: func(ctx context.Context, req *queryv1.QueryResourceRequest) ([]byte, int64, error) {
		a, err := set.Query(ctx, source.Request{Resource: resourceCode, Fields: req.GetFields(), Parameters: req.GetParameters()})
		return a.JSON, int64(a.Rows), err
	}}, set.Close)
	if err != nil {
		set.Close()
	}
	return s, err
}

// servePlain serves over the same mutual TLS as the exchange: the caller of every call is known, and must be the one application of the stage.
func servePlain(ctx context.Context, dir string, logger *slog.Logger, p *plain, release func()) (*server, error) {
	id, err := certs.OpenFiles(ctx, identity(dir, plainDomain), logger)
	if err != nil {
		return nil, err
	}
	only, err := certs.ParseID(plainApp)
	if err != nil {
		return nil, errors.Join(err, id.Close())
	}
	g := grpc.NewServer(
		grpc.Creds(certs.ServerCredentials(id, id, logger)), grpc.MaxConcurrentStreams(maxStreams),
		grpc.ReadBufferSize(buffer), grpc.WriteBufferSize(buffer), grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(4*window),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			peer, err := certs.PeerFromContext(ctx, time.Now())
			if err != nil {
				return nil, status.Error(codes.Unauthenticated, err.Error())
			}
			if peer.ID != only {
				return nil, status.Error(codes.PermissionDenied, "this server answers its own load generator only")
			}
			return handle(ctx, req)
		}),
	)
	queryv1.RegisterQueryServiceServer(g, p)
	l, err := net.Listen("tcp", loopback)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening: %w", err), id.Close())
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	return &server{address: l.Addr().String(), close: func() error {
		// Nothing is under way that anybody waits for.
		g.Stop()
		err := errors.Join(<-served, id.Close())
		release()
		return err
	}}, nil
}
