package config

import (
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/internal/ident"
)

var (
	// label is the form of names that become directory names and metric labels.
	label = pattern{regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`), "1 to 63 characters a-z, 0-9 and -, with no - at its ends"}

	// variable is the form of an environment variable's name.
	variable = pattern{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`), "the name of an environment variable, not its value"}
)

// node reads the whole file.
func (r *reader) node(root ast.Node) *Node {
	t := r.table(root, "the file", "region replica data_dir identity exchange sources resources policy", "journal_key listen")
	if t == nil {
		return nil
	}
	n := &Node{
		Region:     t.region(),
		Replica:    t.matched("replica", label),
		DataDir:    t.path("data_dir"),
		JournalKey: t.path("journal_key"),
		Identity:   t.identity(),
		Exchange:   t.exchange(),
		Sources:    t.sources(),
	}
	if !t.has("journal_key") {
		n.JournalKey = filepath.Join(r.directory, "secrets", "journal.key") // where `node init` puts it
	}
	if listen := t.child("listen", "", "metrics"); listen != nil {
		n.Metrics = listen.address("metrics")
	}
	n.Resources = t.resources(n)
	n.Policy = t.policy(n)
	return n
}

func (t *table) region() string {
	code := t.text("region", maxText)
	if _, ok := ident.LookupRegion(code); code != "" && !ok {
		t.r.add(t.where("region"), "`region` is no province-level region code; write two digits and 0000, as in \"410000\" for Henan")
		return ""
	}
	return code
}

func (t *table) identity() Identity {
	c := t.child("identity", "", "svid key bundles workload_api")
	if c == nil {
		return Identity{}
	}
	if !c.has("workload_api") {
		for _, name := range []string{"svid", "key", "bundles"} {
			if !c.has(name) {
				t.r.add(c.at, "`identity` lacks `%s`; name the PEM files, or give `workload_api` instead of files", name)
			}
		}
	}
	id := Identity{SVID: c.path("svid"), Key: c.path("key"), WorkloadAPI: c.text("workload_api", maxText)}
	return id.finish(c)
}

// finish reads what depends on the choice between files and socket.
func (id Identity) finish(c *table) Identity {
	if c.has("workload_api") {
		for _, name := range []string{"svid", "key", "bundles"} {
			if c.has(name) {
				c.r.add(c.entries[name].key, "`%s` cannot stand beside `workload_api`, which delivers it; remove one of them", name)
			}
		}
		if id.WorkloadAPI != "" && !strings.HasPrefix(id.WorkloadAPI, "unix:///") && !strings.HasPrefix(id.WorkloadAPI, "tcp://") {
			c.r.add(c.where("workload_api"), "`workload_api` must be a socket, as in unix:///run/spire/agent.sock")
		}
		return id
	}
	b := c.free("bundles")
	if b == nil {
		return id
	}
	id.Bundles = map[string]string{}
	for _, domain := range b.names {
		if _, err := certs.ParseID("spiffe://" + domain + "/node"); err != nil {
			c.r.add(b.entries[domain].key, "`%.64s` is no trust domain; write the domain alone, as in exchange.example", domain)
		}
		id.Bundles[domain] = b.path(domain)
	}
	if len(b.names) == 0 {
		c.r.add(b.at, "`bundles` is empty; name the PEM file of the exchange's trust domain")
	}
	return id
}

func (t *table) exchange() Exchange {
	c := t.child("exchange", "id addresses log_key", "")
	if c == nil {
		return Exchange{}
	}
	e := Exchange{ID: c.text("id", maxText), LogKey: c.text("log_key", maxText)}
	if id, err := certs.ParseID(e.ID); e.ID != "" && (err != nil || id.Role != certs.RoleExchange) {
		c.r.add(c.where("id"), "`id` is not an exchange's SPIFFE ID; write it as in spiffe://exchange.example/exchange")
	}
	if _, err := note.NewVerifier(e.LogKey); e.LogKey != "" && err != nil {
		c.r.add(c.where("log_key"), "`log_key` is no verifier key (name+hash+base64); ask the operator of the exchange for it and compare it by a second way")
	}
	// Sixteen addresses are more replicas than an exchange has; each costs a waiting time when all are down.
	e.Addresses = c.texts("addresses", 16, 300)
	for _, n := range c.items("addresses") {
		if s, ok := n.(*ast.StringNode); ok && !isAddress(s.Value) {
			c.r.add(position(n), "an address must be host:port, as in 127.0.0.1:7443")
		}
	}
	if c.has("addresses") && len(c.items("addresses")) == 0 {
		c.r.add(c.where("addresses"), "`addresses` names no exchange; give at least one host:port")
	}
	return e
}

func (t *table) address(name string) string {
	s := t.text(name, 300)
	if s != "" && !isAddress(s) {
		t.r.add(t.where(name), "`%s` must be host:port, as in 127.0.0.1:9464", name)
		return ""
	}
	return s
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n > 0 || port == "0")
}

// ticketAge bounds: below a second clocks that NTP keeps are too far apart, above five minutes a stolen ticket lives long.
const (
	defaultTicketAge = 30 * time.Second
	leastTicketAge   = time.Second
	mostTicketAge    = 5 * time.Minute
)
