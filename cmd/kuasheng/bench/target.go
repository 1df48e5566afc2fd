package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/client"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

const (
	// buffer is the size of a connection's read and write buffers, as the exchange has them: smaller ones make the load generator call the
	// system more often.
	buffer = 128 << 10
	// maxMessage takes any answer that an exchange sends.
	maxMessage = 16 << 20
)

// Server says whom to ask, as whom, and what.
type Server struct {
	Address  string
	ID       certs.ID // that the server must prove
	Identity certs.Files
	// LogKey and JournalKeys are for verifying; see client.Config. Without LogKey nothing is verified.
	LogKey      string
	JournalKeys map[string]string
	// Requests are asked in turn.
	Requests []*queryv1.QueryResourceRequest
}

// target is a server ready to be asked by many callers.
type target struct {
	source   *certs.Source
	conns    []*grpc.ClientConn
	encoded  []mem.SliceBuffer
	requests []*queryv1.QueryResourceRequest
	client   *client.Client
	proves   bool // what the client returns is verified
	timeout  time.Duration
}

// dial prepares connections; nothing is sent yet.
func dial(ctx context.Context, s Server, connections int, timeout time.Duration, logger *slog.Logger) (t *target, err error) {
	t = &target{requests: s.Requests, proves: s.LogKey != "", timeout: timeout}
	if t.source, err = certs.OpenFiles(context.WithoutCancel(ctx), s.Identity, logger); err != nil {
		return nil, fmt.Errorf("opening the identity: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	for _, r := range s.Requests {
		b, err := proto.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encoding a question: %w", err)
		}
		t.encoded = append(t.encoded, b)
	}
	for range connections {
		conn, err := grpc.NewClient("dns:///"+s.Address,
			grpc.WithTransportCredentials(certs.ClientCredentials(t.source, t.source, s.ID)), grpc.WithUserAgent("kuasheng-bench"),
			// A retry would be a call that is not counted, and an access on record.
			grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
			grpc.WithReadBufferSize(buffer), grpc.WithWriteBufferSize(buffer),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(maxMessage)),
		)
		if err != nil {
			return nil, fmt.Errorf("preparing a connection to %q: %w", s.Address, err)
		}
		t.conns = append(t.conns, conn)
	}
	t.client, err = client.Dial(ctx, client.Config{
		Address: s.Address, Exchange: s.ID, Source: t.source, LogKey: s.LogKey, JournalKeys: s.JournalKeys, Unverified: !t.proves,
		Timeout: timeout, Logger: logger,
	})
	return t, err
}

// ask makes one call. n chooses the question, caller the connection.
func (t *target) ask(ctx context.Context, n int64, caller int) (o outcome) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	var size answerSize
	question := t.encoded[n%int64(len(t.encoded))]
	begin := time.Now()
	o.err = t.conns[caller%len(t.conns)].Invoke(ctx, queryv1.QueryService_QueryResource_FullMethodName, question, &size)
	o.took, o.bytes = time.Since(begin), size.bytes
	if o.err == nil && size.bytes == 0 {
		o.err = errEmpty
	}
	return o
}

// verify makes one call and verifies everything that comes.
func (t *target) verify(ctx context.Context, n int64) outcome {
	_, err := t.client.Query(ctx, t.requests[n%int64(len(t.requests))])
	return outcome{verified: true, err: err}
}

func (t *target) close() error {
	var errs []error
	if t.client != nil {
		errs = append(errs, t.client.Close())
	}
	for _, c := range t.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, t.source.Close())...)
}
