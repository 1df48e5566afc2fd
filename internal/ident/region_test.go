package ident

import (
	"slices"
	"strings"
	"testing"
)

func TestLookupRegion(t *testing.T) {
	got, ok := LookupRegion("410000")
	want := Region{Code: "410000", Letter: "HA", Chinese: "河南", English: "Henan"}
	if !ok || got != want {
		t.Errorf("LookupRegion(410000) = %+v, %t, want %+v", got, ok, want)
	}
	for _, code := range []string{"", "41", "410100", "410001", "990000", "100000", "41000０", "4100000", "HA0000"} {
		if r, ok := LookupRegion(code); ok {
			t.Errorf("LookupRegion(%q) = %+v, want nothing", code, r)
		}
	}
}

func TestRegions(t *testing.T) {
	all := Regions()
	if len(all) != 35 {
		t.Errorf("%d regions, want 34 and XPCC", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b Region) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("regions are not in the order of their codes")
	}
	seen := map[string]bool{}
	for _, r := range all {
		if found, ok := LookupRegion(r.Code); !ok || found != r {
			t.Errorf("LookupRegion(%q) = %+v, %t", r.Code, found, ok)
		}
		for _, name := range []string{r.Code, r.Letter, r.Chinese, r.English} {
			// XPCC has no English name beside its letters.
			if name == "" || seen[name] && name != "XPCC" {
				t.Errorf("region %s has an empty or repeated name %q", r.Code, name)
			}
			seen[name] = true
		}
	}
	all[0].Code = "changed"
	if Regions()[0].Code != "110000" {
		t.Error("a caller can change the table")
	}
}
