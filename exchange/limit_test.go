package exchange_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// rawClient speaks HTTP/2 by hand, as no honest client does.
type rawClient struct {
	t      testing.TB
	framer *http2.Framer
	header bytes.Buffer
	hpack  *hpack.Encoder
	stream uint32
	ends   chan end
}

// end is how a call ended: its status, RST for none, and empty for headers that are not the end.
type end struct {
	stream uint32
	how    string
}

func (s *system) rawClient(own ...tls.Certificate) *rawClient {
	s.T.Helper()
	conn, err := tls.Dial("tcp", s.Address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, Certificates: own})
	check(s.T, err)
	s.T.Cleanup(func() { conn.Close() })
	check(s.T, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	check(s.T, err)
	c := &rawClient{t: s.T, framer: http2.NewFramer(conn, conn), stream: 1, ends: make(chan end, 10000)}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.hpack = hpack.NewEncoder(&c.header)
	check(s.T, c.framer.WriteSettings())
	go func() {
		defer close(c.ends)
		for {
			f, err := c.framer.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) { // the framer uses it again
			case *http2.MetaHeadersFrame:
				c.ends <- end{f.StreamID, statusOf(f)}
			case *http2.RSTStreamFrame:
				c.ends <- end{f.StreamID, "RST"}
			}
		}
	}()
	return c
}

// open sends the headers of a call, with references to one long header.
func (c *rawClient) open(method string, references int, more ...hpack.HeaderField) uint32 {
	c.t.Helper()
	id := c.stream
	c.stream += 2
	c.header.Reset()
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: method}, {Name: ":authority", Value: "x"},
		{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}
	for _, f := range append(fields, more...) {
		f.Sensitive = true // not indexed, so that the long header stays the newest
		check(c.t, c.hpack.WriteField(f))
	}
	if references > 0 {
		check(c.t, c.hpack.WriteField(hpack.HeaderField{Name: "a-bin", Value: strings.Repeat("A", 4000)}))
		c.header.Write(bytes.Repeat([]byte{0x80 | 62}, references))
	}
	check(c.t, c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.header.Bytes(), EndHeaders: true}))
	return id
}

// ended waits for the end of a call and returns its status, or RST for none.
func (c *rawClient) ended(id uint32) string {
	c.t.Helper()
	for e := range c.ends {
		if e.stream == id {
			return e.how
		}
	}
	c.t.Fatal("the connection broke")
	return ""
}

func statusOf(m *http2.MetaHeadersFrame) (code string) {
	for _, field := range m.Fields {
		switch field.Name {
		case "grpc-status":
			code = field.Value
		case "grpc-message":
			code += " " + field.Value
		}
	}
	return code
}

func prefix(flag byte, size int, data ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(size)), data...)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// TestStrangerTakesNoMemory: headers that grow when decoded are cut off, and a stranger is refused, typed, while its message is still
// on the way; only health listens to it, and not to more than a name.
func TestStrangerTakesNoMemory(t *testing.T) {
	s := start(t)
	before := heap()
	c := s.rawClient()
	for range 100 { // 1.6 GB, decoded
		if got := c.ended(c.open(queryv1.QueryService_QueryResource_FullMethodName, 4000)); got != "RST" {
			t.Fatalf("long headers end with %q", got)
		}
	}
	for _, method := range []string{queryv1.QueryService_QueryResource_FullMethodName, queryv1.QueryService_ExportResource_FullMethodName} {
		id := c.open(method, 0)
		check(t, c.framer.WriteData(id, false, prefix(0, 4<<20, 1, 2, 3)))
		if got := c.ended(id); !strings.HasPrefix(got, "16 CLIENT_CERTIFICATE_MISSING") {
			t.Errorf("%s without an identity ends with %q", method, got)
		}
	}
	id := c.open(grpc_health_v1.Health_Check_FullMethodName, 0)
	check(t, c.framer.WriteData(id, false, prefix(0, 4<<20, 1, 2, 3)))
	if got := c.ended(id); !strings.HasPrefix(got, "3 MESSAGE_MALFORMED") {
		t.Errorf("a large message to health ends with %q", got)
	}
	watching := map[uint32]bool{}
	for range 17 {
		id := c.open(grpc_health_v1.Health_Watch_FullMethodName, 0)
		watching[id] = true
	}
	// One of them is too many, whichever it is; the others wait for their message.
	for e := range c.ends {
		if watching[e.stream] {
			if !strings.HasPrefix(e.how, "8 OVERLOADED") {
				t.Errorf("a call too many ends with %q", e.how)
			}
			break
		}
	}
	if grown := int64(heap()) - int64(before); grown > 64<<20 {
		t.Errorf("a stranger holds %d MiB", grown>>20)
	}
}

