package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/yamlfile"
)

var (
	// label is the form of names that become directory names and metric labels.
	label = pattern{regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`), "1 to 63 characters a-z, 0-9 and -, with no - at its ends"}

	// variable is the form of an environment variable's name.
	variable = pattern{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`), "the name of an environment variable, not its value"}
)

// node reads the whole file; nil where there is nothing to read.
func node(name string, r *yamlfile.Reader) *Node {
	t := r.Root("region replica data_dir identity exchange sources resources policy", "journal_key listen")
	if t == nil {
		return nil
	}
	n := &Node{
		File:       name,
		Region:     region(t),
		Replica:    matched(t, "replica", label),
		DataDir:    t.Path("data_dir"),
		JournalKey: t.Path("journal_key"),
		Identity:   identity(t),
		Exchange:   exchange(t),
		Metrics:    t.Child("listen", "", "metrics").Address("metrics", "127.0.0.1:9464"),
		Sources:    sources(t),
	}
	if !t.Has("journal_key") {
		n.JournalKey = filepath.Join(filepath.Dir(name), "secrets", "journal.key") // where `node init` puts it
	}
	n.Resources = resources(t, n)
	n.Policy = policy(t, n)
	return n
}

func region(t *yamlfile.Table) string {
	code := t.Text("region")
	if _, ok := ident.LookupRegion(code); code != "" && !ok {
		t.Add(t.Where("region"), "`region` is no province-level region code; write two digits and 0000, as in \"410000\" for Henan")
		return ""
	}
	return code
}

func identity(t *yamlfile.Table) Identity {
	c := t.Child("identity", "", "svid key bundles workload_api")
	if c == nil {
		return Identity{}
	}
	if !c.Has("workload_api") {
		for _, name := range []string{"svid", "key", "bundles"} {
			if !c.Has(name) {
				t.Add(c.At(), "`identity` lacks `%s`; name the PEM files, or give `workload_api` instead of files", name)
			}
		}
	}
	id := Identity{SVID: c.Path("svid"), Key: c.Path("key"), WorkloadAPI: c.Text("workload_api")}
	return id.finish(c)
}

// finish reads what depends on the choice between files and socket.
func (id Identity) finish(c *yamlfile.Table) Identity {
	if c.Has("workload_api") {
		for _, name := range []string{"svid", "key", "bundles"} {
			if c.Has(name) {
				c.Add(c.Key(name), "`%s` cannot stand beside `workload_api`, which delivers it; remove one of them", name)
			}
		}
		if id.WorkloadAPI != "" && !strings.HasPrefix(id.WorkloadAPI, "unix:///") && !strings.HasPrefix(id.WorkloadAPI, "tcp://") {
			c.Add(c.Where("workload_api"), "`workload_api` must be a socket, as in unix:///run/spire/agent.sock")
		}
		return id
	}
	b := c.Free("bundles")
	if b == nil {
		return id
	}
	id.Bundles = map[string]string{}
	for _, domain := range b.Names() {
		if _, err := certs.ParseID("spiffe://" + domain + "/node"); err != nil {
			c.Add(b.Key(domain), "`%.64s` is no trust domain; write the domain alone, as in exchange.example", domain)
		}
		id.Bundles[domain] = b.Path(domain)
	}
	if len(b.Names()) == 0 {
		c.Add(b.At(), "`bundles` is empty; name the PEM file of the exchange's trust domain")
	}
	return id
}

func exchange(t *yamlfile.Table) Exchange {
	c := t.Child("exchange", "id addresses log_key", "")
	if c == nil {
		return Exchange{}
	}
	e := Exchange{ID: c.Text("id"), LogKey: c.Text("log_key")}
	if id, err := certs.ParseID(e.ID); e.ID != "" && (err != nil || id.Role != certs.RoleExchange) {
		c.Add(c.Where("id"), "`id` is not an exchange's SPIFFE ID; write it as in spiffe://exchange.example/exchange")
	}
	if _, err := note.NewVerifier(e.LogKey); e.LogKey != "" && err != nil {
		c.Add(c.Where("log_key"), "`log_key` is no verifier key (name+hash+base64); ask the operator of the exchange for it and compare it by a second way")
	}
	// Sixteen addresses are more replicas than an exchange has; each costs a waiting time when all are down.
	e.Addresses = c.Addresses("addresses", 16, "127.0.0.1:7443")
	if c.Has("addresses") && len(c.Items("addresses")) == 0 {
		c.Add(c.Where("addresses"), "`addresses` names no exchange; give at least one host:port")
	}
	return e
}

// ticketAge bounds: below a second clocks that NTP keeps are too far apart, above five minutes a stolen ticket lives long.
const (
	defaultTicketAge = 30 * time.Second
	leastTicketAge   = time.Second
	mostTicketAge    = 5 * time.Minute
)
