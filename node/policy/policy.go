// Package policy is the province's veto: whatever the exchange has granted, a node refuses what its own file denies.
package policy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/node/config"
)

// ErrPseudonymKey means that the key of the subject pseudonyms cannot be used.
var ErrPseudonymKey = errors.New("unusable pseudonym key")

// pseudonymDomain keeps a pseudonym from being any other keyed hash of the same value.
const pseudonymDomain = "kuasheng subject v1\n"

// checkDomain is that of Check.
const checkDomain = "kuasheng pseudonym key check v1\n"

// Policy decides and makes pseudonyms.
type Policy struct {
	deny []config.Deny
	key  []byte
}

// Load reads the policy of a node's file and its pseudonym key.
func Load(p config.Policy) (*Policy, error) {
	text, err := os.ReadFile(p.PseudonymKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; `node init` makes one", ErrPseudonymKey, err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != sha256.Size {
		return nil, fmt.Errorf("%w: %s must hold %d bytes in hexadecimal", ErrPseudonymKey, p.PseudonymKey, sha256.Size)
	}
	return &Policy{deny: p.Deny, key: key}, nil
}

// With is the policy of a changed file, with the same key: whoever swaps the key's file under a running node must not split its pseudonyms.
func (p *Policy) With(changed config.Policy) *Policy { return &Policy{deny: changed.Deny, key: p.key} }

// Check is a digest by which the key is recognised. It is under a domain of its own, so that it is no pseudonym of anything.
func (p *Policy) Check() [sha256.Size]byte {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(checkDomain))
	return [sha256.Size]byte(mac.Sum(nil))
}

// Veto returns a refusal where a rule denies the intent, which asks for the resource with the code given.
func (p *Policy) Veto(code string, intent *auditv1.Intent) error {
	for _, d := range p.deny {
		if matchesRequester(d.Requester, intent.GetCaller()) && matches(d.Resource, code) && matchesPurpose(d.Purpose, intent.GetPurpose()) {
			return refusal.New(auditv1.Reason_REASON_POLICY_DENIED, "%s", d.Reason)
		}
	}
	return nil
}

func matches(rule, value string) bool { return rule == config.Any || rule == value }

func matchesRequester(rule string, caller *auditv1.Caller) bool {
	if region, ok := strings.CutPrefix(rule, "province:"); ok {
		return region == caller.GetRegion()
	}
	return matches(rule, caller.GetSpiffeId())
}

// matchesPurpose takes a rule as a purpose code, a legal basis ("consent"), or a service item: a base code covers its implementations.
func matchesPurpose(rule string, purpose *grantv1.Purpose) bool {
	basis := strings.ToLower(strings.TrimPrefix(purpose.GetLegalBasis().String(), "LEGAL_BASIS_"))
	item := purpose.GetServiceItem()
	return matches(rule, purpose.GetCode()) || rule == basis || rule == item || len(rule) == 12 && baseItem(item) == rule ||
		len(rule) > 12 && strings.HasPrefix(item, rule)
}

// baseItem is the base code inside an implementation or handling code: USCC 18, level 1, base 12.
func baseItem(item string) string {
	if len(item) >= 31 {
		return item[19:31]
	}
	return item
}

// Pseudonym names a subject without telling who it is. The key never leaves the node: the exchange cannot try identity numbers, and yet the
// province can say who has looked at a person. Format keeps apart a person and an enterprise of the same spelling.
func (p *Policy) Pseudonym(format, subject string) []byte {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(pseudonymDomain))
	mac.Write([]byte(format + "\n"))
	mac.Write([]byte(strings.ToUpper(strings.TrimSpace(subject))))
	return mac.Sum(nil)
}
