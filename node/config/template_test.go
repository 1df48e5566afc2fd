package config

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kuasheng/kuasheng/internal/ident"
)

func TestTemplateParsesForEveryRegion(t *testing.T) {
	for _, r := range ident.Regions() {
		n, err := Parse(filepath.Join("etc", "node.yaml"), []byte(Template(Beginning{Region: r.Code})))
		if err != nil {
			t.Fatalf("%s: %v", r.Code, err)
		}
		if n.Region != r.Code {
			t.Errorf("got region %s, want %s", n.Region, r.Code)
		}
	}
}

func TestTemplateSaysWhatItShows(t *testing.T) {
	n, err := Parse(filepath.Join("etc", "node.yaml"), []byte(Template(Beginning{
		Region: "330000", ExchangeID: "spiffe://national.example/exchange", Addresses: []string{"a.example:1", "b.example:2"},
	})))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"national.example": filepath.Join("etc", "certs", "exchange-bundle.pem")}, n.Identity.Bundles); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a.example:1", "b.example:2"}, n.Exchange.Addresses); diff != "" {
		t.Error(diff)
	}
	r, ok := n.Resource("307330000001/000001")
	if !ok {
		t.Fatal("the template's resource is missing")
	}
	want := Limits{Timeout: 2 * time.Second, Rows: 200, AnswerBytes: defaultAnswerBytes, ExportRows: 100000, ExportTimeout: defaultExportTimeout, Connections: 8}
	if diff := cmp.Diff(want, r.Limits); diff != "" {
		t.Error(diff)
	}
	if f, _ := r.Field("balance"); f.Column != "BALANCE" || f.Scale != 2 || f.Type != TypeCurrency {
		t.Errorf("balance is read as %+v", f)
	}
	if f, _ := r.Field("name"); f.Mask != ident.MaskName || f.Scale != ScaleAsGiven || f.Column != "name" {
		t.Errorf("name is read as %+v", f)
	}
	if n.Policy.TicketAge != 30*time.Second || n.Policy.PseudonymKey != filepath.Join("etc", "secrets", "pseudonym.key") {
		t.Errorf("policy is read as %+v", n.Policy)
	}
}
