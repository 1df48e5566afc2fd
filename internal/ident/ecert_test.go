package ident

import (
	"errors"
	"strings"
	"testing"
)

const (
	ecertFive = "1.2.156.3005.2.11100000000013338W032.11510000MB0D00512U.510000202500000017.001.5"
	ecertTwo  = "1.2.156.3005.2.11100000000013338W032.11510000MB0D00512U.510000202500000017.002.3"
	ecertH    = "1.2.156.3005.2.11510000MB0D00512U001.11510000MB0D00512U.C2026000001.001.H"
)

func TestParseECertID(t *testing.T) {
	for _, s := range []string{ecertFive, ecertTwo, ecertH} {
		id, err := ParseECertID(s)
		if err != nil {
			t.Errorf("ParseECertID(%s): %v", s, err)
			continue
		}
		check, err := ECertIDCheck(id.Type(), id.Issuer(), id.Serial(), id.Version())
		if err != nil {
			t.Errorf("ECertIDCheck: %v", err)
		}
		joined := ecertRoot + "." + strings.Join([]string{id.Type(), id.Issuer(), id.Serial(), id.Version(), string(check)}, ".")
		if joined != s || id.String() != s || len(id.Flags()) != 0 {
			t.Errorf("%s parsed to %s, flags %v", s, joined, id.Flags())
		}
	}
}

func TestParseECertIDLenient(t *testing.T) {
	regionIssuer, err := ECertIDCheck("11510000MB0D00512U001", "510000", "C2026000001", "001")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, in string
		want     []error
	}{
		{"right", ecertH, nil},
		{"wrong check", ecertH[:len(ecertH)-1] + "5", []error{ErrCheck}},
		{"region as issuer", "1.2.156.3005.2.11510000MB0D00512U001.510000.C2026000001.001." + string(regionIssuer), []error{ErrIssuerRegion}},
		{"both", "1.2.156.3005.2.11510000MB0D00512U001.510000.C2026000009.001." + string(regionIssuer), []error{ErrIssuerRegion, ErrCheck}},
		{"wrong USCC of issuer", "1.2.156.3005.2.11510000MB0D00512U001.11510000MB0D00512A.C2026000001.001.H", []error{ErrCheck, ErrCheck}},
	} {
		id, err := ParseECertIDLenient(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		flags := id.Flags()
		if len(flags) != len(c.want) {
			t.Errorf("%s: flags %v, want %v", c.name, flags, c.want)
			continue
		}
		for i, want := range c.want {
			if !errors.Is(flags[i], want) {
				t.Errorf("%s: flag %d is %v, want %v", c.name, i, flags[i], want)
			}
		}
		if _, err := ParseECertID(c.in); (err == nil) != (len(c.want) == 0) || err != nil && !errors.Is(err, c.want[0]) {
			t.Errorf("%s: strict parsing gives %v", c.name, err)
		}
	}
}

func TestParseECertIDRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrStructure},
		{"other root", "1.2.156.3005.3.x", ErrStructure},
		{"root alone", ecertRoot + ".", ErrStructure},
		{"missing part", strings.TrimSuffix(ecertH, ".H"), ErrStructure},
		{"part too many", ecertH + ".1", ErrStructure},
		{"a megabyte of dots", ecertRoot + strings.Repeat(".", 1<<20), ErrStructure},
		{"short type", strings.Replace(ecertH, "U001.", "U01.", 1), ErrLength},
		{"letters in type number", strings.Replace(ecertH, "U001.", "U00A.", 1), ErrCharacter},
		{"issuer of seven", strings.Replace(ecertH, ".11510000MB0D00512U.", ".5100000.", 1), ErrLength},
		{"letters in region", strings.Replace(ecertH, ".11510000MB0D00512U.", ".51000A.", 1), ErrCharacter},
		{"empty serial", strings.Replace(ecertH, "C2026000001", "", 1), ErrLength},
		{"long serial", strings.Replace(ecertH, "C2026000001", strings.Repeat("1", 65), 1), ErrLength},
		{"small letter in serial", strings.Replace(ecertH, "C2026", "c2026", 1), ErrCharacter},
		{"version of two", strings.Replace(ecertH, ".001.H", ".01.H", 1), ErrLength},
		{"check of two", ecertH + "H", ErrLength},
		{"small check", strings.TrimSuffix(ecertH, "H") + "h", ErrCharacter},
	} {
		for mode, parse := range map[string]func(string) (ECertID, error){"strict": ParseECertID, "lenient": ParseECertIDLenient} {
			_, err := parse(c.in)
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: error %v, want %v", c.name, mode, err, c.want)
			}
			checkSecret(t, err, c.in)
		}
	}
	if _, err := ECertIDCheck("a", "", "", ""); !errors.Is(err, ErrCharacter) {
		t.Errorf("ECertIDCheck with a small letter: %v", err)
	}
}

func TestECertIDSerialOfSixtyFour(t *testing.T) {
	serial := strings.Repeat("Z", 64)
	check, err := ECertIDCheck("11510000MB0D00512U001", "11510000MB0D00512U", serial, "001")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseECertID("1.2.156.3005.2.11510000MB0D00512U001.11510000MB0D00512U." + serial + ".001." + string(check)); err != nil {
		t.Error(err)
	}
}

func FuzzParseECertID(f *testing.F) {
	for _, s := range []string{ecertFive, ecertTwo, ecertH} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lenient, err := ParseECertIDLenient(s)
		checkSecret(t, err, s)
		strict, strictErr := ParseECertID(s)
		switch {
		case err != nil && strictErr == nil:
			t.Error("strict parsing accepts what lenient parsing refuses")
		case strictErr == nil && (strict.String() != s || len(lenient.Flags()) != 0):
			t.Errorf("accepted %q with flags %v", s, lenient.Flags())
		case err == nil && strictErr != nil && len(lenient.Flags()) == 0:
			t.Error("strict parsing refuses what has no flag")
		}
	})
}
