package door_test

import (
	"errors"
	"net"
	"testing"

	"github.com/kuasheng/kuasheng/exchange/door"
)

// address is a remote address of a test's choice.
type address struct {
	net.Conn
	remote string
	closed chan struct{}
}

func (a *address) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(a.remote), Port: 1}
}

func (a *address) Close() error {
	close(a.closed)
	return nil
}

func (a *address) isClosed() bool {
	select {
	case <-a.closed:
		return true
	default:
		return false
	}
}

// queue is a listener that hands out what is put in.
type queue chan net.Conn

func (q queue) Accept() (net.Conn, error) {
	select {
	case c := <-q:
		return c, nil
	default:
		return nil, net.ErrClosed
	}
}
func (queue) Close() error   { return nil }
func (queue) Addr() net.Addr { return nil }

// visit lets somebody in from an address; nil where the door stays shut.
func visit(t *testing.T, q queue, l *door.Listener, remote string) (*door.Conn, *address) {
	t.Helper()
	raw := &address{remote: remote, closed: make(chan struct{})}
	q <- raw
	conn, err := l.Accept()
	if errors.Is(err, net.ErrClosed) {
		if !raw.isClosed() {
			t.Error("what was refused stays open")
		}
		return nil, raw
	}
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*door.Conn), raw
}

func TestListener(t *testing.T) {
	q := make(queue, 1)
	l := door.Listen(q, door.Limits{All: 5, Address: 3, Strangers: 3, OneAddress: 2})
	known, _ := visit(t, q, l, "10.0.0.1")
	known.Admit()
	known.Admit() // twice is once
	longest, raw := visit(t, q, l, "10.0.0.1")
	if _, second := visit(t, q, l, "10.0.0.1"); second.isClosed() {
		t.Error("a second stranger is refused")
	}
	if c, _ := visit(t, q, l, "10.0.0.1"); c != nil {
		t.Error("an address has more strangers than it may")
	}
	if _, third := visit(t, q, l, "10.0.0.2"); third.isClosed() || raw.isClosed() {
		t.Error("a third stranger is refused")
	}
	// A flood from elsewhere sends away the stranger who has been here longest, and never somebody known.
	fourth, _ := visit(t, q, l, "10.0.0.3")
	if fourth == nil || !raw.isClosed() {
		t.Error("strangers can fill the door")
	}
	fourth.Admit()
	if err := longest.Conn.(*address); !err.isClosed() {
		t.Error("the longest is still here")
	}
	fifth, _ := visit(t, q, l, "10.0.0.4")
	fifth.Admit()
	for _, c := range []*door.Conn{known, fourth, fifth} {
		if c.Conn.(*address).isClosed() {
			t.Error("somebody known was sent away")
		}
	}
	if err := known.Close(); err != nil {
		t.Error(err)
	}
	if c, _ := visit(t, q, l, "10.0.0.1"); c == nil {
		t.Error("a place given back cannot be taken")
	}
}

// TestListenerFull: where everybody is known, the bound in all holds.
func TestListenerFull(t *testing.T) {
	q := make(queue, 1)
	l := door.Listen(q, door.Limits{All: 2, Address: 2, Strangers: 2, OneAddress: 2})
	for _, remote := range []string{"10.0.0.1", "10.0.0.2"} {
		c, _ := visit(t, q, l, remote)
		c.Admit()
	}
	if c, _ := visit(t, q, l, "10.0.0.3"); c != nil {
		t.Error("one too many")
	}
}

func TestTally(t *testing.T) {
	tally := door.NewTally(1)
	if !tally.Take("a") || tally.Take("a") || !tally.Take("b") {
		t.Error("the bound is not one for each name")
	}
	tally.Leave("a")
	if !tally.Take("a") {
		t.Error("a place given back cannot be taken")
	}
}
