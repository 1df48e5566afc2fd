package config

import (
	"cmp"
	"crypto/sha256"
	_ "embed" // template.yaml
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/ident"
)

//go:embed template.yaml
var templateText string

// Beginning is what `node init` knows when it writes a first file. Empty fields get samples that the operator replaces.
type Beginning struct {
	Region     string   // the member's region code
	Replica    string   // name of the replica; "node-1" if empty
	ExchangeID string   // SPIFFE ID of the exchange
	Addresses  []string // of the exchange
	LogKey     string   // verifier key of the exchange's access log
}

// Template is a commented file for a new node: it parses as it stands and publishes one resource from a SQLite file.
func Template(b Beginning) string {
	region, ok := ident.LookupRegion(b.Region)
	if !ok {
		region, _ = ident.LookupRegion("410000")
	}
	if b.ExchangeID == "" {
		b.ExchangeID = "spiffe://exchange.example/exchange"
	}
	if len(b.Addresses) == 0 {
		b.Addresses = []string{"127.0.0.1:7443"}
	}
	if b.LogKey == "" {
		b.LogKey = placeholderKey()
	}
	domain, _, _ := strings.Cut(strings.TrimPrefix(b.ExchangeID, "spiffe://"), "/")
	quoted := make([]string, len(b.Addresses))
	for i, a := range b.Addresses {
		quoted[i] = fmt.Sprintf("%q", a)
	}
	return strings.NewReplacer(
		"@REGION@", region.Code,
		"@REPLICA@", cmp.Or(b.Replica, "node-1"),
		"@REGION_ZH@", region.Chinese,
		"@REGION_EN@", region.English,
		"@CLASS@", "307"+region.Code+"001",
		"@EXCHANGE@", b.ExchangeID,
		"@DOMAIN@", domain,
		"@ADDRESSES@", strings.Join(quoted, ", "),
		"@LOG_KEY@", b.LogKey,
	).Replace(templateText)
}

// placeholderKey is a verifier key that nobody holds the private key of, since its bytes are a hash: a node that was
// left with it accepts no ticket at all.
func placeholderKey() string {
	digest := sha256.Sum256([]byte("kuasheng: replace this key with the one of your exchange"))
	key, err := note.NewEd25519VerifierKey("exchange.example/access", digest[:])
	if err != nil {
		panic(err) // a constant name and 32 bytes
	}
	return key
}
