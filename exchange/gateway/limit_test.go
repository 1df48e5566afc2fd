package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFull: beyond the bound a request is refused at once, whoever sends it, and the description stays readable.
func TestFull(t *testing.T) {
	g := &Gateway{domain: "exchange.example", openapi: []byte("{}"), places: make(chan struct{}, 1)}
	g.places <- struct{}{}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/accesses", nil))
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "OVERLOADED") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	if g.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil)); w.Code != http.StatusOK {
		t.Errorf("the description gives %d", w.Code)
	}
	w = httptest.NewRecorder()
	if g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/openapi.json", nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("writing the description gives %d", w.Code)
	}
}
