package ident

import (
	"errors"
	"strings"
	"testing"
)

func TestParseResourceCode(t *testing.T) {
	code, err := ParseResourceCode("307510000001/000012")
	if err != nil {
		t.Fatal(err)
	}
	if code.String() != "307510000001/000012" || code.ID() != "307510000001-000012" || code.Class() != "307510000001" ||
		code.Sequence() != "000012" || code.Category() != CategoryDepartmental || code.Item() != "07" || code.Base() {
		t.Errorf("parsed to %+v", code)
	}
	if same, err := ParseResourceID("307510000001-000012"); err != nil || same != code {
		t.Errorf("ParseResourceID = %+v, %v", same, err)
	}
	var zero ResourceCode
	if !zero.IsZero() || zero.String() != "" || zero.ID() != "" || zero.Base() {
		t.Error("the zero ResourceCode is not empty")
	}
}

func TestResourceCodeBase(t *testing.T) {
	for in, want := range map[string]bool{
		"101001/1": true, "102001/1": true, "103001/1": true, "104001/1": false, "105001/1": true, "201001/1": false, "307510/1": false,
	} {
		code, err := ParseResourceCode(in)
		if err != nil || code.Base() != want {
			t.Errorf("%s: base %t, %v, want %t", in, code.Base(), err, want)
		}
	}
}

func TestParseResourceCodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrStructure},
		{"hyphen", "307510000001-000012", ErrStructure},
		{"no sequence", "307510000001/", ErrLength},
		{"short class", "30751/000012", ErrLength},
		{"long class", strings.Repeat("3", 25) + "/1", ErrLength},
		{"long sequence", "307510000001/" + strings.Repeat("1", 13), ErrLength},
		{"huge", strings.Repeat("3", 1<<20) + "/1", ErrLength},
		{"letter in class", "30751000000A/000012", ErrCharacter},
		{"second slash", "307510000001/0000/2", ErrCharacter},
		{"full-width", "307510/１", ErrCharacter},
		{"category 4", "407510000001/000012", ErrStructure},
		{"basic 06", "106510000001/000012", ErrStructure},
		{"basic 00", "100510000001/000012", ErrStructure},
		{"dots", "307510000001/../01", ErrCharacter},
	} {
		if _, err := ParseResourceCode(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

func TestParseResourceName(t *testing.T) {
	const text = "provinces/410000/resources/307410000001-000012"
	name, err := ParseResourceName(text)
	if err != nil || name.String() != text || name.Region.Letter != "HA" || name.Code.String() != "307410000001/000012" {
		t.Errorf("ParseResourceName = %+v, %v", name, err)
	}
	for _, c := range []struct {
		in   string
		want error
	}{
		{"", ErrStructure},
		{"provinces/410000", ErrStructure},
		{"province/410000/resources/307410000001-000012", ErrStructure},
		{"provinces/410100/resources/307410000001-000012", ErrRegion},
		{"provinces/410000/resources/307410000001/000012", ErrStructure},
		{"provinces/410000/resources/307410000001-000012/fields", ErrLength},
		{"provinces/410000/resources/307410000001-12/fields", ErrCharacter},
		{" " + text, ErrStructure},
		{text + " ", ErrCharacter},
	} {
		if _, err := ParseResourceName(c.in); !errors.Is(err, c.want) {
			t.Errorf("%q: error %v, want %v", c.in, err, c.want)
		}
	}
}

func FuzzParseResourceName(f *testing.F) {
	f.Add("provinces/410000/resources/307410000001-000012")
	f.Add("provinces/660000/resources/101001-1")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := ParseResourceName(s)
		if err != nil {
			return
		}
		if name.String() != s {
			t.Errorf("%q came back as %q", s, name)
		}
		if code, err := ParseResourceCode(name.Code.String()); err != nil || code != name.Code {
			t.Errorf("code of %q does not parse again: %v", s, err)
		}
	})
}
