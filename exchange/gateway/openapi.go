package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/gen/openapi"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

var errDescription = errors.New("the generated OpenAPI description is not as expected")

// describe is the generated OpenAPI description with what the generator cannot know: a title, and that answers stand inline. A client generated
// from the unchanged one would take every answer for a string.
func describe() ([]byte, error) {
	var all map[string]any
	if err := json.Unmarshal(openapi.JSON, &all); err != nil {
		return nil, fmt.Errorf("%w: %w", errDescription, err)
	}
	answer, ok := member(all, "definitions", "v1QueryResourceResponse", "properties", "answer")
	info, ok2 := member(all, "info")
	if !ok || !ok2 {
		return nil, errDescription
	}
	info["title"], info["version"] = "Kuasheng exchange", "v1"
	info["description"] = "REST over mutual TLS 1.3. Every access is on record. Errors are google.rpc.Status with google.rpc.ErrorInfo and a LocalizedMessage in zh-CN."
	clear(answer) // no type: any JSON
	answer["description"] = "Output only. The answer. A JSON answer (mediaType application/json) stands inline as an array or object; " +
		"its digest is over the exact text of this value. Any other answer is a base64 string."
	return json.Marshal(all)
}

func member(object map[string]any, path ...string) (map[string]any, bool) {
	for _, name := range path {
		next, ok := object[name].(map[string]any)
		if !ok {
			return nil, false
		}
		object = next
	}
	return object, true
}

func (g *Gateway) serveDescription(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		g.write(w, http.StatusMethodNotAllowed, refusal.New(auditv1.Reason_REASON_MESSAGE_MALFORMED, "the description can only be read").Status(g.domain, ""))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(g.openapi) // who asked has gone
}
