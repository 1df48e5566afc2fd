package certs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/kuasheng/kuasheng/certs"
)

func TestParseID(t *testing.T) {
	henan := spiffeid.RequireTrustDomainFromString("henan.example")
	for in, want := range map[string]certs.ID{
		"spiffe://henan.example/exchange":           {TrustDomain: henan, Role: certs.RoleExchange},
		"spiffe://henan.example/node":               {TrustDomain: henan, Role: certs.RoleNode},
		"spiffe://henan.example/admin/li":           {TrustDomain: henan, Role: certs.RoleAdmin, Name: "li"},
		"spiffe://henan.example/app/housing-portal": {TrustDomain: henan, Role: certs.RoleApplication, Name: "housing-portal"},
		"spiffe://henan.example/operator/7":         {TrustDomain: henan, Role: certs.RoleOperator, Name: "7"},
		"spiffe://henan.example/auditor/a--b":       {TrustDomain: henan, Role: certs.RoleAuditor, Name: "a--b"},
		"spiffe://henan.example/app/" + strings.Repeat("x", 63): {
			TrustDomain: henan, Role: certs.RoleApplication, Name: strings.Repeat("x", 63)},
	} {
		got, err := certs.ParseID(in)
		if err != nil {
			t.Errorf("ParseID(%q): %v", in, err)
			continue
		}
		if got != want {
			t.Errorf("ParseID(%q) = %+v, want %+v", in, got, want)
		}
		if got.String() != in {
			t.Errorf("String() = %q, want %q", got, in)
		}
		again, err := certs.NewID(got.TrustDomain, got.Role, got.Name)
		if err != nil || again != got {
			t.Errorf("NewID of the parts of %q = %+v, %v", in, again, err)
		}
	}
}

// wrongIDs name nobody.
var wrongIDs = []string{
	"",
	"henan.example/node",
	"https://henan.example/node",
	"spiffe://henan.example",
	"spiffe://henan.example/",
	"spiffe:///node",
	"spiffe://Henan.example/node",
	"spiffe://henan.example:443/node",
	"spiffe://user@henan.example/node",
	"spiffe://henan.example/Node",
	"spiffe://henan.example/node/",
	"spiffe://henan.example/node/1",
	"spiffe://henan.example/exchange/1",
	"spiffe://henan.example/nodes",
	"spiffe://henan.example/banana",
	"spiffe://henan.example/role(0)",
	"spiffe://henan.example/app",
	"spiffe://henan.example/app/",
	"spiffe://henan.example/app/a/b",
	"spiffe://henan.example/app/../node",
	"spiffe://henan.example/app/-a",
	"spiffe://henan.example/app/a-",
	"spiffe://henan.example/app/A",
	"spiffe://henan.example/app/a_b",
	"spiffe://henan.example/app/a.b",
	"spiffe://henan.example/app/%61",
	"spiffe://henan.example/app/门户",
	"spiffe://henan.example/app/a?x=1",
	"spiffe://henan.example/app/a#x",
	"spiffe://henan.example/app/" + strings.Repeat("x", 64),
	"spiffe://" + strings.Repeat("x", 256) + "/node",
}

func TestParseIDRefuses(t *testing.T) {
	for _, in := range wrongIDs {
		if got, err := certs.ParseID(in); !errors.Is(err, certs.ErrID) || !got.IsZero() {
			t.Errorf("ParseID(%q) = %+v, %v, want ErrID", in, got, err)
		}
	}
	if _, err := certs.FromSPIFFE(spiffeid.ID{}); !errors.Is(err, certs.ErrID) {
		t.Errorf("FromSPIFFE of nothing: %v, want ErrID", err)
	}
}

func TestNewIDRefuses(t *testing.T) {
	henan := spiffeid.RequireTrustDomainFromString("henan.example")
	for _, id := range []certs.ID{
		{},
		{TrustDomain: henan},
		{TrustDomain: henan, Role: certs.RoleNode, Name: "one"},
		{TrustDomain: henan, Role: certs.RoleApplication},
		{TrustDomain: henan, Role: certs.RoleApplication, Name: "a/../b"},
		{Role: certs.RoleNode},
	} {
		if got, err := certs.NewID(id.TrustDomain, id.Role, id.Name); !errors.Is(err, certs.ErrID) {
			t.Errorf("NewID(%+v) = %+v, %v, want ErrID", id, got, err)
		}
	}
	if diff := cmp.Diff("", certs.ID{}.String()); diff != "" {
		t.Errorf("the zero ID: %s", diff)
	}
}

func FuzzParseID(f *testing.F) {
	for _, in := range wrongIDs {
		f.Add(in)
	}
	f.Add("spiffe://henan.example/app/housing-portal")
	f.Fuzz(func(t *testing.T, in string) {
		id, err := certs.ParseID(in)
		if err != nil {
			if !errors.Is(err, certs.ErrID) {
				t.Errorf("ParseID(%q): %v does not wrap ErrID", in, err)
			}
			return
		}
		// What parses is the one way to write that ID: two strings for one caller would be two callers in a log.
		if id.String() != in {
			t.Errorf("ParseID(%q).String() = %q", in, id)
		}
	})
}
