package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

var errNoRoute = errors.New("a path without a method")

// route is one way to call one method: what stands in its path, its body and its URL parameters.
type route struct {
	method string // "/kuasheng.query.v1.QueryService/QueryResource"
	input  protoreflect.MessageType
	body   string          // "": none, "*": the message, else the name of a field
	path   map[string]bool // fields that the path sets, "name" or "member.name"
	shape  string          // the pattern without names of fields, "/v1/provinces/*/resources/*:query"
}

// services are those with REST annotations. LinkService has none: nodes speak gRPC.
func services() []protoreflect.ServiceDescriptor {
	var list []protoreflect.ServiceDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		registryv1.File_kuasheng_registry_v1_registry_service_proto, cataloguev1.File_kuasheng_catalogue_v1_catalogue_service_proto,
		grantv1.File_kuasheng_grant_v1_grant_service_proto, queryv1.File_kuasheng_query_v1_query_service_proto,
		auditv1.File_kuasheng_audit_v1_audit_service_proto,
	} {
		for i := range file.Services().Len() {
			list = append(list, file.Services().Get(i))
		}
	}
	return list
}

// readRoutes reads the annotations that the generated code was made from, by HTTP method and pattern.
func readRoutes(services []protoreflect.ServiceDescriptor) (map[string]*route, error) {
	routes := map[string]*route{}
	for _, s := range services {
		for i := range s.Methods().Len() {
			m := s.Methods().Get(i)
			rule, ok := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
			if !ok || rule == nil {
				continue
			}
			input, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
			if err != nil {
				return nil, fmt.Errorf("finding the request of %s: %w", m.FullName(), err)
			}
			for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
				verb, pattern := bindingOf(binding)
				routes[verb+" "+pattern] = &route{
					method: fmt.Sprintf("/%s/%s", s.FullName(), m.Name()), input: input, body: binding.GetBody(), path: pathFields(pattern), shape: shapeOf(pattern),
				}
			}
		}
	}
	return routes, nil
}

func bindingOf(rule *annotations.HttpRule) (verb, pattern string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	}
	return "", ""
}

// pathFields are the fields between the braces of a pattern.
func pathFields(pattern string) map[string]bool {
	fields := map[string]bool{}
	for _, part := range strings.Split(pattern, "{")[1:] {
		name, _, _ := strings.Cut(part, "=")
		fields[strings.TrimSuffix(name, "}")] = true
	}
	return fields
}

var fieldName = regexp.MustCompile(`\{[^=}]*=([^}]*)\}`)

// shapeOf is a pattern without the names of fields: patterns of one shape match the same paths.
func shapeOf(pattern string) string { return fieldName.ReplaceAllString(pattern, "$1") }

// verbOf is the custom verb at the end of a path, with its colon; empty where there is none.
func verbOf(path string) string {
	last := path[strings.LastIndexByte(path, '/')+1:]
	if i := strings.LastIndexByte(last, ':'); i >= 0 {
		return last[i:]
	}
	return ""
}

// customShapes are the shapes of the routes that end in a custom verb.
func customShapes(routes map[string]*route) map[string]bool {
	shapes := map[string]bool{}
	for _, rt := range routes {
		if verbOf(rt.shape) != "" {
			shapes[rt.shape] = true
		}
	}
	return shapes
}

type routeKey struct{}

func withRoute(ctx context.Context, rt *route) context.Context {
	return context.WithValue(ctx, routeKey{}, rt)
}

func routeFrom(ctx context.Context) *route {
	rt, _ := ctx.Value(routeKey{}).(*route)
	return rt
}

// routeOf finds the route that the request matched.
func (g *Gateway) routeOf(r *http.Request) *route {
	pattern, ok := runtime.HTTPPattern(r.Context())
	if !ok {
		return nil
	}
	return g.routes[r.Method+" "+pattern.String()]
}

// check finds the first thing wrong with a body or URL parameters.
func (rt *route) check(contentType string, body []byte, params map[string]string, query string) *mistake {
	if rt.body == "" && len(body) > 0 {
		return &mistake{detail: "this method takes no body"}
	}
	if len(body) > 0 && !isJSON(contentType) {
		return &mistake{status: http.StatusUnsupportedMediaType, detail: "the body must be JSON, with the header Content-Type: application/json"}
	}
	m := rt.input.New()
	if len(body) > 0 {
		target := m
		if rt.body != "*" {
			target = m.Mutable(m.Descriptor().Fields().ByName(protoreflect.Name(rt.body))).Message()
		}
		if err := protojson.Unmarshal(body, target.Interface()); err != nil {
			return undecodable(err, outermost(body, target.Type()))
		}
	}
	for name := range rt.path {
		// The path would win in silence.
		if given := textAt(m, name); given != "" && given != params[name] {
			return &mistake{subject: name, detail: "the body names another one than the path"}
		}
	}
	return rt.checkQuery(query)
}

func (rt *route) checkQuery(query string) *mistake {
	if query == "" {
		return nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return &mistake{detail: "the URL parameters are not well-formed"}
	}
	for name, given := range values {
		f := rt.parameter(name)
		switch {
		case f == nil:
			return &mistake{subject: name, detail: "unknown URL parameter"}
		case len(given) > 1 && !f.IsList():
			return &mistake{subject: name, detail: "the URL parameter stands twice"}
		}
		for _, v := range given {
			if runtime.PopulateFieldFromPath(rt.input.New().Interface(), string(f.Name()), v) != nil {
				return &mistake{subject: name, detail: "the URL parameter's value is of the wrong type"} // the cause quotes it
			}
		}
	}
	return nil
}

// parameter finds the field that a URL parameter sets. Fields of the body or the path are none, and there are no nested ones.
func (rt *route) parameter(name string) protoreflect.FieldDescriptor {
	fields := rt.input.Descriptor().Fields()
	f := fields.ByJSONName(name)
	if f == nil {
		f = fields.ByTextName(name)
	}
	if f == nil || rt.body == "*" || string(f.Name()) == rt.body || rt.path[string(f.Name())] || f.IsMap() {
		return nil
	}
	return f
}

// textAt is the text of a field under a path of names; empty where any of them is not set.
func textAt(m protoreflect.Message, path string) string {
	name, rest, nested := strings.Cut(path, ".")
	f := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	switch {
	case f == nil || !m.Has(f):
		return ""
	case nested:
		return textAt(m.Get(f).Message(), rest)
	}
	return m.Get(f).String()
}
