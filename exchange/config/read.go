package config

import (
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/internal/yamlfile"
)

// maxFile is far above what the file can hold: it has no lists.
const maxFile = 1 << 20

// The bounds of a segment of the access log: a block of 4 MiB must fit, and offsets are kept in 32 bits. It is written in pages.
const (
	leastSegment = 8 << 20
	mostSegment  = 2 << 30
	page         = 4096
)

func kind() yamlfile.Kind {
	return yamlfile.Kind{Server: "exchange", Init: `"exchange init"`, Max: maxFile}
}

// Load reads the exchange's file. Mistakes come back as *yamlfile.Mistakes, which matches yamlfile.ErrMistakes.
func Load(path string) (*Exchange, error) {
	r, err := yamlfile.Load(path, kind())
	if err != nil {
		return nil, err
	}
	return read(path, r)
}

// Parse reads the exchange's file from memory. Relative paths are taken from the directory of name.
func Parse(name string, data []byte) (*Exchange, error) {
	return read(name, yamlfile.Parse(name, data, kind()))
}

func read(name string, r *yamlfile.Reader) (*Exchange, error) {
	t := r.Root("domain data_dir identity log_key listen", "segment_size")
	e := &Exchange{
		File: name, Domain: domain(r, t), DataDir: t.Path("data_dir"), LogKey: t.Path("log_key"),
		SegmentSize: t.Size("segment_size", 0, leastSegment, mostSegment, page),
	}
	e.Identity = identity(r, t, e.Domain)
	e.Listen = listen(r, t)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return e, nil
}

func domain(r *yamlfile.Reader, t *yamlfile.Table) string {
	s := t.Text("domain")
	if s != "" && !ValidDomain(s) {
		r.Add(t.Where("domain"), "`domain` is no trust domain; write the domain alone, as in exchange.example")
		return ""
	}
	return s
}

// ValidDomain reports whether a text is a trust domain, written without a scheme.
func ValidDomain(s string) bool {
	td, err := spiffeid.TrustDomainFromString(s)
	return err == nil && td.Name() == s
}

func identity(r *yamlfile.Reader, t *yamlfile.Table, domain string) Identity {
	c := t.Child("identity", "", "svid key bundles workload_api")
	if c == nil {
		return Identity{}
	}
	files := []string{"svid", "key", "bundles"}
	if !c.Has("workload_api") {
		for _, name := range files {
			if !c.Has(name) {
				r.Add(t.Key("identity"), "`identity` lacks `%s`; name the PEM files, or give `workload_api` instead of files", name)
			}
		}
		return Identity{Files: certs.Files{SVID: c.Path("svid"), Key: c.Path("key"), Bundles: bundles(r, c, domain)}}
	}
	for _, name := range files {
		if c.Has(name) {
			r.Add(c.Key(name), "`%s` cannot stand beside `workload_api`, which delivers it; remove one of them", name)
		}
	}
	socket := c.Text("workload_api")
	if socket != "" && !strings.HasPrefix(socket, "unix:///") && !strings.HasPrefix(socket, "tcp://") {
		r.Add(c.Where("workload_api"), "`workload_api` must be a socket, as in unix:///run/spire/agent.sock")
	}
	return Identity{WorkloadAPI: socket}
}

// bundles takes the exchange's own trust domain alone. What stands here is believed before the registry: a member's authority in the file
// could not be withdrawn by suspending the member.
func bundles(r *yamlfile.Reader, identity *yamlfile.Table, domain string) map[string]string {
	b := identity.Free("bundles")
	if b == nil {
		return nil
	}
	found := map[string]string{}
	for _, name := range b.Names() {
		if domain != "" && name != domain {
			r.Add(b.Key(name), "only the exchange's own domain `%s` belongs here; other authorities are registered with their members", domain)
		}
		found[name] = b.Path(name)
	}
	if domain != "" && !b.Has(domain) {
		r.Add(identity.Key("bundles"), "`bundles` lacks `%s`; name the PEM file with the exchange's own authorities", domain)
	}
	return found
}

func listen(r *yamlfile.Reader, t *yamlfile.Table) Listen {
	c := t.Child("listen", "grpc", "rest metrics")
	l := Listen{
		GRPC: c.Address("grpc", "0.0.0.0:7443"), REST: c.Address("rest", "0.0.0.0:7444"), Metrics: c.Address("metrics", "127.0.0.1:9463"),
	}
	taken := map[string]string{}
	for _, one := range []struct{ key, address string }{{"grpc", l.GRPC}, {"rest", l.REST}, {"metrics", l.Metrics}} {
		first, twice := taken[one.address]
		if twice && one.address != "" && !strings.HasSuffix(one.address, ":0") {
			r.Add(c.Where(one.key), "`%s` has the address of `%s`; give each its own port", one.key, first)
		}
		taken[one.address] = one.key
	}
	return l
}
