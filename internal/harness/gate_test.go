package harness

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

// gate is a province's data behind an HTTP service that answers when the test says so: a test can stop a query in the source's hands.
type gate struct {
	server *httptest.Server
	asked  chan struct{} // one for each request that has arrived
	open   chan struct{} // closed: answer
}

// newGate puts a gate in the place of the replica's database. The node must not run yet.
func newGate(t *testing.T, r *Replica) *gate {
	t.Helper()
	g := &gate{asked: make(chan struct{}, 100), open: make(chan struct{})}
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		g.asked <- struct{}{}
		select {
		case <-g.open:
			_, _ = io.WriteString(w, `[{"account_no":"A-0001","name":"张三丰","balance":"1.50","since":null}]`)
		case <-req.Context().Done():
		}
	}))
	t.Cleanup(g.server.Close)
	b, err := os.ReadFile(r.File)
	check(t, err)
	file := strings.Replace(string(b), "sources:\n", "sources:\n  gate: { http: { base_url: \""+g.server.URL+"\" } }\n", 1)
	before, rest, found := strings.Cut(file, "    source: housing\n    query: SELECT account_no")
	_, after, ends := strings.Cut(rest, "\n")
	if !found || !ends {
		t.Fatal("the node's file is not as expected")
	}
	after = strings.Replace(after, "timeout: 2s", "timeout: 20s", 1) // of the same resource
	file = before + "    source: gate\n    request: { path: \"/deposits/{id_number}\" }\n" + after
	check(t, os.WriteFile(r.File, []byte(file), 0o600))
	return g
}

// waitAsked waits until a query has reached the source.
func (g *gate) waitAsked(s *System) {
	s.T.Helper()
	s.Eventually("asked", func() bool {
		select {
		case <-g.asked:
			return true
		default:
			return false
		}
	})
}

// line is the connection between node and exchange, which a test can make mute: from then on nothing that the node says arrives.
type line struct {
	listener net.Listener
	to       string
	conns    sync.WaitGroup

	mu   sync.Mutex
	mute chan struct{} // closed: what the node sends is kept back
}

// newLine makes the replica reach the exchange through it. The node must not run yet.
func newLine(t *testing.T, r *Replica) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	l := &line{listener: listener, to: r.Province.Sys.Address, mute: make(chan struct{})}
	b, err := os.ReadFile(r.File)
	check(t, err)
	check(t, os.WriteFile(r.File, []byte(strings.Replace(string(b), `"`+l.to+`"`, `"`+listener.Addr().String()+`"`, 1)), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	l.conns.Go(func() { l.accept(ctx) })
	t.Cleanup(func() {
		cancel()
		listener.Close()
		l.conns.Wait()
	})
	return l
}

func (l *line) accept(ctx context.Context) {
	for {
		node, err := l.listener.Accept()
		if err != nil {
			return
		}
		exchange, err := net.Dial("tcp", l.to)
		if err != nil {
			node.Close()
			continue
		}
		stop := context.AfterFunc(ctx, func() { node.Close(); exchange.Close() })
		l.conns.Go(func() {
			defer stop()
			var both sync.WaitGroup
			both.Go(func() { l.carry(ctx, exchange, node) })
			both.Go(func() {
				_, _ = io.Copy(node, exchange)
				node.Close()
			})
			both.Wait()
			exchange.Close()
		})
	}
}

// carry passes on what the node says until the line is mute; then it holds the connection until the node ends it.
func (l *line) carry(ctx context.Context, exchange, node net.Conn) {
	defer exchange.Close()
	l.mu.Lock()
	mute := l.mute
	l.mu.Unlock()
	buf := make([]byte, 64<<10)
	for {
		n, err := node.Read(buf)
		if err != nil {
			return
		}
		select {
		case <-mute:
			continue // lost
		case <-ctx.Done():
			return
		default:
		}
		if _, err := exchange.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut makes the line mute.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.mute)
}

// mend lets connections made from now on speak.
func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mute = make(chan struct{})
}
