package certs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// ErrID means that a string or certificate names nobody: it is no SPIFFE ID, or not one of the scheme in the package comment.
var ErrID = errors.New("not an ID of the exchange's scheme")

// Role is the part a party plays. Roles are never combined in one ID: separation of powers rests on it.
type Role uint8

// The zero Role is nobody's, so that an ID never filled in has no rights by accident.
const (
	RoleExchange    Role = iota + 1 // the exchange itself
	RoleAdmin                       // an administrator of the exchange
	RoleNode                        // a province's node
	RoleApplication                 // an application system that queries
	RoleOperator                    // a person of a bureau
	RoleAuditor                     // reads the access log, never data
)

// String returns the role as it stands in a SPIFFE ID.
func (r Role) String() string {
	switch r {
	case RoleExchange:
		return "exchange"
	case RoleAdmin:
		return "admin"
	case RoleNode:
		return "node"
	case RoleApplication:
		return "app"
	case RoleOperator:
		return "operator"
	case RoleAuditor:
		return "auditor"
	default:
		return fmt.Sprintf("role(%d)", uint8(r))
	}
}

// named says whether IDs of the role end in a name. A trust domain has one exchange or one node, hence no name for these.
func (r Role) named() bool { return r != RoleExchange && r != RoleNode }

func roleOf(segment string) (Role, bool) {
	for r := RoleExchange; r <= RoleAuditor; r++ {
		if r.String() == segment {
			return r, true
		}
	}
	return 0, false
}

// ID is a parsed SPIFFE ID. IDs are comparable with == and usable as map keys.
//
// An ID says who, not whether that is allowed: any authority can sign "/admin/…" in its own trust domain, so rights always depend on
// the trust domain as well as the role.
type ID struct {
	TrustDomain spiffeid.TrustDomain
	Role        Role
	Name        string // for example "housing-portal"; empty for RoleExchange and RoleNode
}

const (
	// maxTrustDomain is the limit of the SPIFFE standard. It bounds IDs in records, keys and log lines.
	maxTrustDomain = 255
	// maxName is the limit of a DNS label, so that a name can serve as one.
	maxName = 63
)

// NewID puts an ID together from its parts, under the same rules as ParseID.
func NewID(td spiffeid.TrustDomain, role Role, name string) (ID, error) {
	path := "/" + role.String()
	if role.named() || name != "" {
		path += "/" + name
	}
	id, err := spiffeid.FromPath(td, path)
	if err != nil {
		return ID{}, fmt.Errorf("composing an ID: %w: %w", ErrID, err)
	}
	return FromSPIFFE(id)
}

// ParseID parses a SPIFFE ID such as "spiffe://henan.example/app/housing-portal". Errors wrap ErrID.
func ParseID(s string) (ID, error) {
	id, err := spiffeid.FromString(s)
	if err != nil {
		return ID{}, fmt.Errorf("parsing ID %.128q: %w: %w", s, ErrID, err)
	}
	return FromSPIFFE(id)
}

// FromSPIFFE narrows a SPIFFE ID to the exchange's scheme. Errors wrap ErrID.
func FromSPIFFE(id spiffeid.ID) (ID, error) {
	refuse := func(why string) (ID, error) {
		return ID{}, fmt.Errorf("parsing ID %.128q: %w: %s", id.String(), ErrID, why)
	}
	td := id.TrustDomain()
	if td.IsZero() {
		return refuse("it is empty")
	}
	if len(td.Name()) > maxTrustDomain {
		return refuse("its trust domain is longer than 255 characters")
	}
	segment, name, hasName := strings.Cut(strings.TrimPrefix(id.Path(), "/"), "/")
	role, ok := roleOf(segment)
	switch {
	case !ok:
		return refuse("its path starts with none of /exchange /admin /node /app /operator /auditor")
	case !role.named() && hasName:
		return refuse("nothing may follow /" + segment)
	case role.named() && !validName(name):
		return refuse("/" + segment + "/ must be followed by one name of 1 to 63 characters a-z, 0-9 and -, with no - at its ends")
	}
	return ID{TrustDomain: td, Role: role, Name: name}, nil
}

// validName holds the pattern [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?
func validName(name string) bool {
	if name == "" || len(name) > maxName || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// IsZero reports whether the ID names nobody.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the SPIFFE ID, or "" for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	s := id.TrustDomain.IDString() + "/" + id.Role.String()
	if id.Name != "" {
		s += "/" + id.Name
	}
	return s
}
