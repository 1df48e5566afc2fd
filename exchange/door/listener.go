package door

import (
	"container/list"
	"fmt"
	"net"
	"sync"
)

// Limits are how many connections a listener holds at one time.
type Limits struct {
	All        int // of anybody
	Address    int // from one remote address: a province's applications may come from one
	Strangers  int // not admitted, those in their handshake included
	OneAddress int // not admitted, from one remote address
}

// Listener counts the connections that it accepts.
type Listener struct {
	net.Listener
	limits    Limits
	address   *Tally
	strangers *Tally

	mu    sync.Mutex
	all   int       // guarded by mu
	queue list.List // of the strangers' *Conn, the longest here first; guarded by mu
}

// Listen puts limits on a listener.
func Listen(l net.Listener, limits Limits) *Listener {
	return &Listener{Listener: l, limits: limits, address: NewTally(limits.Address), strangers: NewTally(limits.OneAddress)}
}

// Accept implements net.Listener. It closes what is above the limits and waits for the next.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, fmt.Errorf("accepting a connection: %w", err)
		}
		conn, longest := l.take(raw)
		if longest != nil {
			_ = longest.Close() // a stranger's; there is nobody to tell
		}
		if conn != nil {
			return conn, nil
		}
		_ = raw.Close()
	}
}

// take gives a connection its place, if need be that of the stranger who has been here longest.
func (l *Listener) take(raw net.Conn) (conn, longest *Conn) {
	host := Host(raw.RemoteAddr())
	if !l.strangers.Take(host) {
		return nil, nil
	}
	if !l.address.Take(host) {
		l.strangers.Leave(host)
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.limits.All || l.queue.Len() >= l.limits.Strangers {
		first := l.queue.Front()
		if first == nil {
			l.strangers.Leave(host)
			l.address.Leave(host)
			return nil, nil
		}
		longest = first.Value.(*Conn)
		l.queue.Remove(first)
		longest.place = nil
		l.strangers.Leave(longest.host)
	}
	l.all++
	conn = &Conn{Conn: raw, listener: l, host: host}
	conn.place = l.queue.PushBack(conn)
	return conn, longest
}

// Conn is a connection that holds a place until it is closed.
type Conn struct {
	net.Conn
	listener *Listener
	host     string
	place    *list.Element // among the strangers; nil once admitted or sent away; guarded by listener.mu
	once     sync.Once
}

// Admit says that the connection is of somebody known: it no longer counts as a stranger's.
func (c *Conn) Admit() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if c.place != nil {
		c.listener.queue.Remove(c.place)
		c.place = nil
		c.listener.strangers.Leave(c.host)
	}
}

// Close implements net.Conn and gives the place back.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.Admit()
		c.listener.address.Leave(c.host)
		c.listener.mu.Lock()
		defer c.listener.mu.Unlock()
		c.listener.all--
	})
	return c.Conn.Close()
}