// TestMessageInTime: a message that stays away ends the call, and of a known caller it is on record.
func TestMessageInTime(t *testing.T) {
	s := start(t)
	exchange.SetMessageTime(s.Server, 100*time.Millisecond)
	c := s.rawClient(s.certificate(s.zhejiang.CA, s.zhejiang.AppID("portal")))
	for _, method := range []string{queryv1.QueryService_QueryResource_FullMethodName, queryv1.QueryService_ExportResource_FullMethodName} {
		id := c.open(method, 0)
		check(t, c.framer.WriteData(id, false, prefix(0, 1000, 1, 2, 3)))
		if got := c.ended(id); !strings.HasPrefix(got, "4 DEADLINE_EXCEEDED") {
			t.Errorf("%s ends with %q", method, got)
		}
	}
	if got := s.refused(auditv1.Reason_REASON_DEADLINE_EXCEEDED); got != 2 {
		t.Errorf("%d refusals on record, want 2", got)
	}
}

// TestWrongFrames: what gRPC would refuse in its own words is refused typed and on record.
func TestWrongFrames(t *testing.T) {
	s := start(t)
	conn := s.Dial(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	bomb := bytes.Repeat([]byte{0}, 8<<20) // 8 KB of gzip
	err := conn.Invoke(t.Context(), queryv1.QueryService_QueryResource_FullMethodName, &bomb, new([]byte), grpc.ForceCodec(rawCodec{}), grpc.UseCompressor(gzip.Name))
	if access, _ := wantRefusal(t, err, codes.InvalidArgument, auditv1.Reason_REASON_MESSAGE_MALFORMED, harness.Domain); access == "" {
		t.Error("gzip is not on record")
	}
	err = conn.Invoke(t.Context(), queryv1.QueryService_QueryResource_FullMethodName, &bomb, new([]byte), grpc.ForceCodec(rawCodec{}))
	if access, _ := wantRefusal(t, err, codes.InvalidArgument, auditv1.Reason_REASON_MESSAGE_MALFORMED, harness.Domain); access == "" {
		t.Error("a large message is not on record")
	}

	c := s.rawClient(s.certificate(s.zhejiang.CA, s.zhejiang.AppID("portal")))
	encoded := hpack.HeaderField{Name: "grpc-encoding", Value: "gzip"}
	wrong := []struct {
		name string
		data []byte
		more []hpack.HeaderField
	}{
		{"broken gzip", prefix(1, 3, 1, 2, 3), []hpack.HeaderField{encoded}},
		{"marked as compressed", prefix(1, 3, 1, 2, 3), nil},
		{"cut", prefix(0, 10, 1, 2, 3), nil},
		{"none", nil, nil},
		{"two", append(prefix(0, 0), prefix(0, 0)...), nil},
	}
	methods := []string{queryv1.QueryService_QueryResource_FullMethodName, queryv1.QueryService_ExportResource_FullMethodName}
	for _, w := range wrong {
		for _, method := range methods {
			id := c.open(method, 0, w.more...)
			check(t, c.framer.WriteData(id, true, w.data))
			if got := c.ended(id); !strings.HasPrefix(got, "3 MESSAGE_MALFORMED") {
				t.Errorf("%s, %s ends with %q", w.name, method, got)
			}
		}
	}
	if got, want := s.refused(auditv1.Reason_REASON_MESSAGE_MALFORMED), 2+len(wrong)*len(methods); got != want {
		t.Errorf("%d refusals on record, want %d", got, want)
	}
}

// TestStrangersConnections: silent connections from one address are closed above a bound, and a known caller's connections are not counted
// among them.
func TestStrangersConnections(t *testing.T) {
	s := start(t)
	conn := s.Dial(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	registry := registryv1.NewRegistryServiceClient(conn)
	_, err := registry.GetExchange(t.Context(), &registryv1.GetExchangeRequest{})
	check(t, err)
	var silent []net.Conn
	for range 140 {
		conn, err := net.Dial("tcp", s.Address)
		check(t, err)
		t.Cleanup(func() { conn.Close() })
		silent = append(silent, conn)
	}
	closed := 0
	for _, conn := range silent {
		check(t, conn.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		if _, err := conn.Read(make([]byte, 1)); err != nil && !isTimeout(err) {
			closed++
		}
	}
	if closed != 140-128 {
		t.Errorf("%d of 140 silent connections were closed, want 12", closed)
	}
	_, err = registry.GetExchange(t.Context(), &registryv1.GetExchangeRequest{})
	check(t, err)
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// refused counts Zhejiang's refusals on record for a reason.
func (s *system) refused(reason auditv1.Reason) (n int) {
	for _, a := range s.accesses(s.zhejiang) {
		if a.GetRecord().GetIntent().GetReason() == reason {
			n++
		}
	}
	return n
}

// certificate is a fresh SVID of an ID.
func (s *system) certificate(ca *devca.CA, id string) tls.Certificate {
	s.T.Helper()
	parsed, err := certs.ParseID(id)
	check(s.T, err)
	svid, err := ca.Issue(parsed, devca.Options{})
	check(s.T, err)
	own := tls.Certificate{PrivateKey: svid.PrivateKey}
	for _, c := range svid.Certificates {
		own.Certificate = append(own.Certificate, c.Raw)
	}
	return own
}
