package source

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/kuasheng/kuasheng/node/config"
)

// service answers one resource from an HTTP service that speaks JSON.
type service struct {
	base    string
	request config.Request
	header  http.Header
	inPath  []string // parameters that stand in the path
	clock   clock
	client  *http.Client
}

// reference is a parameter in a template.
var reference = regexp.MustCompile(`\{([a-z][a-z0-9_]{0,63})\}`)

func openService(r config.Resource, src config.Source, c clock) (*service, error) {
	if r.Request == nil {
		return nil, fmt.Errorf("%w: the resource has no request", ErrMapping)
	}
	authorities, err := readAuthorities(src.CA)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", src.Name, err)
	}
	s := &service{base: strings.TrimRight(src.BaseURL, "/"), request: *r.Request, clock: c, header: http.Header{}}
	for _, m := range reference.FindAllStringSubmatch(r.Request.Path, -1) {
		s.inPath = append(s.inPath, m[1])
	}
	for name, env := range src.HeaderEnv {
		value, err := variable(src.Name, env)
		if err != nil {
			return nil, err
		}
		s.header.Set(name, value)
	}
	s.header.Set("Accept", "application/json")
	s.header.Set("User-Agent", "kuasheng-node")
	if r.Request.Method == http.MethodPost {
		s.header.Set("Content-Type", "application/json")
	}
	s.client = &http.Client{
		Transport: &http.Transport{
			// No proxy from the environment: personal data goes where the node's file says and nowhere else.
			TLSClientConfig:        &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    dialTimeout,
			MaxIdleConnsPerHost:    r.Limits.Connections + maxExports,
			IdleConnTimeout:        connectionIdle,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		// A redirect would carry parameters and credentials to an address that nobody approved.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// readAuthorities gives nil, the system's, when no file is named.
func readAuthorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the service's authorities: %w: %w", ErrUnavailable, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the service's authorities: %w: %s holds no PEM certificate", ErrUnavailable, file)
	}
	return pool, nil
}

// check leaves everything to the sample that Set.Check reads: a service describes nothing before it is asked.
func (s *service) check(context.Context, []*column, map[string]argument) []Finding { return nil }

func (s *service) close() { s.client.CloseIdleConnections() }

// validate keeps a value from climbing out of its place in the path. Escaping does not help: servers resolve ".." and
// empty segments before they route.
func (s *service) validate(args map[string]argument) error {
	for _, name := range s.inPath {
		switch a := args[name]; {
		case !a.given, a.text == "":
			return &ParameterError{name, "is required: it is part of the service's address"}
		case a.text == ".", a.text == "..", strings.ContainsAny(a.text, `/\`):
			return &ParameterError{name, "cannot stand in the service's address"}
		}
	}
	return nil
}

// text is an argument as the service gets it: times in the source's zone.
func (s *service) text(a argument) string {
	if a.given && a.kind == config.TypeTime {
		return s.clock.instant(a.instant)
	}
	return a.text
}

// fill puts arguments into a template; used says whether a parameter had a value, or the template none to fill.
func (s *service) fill(template string, args map[string]argument, escape func(string) string) (text string, used bool) {
	names := 0
	text = reference.ReplaceAllStringFunc(template, func(m string) string {
		names++
		a := args[m[1:len(m)-1]]
		used = used || a.given
		return escape(s.text(a))
	})
	return text, used || names == 0
}

func (s *service) build(ctx context.Context, args map[string]argument) (*http.Request, error) {
	path, _ := s.fill(s.request.Path, args, url.PathEscape)
	query := url.Values{}
	plain := func(v string) string { return v }
	for _, p := range s.request.Query {
		if v, used := s.fill(p.Value, args, plain); used {
			query.Add(p.Name, v)
		}
	}
	address := s.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var body io.Reader
	if s.request.Method == http.MethodPost {
		b := []byte{'{'}
		for _, p := range s.request.Body {
			v, used := s.fill(p.Value, args, plain)
			if !used {
				continue
			}
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = appendString(append(appendString(b, p.Name), ':'), v)
		}
		body = bytes.NewReader(append(b, '}'))
	}
	req, err := http.NewRequestWithContext(ctx, s.request.Method, address, body)
	if err != nil {
		return nil, fmt.Errorf("%w: the request's address is no URL", ErrMapping) // err quotes it, with values
	}
	req.Header = s.header.Clone()
	return req, nil
}

func (s *service) query(ctx context.Context, columns []*column, args map[string]argument, export bool) (cursor, error) {
	req, err := s.build(ctx, args)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, interrupted(ctx, "calling the service", err, ErrUnavailable)
	}
	if err := status(resp.StatusCode); err != nil {
		resp.Body.Close()
		return nil, fmt.Errorf("calling the service: %w", err)
	}
	d := newDocument(resp.Body, columns, s.request.MissingIsNull, export)
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusNoContent {
		d.state = finished
		return d, nil
	}
	if err := d.open(ctx, s.request.Rows); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return d, nil
}

// status maps what the service says to our sentinels. Its body is not read: it may quote what was asked.
func status(code int) error {
	sentinel := ErrMapping
	switch {
	case code == http.StatusOK, code == http.StatusNotFound, code == http.StatusNoContent:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusGatewayTimeout:
		sentinel = ErrTimeout
	case code == http.StatusTooManyRequests:
		sentinel = ErrBusy
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired, code >= 500:
		sentinel = ErrUnavailable
	}
	return fmt.Errorf("%w: the service answered with status %d", sentinel, code)
}

// interrupted classifies an error of the connection. net/http's errors quote the URL, so only their kind is kept.
func interrupted(ctx context.Context, doing string, err error, otherwise error) error {
	if over := ended(ctx, err); over != nil {
		return fmt.Errorf("%s: %w", doing, over)
	}
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%s: %w: its certificate is of an unknown authority; name the authority in ca", doing, ErrUnavailable)
	case errors.As(err, &host):
		return fmt.Errorf("%s: %w: its certificate is for another host", doing, ErrUnavailable)
	case errors.As(err, &invalid):
		return fmt.Errorf("%s: %w: its certificate is expired or not fit for a server", doing, ErrUnavailable)
	}
	return fmt.Errorf("%s: %w", doing, otherwise)
}
