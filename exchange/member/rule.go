package member

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kuasheng/kuasheng/exchange/rule"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"golang.org/x/mod/sumdb/note"
)

// check holds the rules of a member, by itself and among the others, and brings its bundle into the form that is stored. Every mistake
// is reported at once.
func (s *Store) check(m *registryv1.Member, all members) error {
	var mistakes rule.Mistakes
	region := Region(m.GetName())
	if _, ok := ident.LookupRegion(region); !ok {
		mistakes.Argument("member.name", "no region of %s has this code", ident.RegionVersion)
	}
	mistakes.USCC("member.uscc", m.GetUscc())
	mistakes.Text("member.display_name_zh", m.GetDisplayNameZh())
	mistakes.Text("member.display_name_en", m.GetDisplayNameEn())
	if m.GetState() == registryv1.MemberState_MEMBER_STATE_UNSPECIFIED {
		mistakes.Argument("member.state", "must be ACTIVE or SUSPENDED")
	}
	checkJournals(&mistakes, m)

	domain, err := parseDomain(m.GetTrustDomain())
	if err != nil {
		mistakes.Argument("member.trust_domain", "%v", err)
		return mistakes.Err() // whether a bundle and other members agree with it cannot be said
	}
	if domain.Name() == s.state.TrustDomain() {
		mistakes.Violation("member.trust_domain", "it is the exchange's own")
	}
	bundle, err := parseBundle(domain, m.GetBundlePem())
	if err != nil {
		mistakes.Argument("member.bundle_pem", "%v", err)
	} else {
		m.BundlePem = encodeBundle(bundle)
		// Only for a new bundle: a member whose authorities have all expired must still be there to be suspended.
		if old, ok := all.records[region]; (!ok || old.member.GetBundlePem() != m.GetBundlePem()) && !usable(bundle, s.now()) {
			mistakes.Argument("member.bundle_pem", "none of its authorities is valid now")
		}
	}
	var duplicate error
	all.others(region, func(other *record) {
		if other.domain == domain {
			duplicate = refusal.About(auditv1.Reason_REASON_ALREADY_EXISTS, "member.trust_domain", "it belongs to another member")
		}
		if bundle != nil && other.shares(authorities(bundle)) {
			mistakes.Violation("member.bundle_pem", "an authority in it is that of %s, which could then speak for this member", other.member.GetName())
		}
	})
	if duplicate != nil {
		return duplicate
	}
	return mistakes.Err()
}

// parseDomain demands the plain, lower-case form: the library also takes whole SPIFFE IDs, which would then be stored.
func parseDomain(s string) (spiffeid.TrustDomain, error) {
	domain, err := spiffeid.TrustDomainFromString(s)
	if err != nil {
		return domain, err
	}
	if domain.Name() != s {
		return domain, errors.New("must be the domain alone, without spiffe://")
	}
	return domain, nil
}

// checkJournals demands that each key verifies notes and that its origin lies in the member's trust domain, so that no province's journal
// can pass for another's.
func checkJournals(mistakes *rule.Mistakes, m *registryv1.Member) {
	seen := make(map[string]bool)
	for i, key := range m.GetJournalKeys() {
		place := fmt.Sprintf("member.journal_keys[%d].verifier_key", i)
		verifier, err := note.NewVerifier(key.GetVerifierKey())
		if err != nil {
			mistakes.Argument(place, "not a verifier key in note format (origin+hash+base64)")
			continue
		}
		if !strings.HasPrefix(verifier.Name(), m.GetTrustDomain()+"/") {
			mistakes.Violation(place, "its origin must begin with the member's trust domain and a slash")
		}
		if seen[verifier.Name()] {
			mistakes.Violation(place, "another key of this member has the same origin")
		}
		seen[verifier.Name()] = true
	}
}
