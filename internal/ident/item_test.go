package ident

import (
	"errors"
	"strings"
	"testing"
)

const (
	itemBase           = "000117005001"
	itemImplementation = "11510000MB0D00512U2000117005001"
	itemHandling       = itemImplementation + "01"
)

func TestParseServiceItem(t *testing.T) {
	for _, c := range []struct {
		in             string
		scope          ItemScope
		implementation string
		owner          string
		level          int
	}{
		{itemBase, ItemBase, "", "", 0},
		{itemImplementation, ItemImplementation, itemImplementation, "11510000MB0D00512U", 2},
		{itemHandling, ItemHandling, itemImplementation, "11510000MB0D00512U", 2},
	} {
		item, err := ParseServiceItem(c.in)
		if err != nil {
			t.Errorf("ParseServiceItem(%s): %v", c.in, err)
			continue
		}
		if item.String() != c.in || item.Scope() != c.scope || item.Base() != itemBase || item.Type() != ItemPermit ||
			item.Implementation() != c.implementation || item.Owner().String() != c.owner || item.Level() != c.level {
			t.Errorf("%s parsed to %+v", c.in, item)
		}
	}
	var zero ServiceItem
	if !zero.IsZero() || zero.Base() != "" || zero.Type() != "" || zero.Level() != 0 || zero.Contains(zero) {
		t.Error("the zero ServiceItem is not empty")
	}
}

func TestParseServiceItemRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrLength},
		{"32 characters", itemImplementation + "0", ErrLength},
		{"letters in base", "0001170050A1", ErrCharacter},
		{"unknown region", "990117005001", ErrRegion},
		{"unknown type", "001117005001", ErrStructure},
		{"type 00", "000017005001", ErrStructure},
		{"wrong USCC", strings.Replace(itemImplementation, "512U", "512A", 1), ErrCheck},
		{"level 0", strings.Replace(itemImplementation, "U2", "U0", 1), ErrCharacter},
		{"level 7", strings.Replace(itemImplementation, "U2", "U7", 1), ErrCharacter},
		{"letters in way", itemImplementation + "0A", ErrCharacter},
		{"full-width base", "０００１", ErrCharacter},
	} {
		item, err := ParseServiceItem(c.in)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		if err != nil && !item.IsZero() {
			t.Errorf("%s: a refused code comes back as %s", c.name, item)
		}
		checkSecret(t, err, c.in)
	}
}

func TestServiceItemContains(t *testing.T) {
	parse := func(s string) ServiceItem {
		item, err := ParseServiceItem(s)
		if err != nil {
			t.Fatal(err)
		}
		return item
	}
	base, implementation, handling := parse(itemBase), parse(itemImplementation), parse(itemHandling)
	other := parse(strings.Replace(itemImplementation, "U2", "U3", 1))
	for _, c := range []struct {
		a, b ServiceItem
		want bool
	}{
		{base, base, true}, {base, implementation, true}, {base, handling, true}, {base, other, true},
		{implementation, implementation, true}, {implementation, handling, true}, {implementation, base, false}, {implementation, other, false},
		{handling, handling, true}, {handling, implementation, false}, {handling, base, false},
		{implementation, ServiceItem{}, false}, {base, ServiceItem{}, false}, {base, parse("000117005002"), false},
	} {
		if got := c.a.Contains(c.b); got != c.want {
			t.Errorf("%s contains %s: %t, want %t", c.a, c.b, got, c.want)
		}
	}
}

func FuzzParseServiceItem(f *testing.F) {
	for _, s := range []string{itemBase, itemImplementation, itemHandling} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		item, err := ParseServiceItem(s)
		if err != nil {
			checkSecret(t, err, s)
			return
		}
		if item.String() != s || !item.Type().known() || !item.Contains(item) {
			t.Errorf("accepted %q", s)
		}
	})
}
