package ident

import (
	"errors"
	"strings"
	"testing"
)

// validUSCC are published codes of departments and of the exchange's operator.
var validUSCC = []string{
	"11100000000013338W", "11510000MB0D00512U", "11440000MB0D00440Q", "11410000MB0D00416U", "11310000MB0D0031XN",
	"11110000MB0D00117R", "11330000MB0D00336R", "11660000MB0D0066XM", "12100000MB0D00002C",
}

func TestParseUSCC(t *testing.T) {
	for _, s := range validUSCC {
		u, err := ParseUSCC(s)
		if err != nil {
			t.Errorf("ParseUSCC(%s): %v", s, err)
			continue
		}
		if u.String() != s || len(u.Warnings()) != 0 {
			t.Errorf("ParseUSCC(%s) = %s with warnings %v", s, u, u.Warnings())
		}
		if joined := u.Registrar() + u.Kind() + u.RegionCode() + u.Body() + u.Check(); joined != s {
			t.Errorf("parts of %s join to %s", s, joined)
		}
	}
}

func TestUSCCParts(t *testing.T) {
	u, err := ParseUSCC("11410000MB0D00416U")
	if err != nil {
		t.Fatal(err)
	}
	if u.Registrar() != "1" || u.Kind() != "1" || u.RegionCode() != "410000" || u.Body() != "MB0D00416" || u.Check() != "U" {
		t.Errorf("parts are %s %s %s %s %s", u.Registrar(), u.Kind(), u.RegionCode(), u.Body(), u.Check())
	}
	if r, ok := u.Region(); !ok || r.Letter != "HA" {
		t.Errorf("Region = %+v, %t", r, ok)
	}
	national, err := ParseUSCC("11100000000013338W")
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := national.Region(); ok {
		t.Errorf("a national registration has region %+v", r)
	}
	var zero USCC
	if !zero.IsZero() || zero.Body() != "" || zero.Warnings() != nil {
		t.Error("the zero USCC is not empty")
	}
}

func TestParseUSCCRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrLength},
		{"short", "11410000MB0D00416", ErrLength},
		{"long", "11410000MB0D00416UU", ErrLength},
		{"check", "11410000MB0D00416A", ErrCheck},
		{"swapped", "11410000MB0D00461U", ErrCheck},
		{"letter I", "11410000MB0DI0416U", ErrCharacter},
		{"small letter", "11410000mB0D00416U", ErrCharacter},
		{"letter in region", "11A10000MB0D00416U", ErrCharacter},
		{"full-width", "１１410000MB0D00416U", ErrCharacter},
		{"space", " 11410000MB0D00416", ErrCharacter},
		{"invalid UTF-8", "1141000\xff\xff\xff0D00416U", ErrCharacter},
		{"huge", strings.Repeat("1", 1<<20), ErrLength},
	} {
		_, err := ParseUSCC(c.in)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		checkSecret(t, err, c.in)
	}
}

func TestUSCCBodyWarning(t *testing.T) {
	// The body of a valid code with its check changed, and the outer check made right again.
	first17 := "11410000MB0D00417"
	check, err := USCCCheck(first17)
	if err != nil {
		t.Fatal(err)
	}
	u, err := ParseUSCC(first17 + string(check))
	if err != nil {
		t.Fatalf("a wrong body check must not refuse the code: %v", err)
	}
	if w := u.Warnings(); len(w) != 1 || !errors.Is(w[0], ErrBodyCheck) {
		t.Errorf("warnings %v, want ErrBodyCheck", w)
	}
}

func TestUSCCChecks(t *testing.T) {
	for _, s := range validUSCC {
		if c, err := USCCCheck(s[:17]); err != nil || c != s[17] {
			t.Errorf("USCCCheck(%s) = %c, %v", s[:17], c, err)
		}
		if c, err := USCCBodyCheck(s[8:16]); err != nil || c != s[16] {
			t.Errorf("USCCBodyCheck(%s) = %c, %v", s[8:16], c, err)
		}
	}
	if _, err := USCCCheck("short"); !errors.Is(err, ErrLength) {
		t.Errorf("USCCCheck of five characters: %v", err)
	}
	if _, err := USCCBodyCheck("MB0D-041"); !errors.Is(err, ErrCharacter) {
		t.Errorf("USCCBodyCheck with a hyphen: %v", err)
	}
}

// TestUSCCFindsTypingMistakes changes every character of a code into every other: the check system promises to find
// each.
func TestUSCCFindsTypingMistakes(t *testing.T) {
	const good = "11410000MB0D00416U"
	for i := range good {
		for _, c := range []byte(usccAlphabet) {
			if c == good[i] {
				continue
			}
			if _, err := ParseUSCC(good[:i] + string(c) + good[i+1:]); err == nil {
				t.Errorf("character %d changed to %c goes unnoticed", i+1, c)
			}
		}
	}
}

func FuzzParseUSCC(f *testing.F) {
	for _, s := range validUSCC {
		f.Add(s)
	}
	f.Add("1141000０MB0D00416U")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUSCC(s)
		if err != nil {
			checkSecret(t, err, s)
			return
		}
		if check, err := USCCCheck(s[:17]); err != nil || check != s[17] || u.String() != s {
			t.Errorf("accepted %q", s)
		}
		u.Warnings()
	})
}

// checkSecret fails if an error repeats the value that caused it.
func checkSecret(t *testing.T, err error, value string) {
	t.Helper()
	if err != nil && len(value) >= 12 && strings.Contains(err.Error(), value) {
		t.Errorf("the error repeats the value: %v", err)
	}
}
