package ident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// validCitizenIDs are the examples of GB 11643 and synthetic numbers.
var validCitizenIDs = []string{
	"11010519491231002X", "440524188001010014", "51010018800101001X", "440100188506150028", "659001189203030056",
}

func TestParseCitizenID(t *testing.T) {
	for _, c := range []struct {
		in, area, region string
		birth            time.Time
		sex              Sex
	}{
		{"11010519491231002X", "110105", "BJ", time.Date(1949, 12, 31, 0, 0, 0, 0, time.UTC), Female},
		{"440524188001010014", "440524", "GD", time.Date(1880, 1, 1, 0, 0, 0, 0, time.UTC), Male},
		{"51010018800101001X", "510100", "SC", time.Date(1880, 1, 1, 0, 0, 0, 0, time.UTC), Male},
		{"440100188506150028", "440100", "GD", time.Date(1885, 6, 15, 0, 0, 0, 0, time.UTC), Female},
		{"659001189203030056", "659001", "XJ", time.Date(1892, 3, 3, 0, 0, 0, 0, time.UTC), Male},
	} {
		id, err := ParseCitizenID(c.in)
		if err != nil {
			t.Errorf("ParseCitizenID(%s): %v", c.in, err)
			continue
		}
		if id.Number() != c.in || id.AreaCode() != c.area || id.Region().Letter != c.region ||
			!id.BirthDate().Equal(c.birth) || id.Sex() != c.sex {
			t.Errorf("%s parsed to %s %s %s %s", c.in, id.AreaCode(), id.Region().Letter, id.BirthDate(), id.Sex())
		}
		if check, err := CitizenIDCheck(c.in[:17]); err != nil || check != c.in[17] {
			t.Errorf("CitizenIDCheck(%s) = %c, %v", c.in[:17], check, err)
		}
	}
}

// citizenID completes 17 digits with their check character.
func citizenID(t testing.TB, first17 string) string {
	t.Helper()
	check, err := CitizenIDCheck(first17)
	if err != nil {
		t.Fatal(err)
	}
	return first17 + string(check)
}

func TestParseCitizenIDRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrLength},
		{"fifteen digits", "440524800101001", ErrLength},
		{"long", "440524188001010014 ", ErrLength},
		{"huge", strings.Repeat("4", 1<<20), ErrLength},
		{"check", "440524188001010015", ErrCheck},
		{"small x", "11010519491231002x", ErrCharacter},
		{"X inside", "1101051949123100X2", ErrCharacter},
		{"full-width", "４40524188001010014", ErrCharacter},
		{"all full-width", "４４０５２４１８８００１０１００１４", ErrCharacter},
		{"29 February of a common year", "410100189002290034", ErrDate},
		{"29 February 1900", citizenID(t, "41010019000229003"), ErrDate},
		{"month 13", citizenID(t, "41010018901301003"), ErrDate},
		{"day 0", citizenID(t, "41010018900100003"), ErrDate},
		{"year 1799", citizenID(t, "41010017991231003"), ErrDate},
		{"year 2100", citizenID(t, "41010021000101003"), ErrDate},
		{"region 00", citizenID(t, "00010018900101003"), ErrRegion},
		{"region 66", citizenID(t, "66010018900101003"), ErrRegion},
	} {
		_, err := ParseCitizenID(c.in)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		checkSecret(t, err, c.in)
	}
}

func TestCitizenIDOfTaiwanResident(t *testing.T) {
	id, err := ParseCitizenID(citizenID(t, "83000018900101003"))
	if err != nil || id.Region().Letter != "TW" {
		t.Errorf("region %s, error %v", id.Region().Letter, err)
	}
}

func TestCitizenIDKeepsItsNumber(t *testing.T) {
	const number = "440524188001010014"
	id, err := ParseCitizenID(number)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %s %+v %#v %q ", id, id, id, id, id)
	fmt.Fprintf(&out, "%v %+v %#v ", []CitizenID{id}, struct{ ID CitizenID }{id}, struct{ ID CitizenID }{id})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("seen", "id", id)
	slog.New(slog.NewTextHandler(&out, nil)).Info("seen", "id", id)
	if err := json.NewEncoder(&out).Encode(id); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), number) || strings.Contains(out.String(), "18800101") {
		t.Errorf("the number shows in %s", out.String())
	}
	if !strings.Contains(out.String(), "440524********0014") {
		t.Errorf("the masked number is missing in %s", out.String())
	}
	var zero CitizenID
	if !zero.IsZero() || zero.String() != "" || zero.Sex() != 0 || !zero.BirthDate().IsZero() || zero.Region() != (Region{}) {
		t.Error("the zero CitizenID is not empty")
	}
}

func FuzzParseCitizenID(f *testing.F) {
	for _, s := range validCitizenIDs {
		f.Add(s)
	}
	f.Add("410100189002290034")
	f.Add("４４０５２４１８８００１０１００１４")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseCitizenID(s)
		if err != nil {
			checkSecret(t, err, s)
			return
		}
		if id.Number() != s || id.BirthDate().Format("20060102") != s[6:14] || id.Region().Code == "" {
			t.Errorf("accepted %q", s)
		}
		if !ContainsCitizenID("x" + s + "y") {
			t.Errorf("ContainsCitizenID misses a number that ParseCitizenID accepts")
		}
	})
}
