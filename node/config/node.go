package config

import (
	"time"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// Node is a node's whole file, checked. Paths are absolute or relative to the working directory, ready to be opened.
type Node struct {
	File    string // where it was read from
	Region  string // the member's region code, as in "410000"
	Replica string // names this replica's journal
	DataDir string // the replica's own state; never shared between replicas
	// JournalKey is the file with the signer key of the replica's journal: whoever has it can write another journal in its name.
	JournalKey string
	Identity   Identity
	Exchange   Exchange
	Metrics    string // host:port for health and Prometheus; empty for none
	Sources    []Source
	Resources  []Resource
	Policy     Policy
}

// Source finds a source by name.
func (n *Node) Source(name string) (Source, bool) {
	for _, s := range n.Sources {
		if s.Name == name {
			return s, true
		}
	}
	return Source{}, false
}

// Resource finds a resource by its code.
func (n *Node) Resource(code string) (Resource, bool) {
	for i := range n.Resources { // by index: a policy of thousands of rules looks here for each
		if n.Resources[i].Code == code {
			return n.Resources[i], true
		}
	}
	return Resource{}, false
}

// Identity says where the node's SVID comes from: files, or a SPIFFE Workload API socket.
type Identity struct {
	SVID, Key   string            // PEM files, re-read when they change
	Bundles     map[string]string // trust domain → PEM file
	WorkloadAPI string            // as in unix:///run/spire/agent.sock; excludes the files
}

// Exchange is the exchange that the node attaches to.
type Exchange struct {
	ID        string   // its SPIFFE ID
	Addresses []string // host:port, tried in turn
	LogKey    string   // verifier key of its access log: no ticket is accepted that this key did not sign
}

// Policy is the province's veto. It holds whatever the exchange has granted.
type Policy struct {
	Deny         []Deny
	Mask         []FieldMask
	PseudonymKey string        // file with the key that turns subjects into pseudonyms; it never leaves the node
	TicketAge    time.Duration // oldest intent accepted
}

// Any in a deny rule matches everything.
const Any = "*"

// Deny refuses requests that match all three of its sides.
type Deny struct {
	Requester string // a SPIFFE ID, "province:330000", or Any
	Resource  string // a resource code, or Any
	Purpose   string // a service item code or a legal basis, or Any
	Reason    string // told to the requester
	At        Position
}

// FieldMask masks a field for everyone, in addition to the field's own mask.
type FieldMask struct {
	Resource string
	Field    string
	With     ident.Mask
	At       Position
}
