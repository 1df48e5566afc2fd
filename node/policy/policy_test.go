package policy_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/policy"
)

func load(t *testing.T, key []byte, deny ...config.Deny) *policy.Policy {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pseudonym.key")
	if err := os.WriteFile(file, []byte(hex.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(config.Policy{PseudonymKey: file, Deny: deny})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestVeto denies what a rule names with all of its three sides, and nothing else.
func TestVeto(t *testing.T) {
	const portal, code = "spiffe://zhejiang.example/app/portal", "307410000001/000001"
	intent := &auditv1.Intent{
		Caller:  &auditv1.Caller{SpiffeId: portal, Region: "330000"},
		Purpose: &grantv1.Purpose{Code: "housing-loan-review", LegalBasis: grantv1.LegalBasis_LEGAL_BASIS_STATUTORY_DUTY, ServiceItem: "11510000MB0D00512U200011700500101"},
	}
	for _, c := range []struct {
		name                         string
		requester, resource, purpose string
		denied                       bool
	}{
		{"everything", "*", "*", "*", true},
		{"the requester", portal, "*", "*", true},
		{"another requester", portal + "2", "*", "*", false},
		{"a prefix of the requester", "spiffe://zhejiang.example/app/por", "*", "*", false},
		{"its province", "province:330000", "*", "*", true},
		{"another province", "province:440000", "*", "*", false},
		{"no province", "province:", "*", "*", false},
		{"the resource", "*", code, "*", true},
		{"another resource", "*", "307410000001/000002", "*", false},
		{"the purpose", "*", "*", "housing-loan-review", true},
		{"another purpose", "*", "*", "housing-loan", false},
		{"the legal basis", "*", "*", "statutory_duty", true},
		{"another legal basis", "*", "*", "consent", false},
		{"the base item", "*", "*", "000117005001", true},
		{"another base item", "*", "*", "000117005002", false},
		{"the implementation", "*", "*", "11510000MB0D00512U2000117005001", true},
		{"the handling item", "*", "*", "11510000MB0D00512U200011700500101", true},
		{"another department's implementation", "*", "*", "11440000MB0D00440Q2000117005001", false},
		{"two sides of three", portal, code, "consent", false},
		{"all three", portal, code, "housing-loan-review", true},
	} {
		p := load(t, make([]byte, 32), config.Deny{Requester: c.requester, Resource: c.resource, Purpose: c.purpose, Reason: "因为"})
		err := p.Veto(code, intent)
		if denied := errors.Is(err, refusal.New(auditv1.Reason_REASON_POLICY_DENIED, "")); denied != c.denied {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := load(t, make([]byte, 32)).Veto(code, intent); err != nil {
		t.Errorf("no rule: %v", err)
	}
}

// TestPseudonym gives one subject one name, under one key.
func TestPseudonym(t *testing.T) {
	const person = "51010018800101001X"
	p := load(t, make([]byte, 32))
	name := p.Pseudonym("citizen_identity_number", person)
	if len(name) != 32 || !bytes.Equal(name, p.Pseudonym("citizen_identity_number", " 51010018800101001x ")) {
		t.Error("the same person has two names, or one that is too short")
	}
	if bytes.Equal(name, p.Pseudonym("citizen_identity_number", "440100188506150028")) {
		t.Error("two people have one name")
	}
	if bytes.Equal(name, p.Pseudonym("", person)) {
		t.Error("another kind of subject has the same name")
	}
	if bytes.Equal(name, load(t, bytes.Repeat([]byte{1}, 32)).Pseudonym("citizen_identity_number", person)) {
		t.Error("another key gives the same name")
	}
}

// TestPseudonymKey refuses a key that is none: pseudonyms under it could be tried.
func TestPseudonymKey(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "short": "00ff", "not hexadecimal": string(bytes.Repeat([]byte("zz"), 32)), "long": string(bytes.Repeat([]byte("00"), 33))} {
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Load(config.Policy{PseudonymKey: file}); !errors.Is(err, policy.ErrPseudonymKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := policy.Load(config.Policy{PseudonymKey: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, policy.ErrPseudonymKey) {
		t.Errorf("no file: %v", err)
	}
}
