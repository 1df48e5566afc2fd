package gateway

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kuasheng/kuasheng/exchange/door"
)

// SetBodyTime shortens how long a body may take. It is called before the first request.
func SetBodyTime(g *Gateway, d time.Duration) { g.bodyTime = d }

// Busy reports whether a trust domain has bodies on their way.
func Busy(g *Gateway, domain string) bool {
	for range maxShare {
		if !g.bodies.Take(domain) {
			return true
		}
		defer g.bodies.Leave(domain)
	}
	return false
}

// TestPlaces: one trust domain takes its share and no more, all together take all, and what is given back can be taken again.
func TestPlaces(t *testing.T) {
	g := &Gateway{domain: "exchange.example", places: make(chan struct{}, 3), shares: door.NewTally(2)}
	wantFull := func(domain, text string) {
		t.Helper()
		_, err := g.enter(domain)
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v", domain, err)
		}
	}
	first, err := g.enter("henan.example")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.enter("henan.example"); err != nil {
		t.Fatal(err)
	}
	wantFull("henan.example", "trust domain")
	if _, err := g.enter("zhejiang.example"); err != nil {
		t.Fatal(err)
	}
	wantFull("guangdong.example", "requests are under way")
	first()
	if _, err := g.enter("guangdong.example"); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}
