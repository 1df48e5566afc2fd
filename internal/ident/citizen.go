package ident

import (
	"fmt"
	"log/slog"
	"time"
)

var citizenWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// citizenChecks are the check characters by the weighted sum modulo 11.
const citizenChecks = "10X98765432"

// Births outside these years are impossible: numbers were first given out in 1984, when the oldest holders were born in
// the 1860s, and synthetic people are born in the nineteenth century. Without the bounds nearly every run of digits would
// have a valid year and [ContainsCitizenID] would refuse harmless numbers.
const (
	firstBirthYear = 1800
	lastBirthYear  = 2099
)

// Sex is the sex a citizen identity number states.
type Sex uint8

// The sexes of GB 11643, with the codes of GB/T 2261.1.
const (
	Male   Sex = 1
	Female Sex = 2
)

// String returns "male" or "female".
func (s Sex) String() string {
	switch s {
	case Male:
		return "male"
	case Female:
		return "female"
	}
	return "unknown"
}

// CitizenID is a citizen identity number (公民身份号码). It prints and logs masked, because such values end up in messages by
// accident; [CitizenID.Number] is the one way to the whole number. The zero value is no number. CitizenIDs compare with ==.
type CitizenID struct{ number string }

// ParseCitizenID checks length, characters, region, birth date and check character of an 18-character number. A small x
// is refused: a source that stores X would not find it.
func ParseCitizenID(s string) (CitizenID, error) {
	if err := checkCitizenID(s); err != nil {
		return CitizenID{}, fmt.Errorf("parsing citizen identity number: %w", err)
	}
	return CitizenID{number: s}, nil
}

func checkCitizenID(s string) error {
	err := checkShape(s, 18, func(i int, c byte) bool { return isDigit(c) || i == 17 && c == 'X' })
	if err != nil {
		return err
	}
	if _, ok := citizenRegion(s[:2]); !ok {
		return fmt.Errorf("characters 1 to 2: %w", ErrRegion)
	}
	if _, ok := citizenBirth(s); !ok {
		return fmt.Errorf("birth date in characters 7 to 14: %w", ErrDate)
	}
	if citizenCheck(s) != s[17] {
		return ErrCheck
	}
	return nil
}

// CitizenIDCheck computes the check character that belongs to the first 17 digits. It looks at nothing else, so that test
// data with an impossible date and a right check character can be made.
func CitizenIDCheck(first17 string) (byte, error) {
	if err := checkShape(first17, 17, func(_ int, c byte) bool { return isDigit(c) }); err != nil {
		return 0, fmt.Errorf("computing citizen identity number check: %w", err)
	}
	return citizenCheck(first17), nil
}

// citizenCheck expects at least 17 digits.
func citizenCheck(digits string) byte {
	sum := 0
	for i, weight := range citizenWeights {
		sum += int(digits[i]-'0') * weight
	}
	return citizenChecks[sum%11]
}

// citizenBirth reads the birth date out of a number whose first 17 characters are digits.
func citizenBirth(digits string) (time.Time, bool) {
	number := func(from, to int) int {
		n := 0
		for _, c := range []byte(digits[from:to]) {
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := number(6, 10), time.Month(number(10, 12)), number(12, 14)
	if year < firstBirthYear || year > lastBirthYear {
		return time.Time{}, false
	}
	// time.Date carries 30 February over into March: a date exists if it comes back as it went in.
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return date, date.Month() == month && date.Day() == day
}

// citizenRegion maps the first two digits. 83 is given to Taiwan residents living on the mainland, in numbers of the same
// form; 66 is a convention of data platforms and never in an identity number.
func citizenRegion(prefix string) (Region, bool) {
	switch prefix {
	case "83":
		prefix = "71"
	case "66":
		return Region{}, false
	}
	return regionOf(prefix)
}

// Number returns the whole number: for binding to a query and for digests, never for messages.
func (id CitizenID) Number() string { return id.number }

// IsZero reports whether id is the zero value.
func (id CitizenID) IsZero() bool { return id.number == "" }

// String returns the number masked to its first six and last four characters.
func (id CitizenID) String() string { return MaskIdentityNumber.Apply(id.number) }

// GoString is masked like String, so that %#v in a forgotten debug line gives nothing away.
func (id CitizenID) GoString() string { return "ident.CitizenID(" + id.String() + ")" }

// LogValue is masked like String.
func (id CitizenID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// AreaCode returns the six digits of the county where the number was first given out.
func (id CitizenID) AreaCode() string {
	if id.IsZero() {
		return ""
	}
	return id.number[:6]
}

// Region returns the province-level region where the number was first given out; the zero Region for the zero value.
func (id CitizenID) Region() Region {
	if id.IsZero() {
		return Region{}
	}
	region, _ := citizenRegion(id.number[:2])
	return region
}

// BirthDate returns the day of birth at midnight UTC; the zero time for the zero value.
func (id CitizenID) BirthDate() time.Time {
	if id.IsZero() {
		return time.Time{}
	}
	birth, _ := citizenBirth(id.number)
	return birth
}

// Sex returns the sex, which is the parity of the 17th digit; 0 for the zero value.
func (id CitizenID) Sex() Sex {
	switch {
	case id.IsZero():
		return 0
	case id.number[16]%2 == 1:
		return Male
	}
	return Female
}
