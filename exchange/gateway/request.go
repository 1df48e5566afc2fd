package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/kuasheng/kuasheng/certs"
)

// bare is the request without anything that the translation has no use for: a header that is not there cannot be taken for metadata. The
// caller's certificate goes with the context.
func bare(r *http.Request) *http.Request {
	out := r.WithContext(certs.Forward(r.Context(), r.TLS))
	out.Header = http.Header{}
	for _, name := range []string{"Accept", "Content-Encoding", "Content-Type", "Grpc-Timeout"} {
		if v := textproto.MIMEHeader(r.Header).Get(name); v != "" {
			out.Header.Set(name, v)
		}
	}
	out.Host, out.RemoteAddr = "", "" // they would become x-forwarded-host and -for
	return out
}

// translate runs between routing and the generated code: it reads the body and checks everything that the generated code would let pass
// in silence, so that what reaches the exchange is what the caller wrote. Whoever is not known is refused before the body is read, and the
// place of a request is taken only after it: a slow body holds nobody up.
func (g *Gateway) translate(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		rt := g.routeOf(r)
		if rt == nil {
			g.onError(r.Context(), nil, nil, w, r, errNoRoute)
			return
		}
		if g.custom[rt.shape+verbOf(r.URL.Path)] {
			// The rest of the path is a resource's, and would be read with the verb as part of its name: as another call than was meant.
			g.onRouting(r.Context(), nil, nil, w, r, http.StatusMethodNotAllowed)
			return
		}
		r = r.WithContext(withRoute(r.Context(), rt))
		domain, err := g.identify(r)
		if err != nil {
			g.turnAway(w, r, err)
			return
		}
		if !g.bodies.Take(domain) {
			g.turnAway(w, r, g.overloaded("your trust domain is sending %d bodies; try again later", maxShare))
			return
		}
		body, wrong := readBody(w, r, g.bodyTime)
		g.bodies.Leave(domain)
		if wrong != nil {
			// A body that breaks off ends the request's context, and the refusal has to go on record all the same.
			r = r.WithContext(context.WithoutCancel(r.Context()))
		}
		leave, err := g.enter(domain)
		if err != nil {
			g.write(w, 0, g.typed(err))
			return
		}
		defer leave()
		if wrong == nil {
			wrong = checkHeader(r.Header, len(body) > 0)
		}
		if wrong == nil {
			wrong = rt.check(r.Header.Get("Content-Type"), body, params, r.URL.RawQuery)
		}
		if wrong != nil {
			g.refuse(w, r, rt, wrong)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next(w, r, params)
	}
}

// readBody reads the whole body within size and time, before anything is done with it.
func readBody(w http.ResponseWriter, r *http.Request, limit time.Duration) ([]byte, *mistake) {
	control := http.NewResponseController(w)
	// A writer without deadlines is a test's.
	_ = control.SetReadDeadline(time.Now().Add(limit))
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &mistake{status: http.StatusRequestEntityTooLarge, detail: "the body is larger than 1 MiB"}
	case err != nil:
		return nil, &mistake{status: http.StatusRequestTimeout, detail: "the body did not come whole within 15 seconds"}
	}
	// The deadline would otherwise end the call: net/http goes on reading to notice when the caller leaves.
	_ = control.SetReadDeadline(time.Time{})
	return data, nil
}

// isJSON reports whether a content type is JSON.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

// response bounds the time of each write.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
}

func newResponse(w http.ResponseWriter) *response {
	return &response{w, http.NewResponseController(w)}
}

// Write implements http.ResponseWriter.
func (r *response) Write(b []byte) (int, error) {
	_ = r.control.SetWriteDeadline(time.Now().Add(writeTime)) // see readBody
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
