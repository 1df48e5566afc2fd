package ident

import (
	"fmt"
	"strings"
)

// usccAlphabet are the characters of a USCC in the order of their values; I, O, S, V and Z look too much like others.
const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

var (
	usccWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}
	bodyWeights = [8]int{3, 7, 9, 10, 5, 8, 4, 2}
)

// USCC is a unified social credit code (统一社会信用代码), the number of an organisation: registrar 1, kind 1, region 6,
// organisation code 9, check 1. The zero value is no code. USCCs compare with ==.
type USCC struct{ code string }

// ParseUSCC checks length, characters and the check character. A wrong check inside the organisation code is only a
// warning: see [USCC.Warnings].
func ParseUSCC(s string) (USCC, error) {
	if err := checkUSCC(s); err != nil {
		return USCC{}, fmt.Errorf("parsing USCC: %w", err)
	}
	return USCC{code: s}, nil
}

func checkUSCC(s string) error {
	if err := checkUSCCShape(s); err != nil {
		return err
	}
	if check, _ := USCCCheck(s[:17]); check != s[17] {
		return ErrCheck
	}
	return nil
}

func checkUSCCShape(s string) error {
	return checkShape(s, 18, usccCharacter)
}

// usccCharacter allows digits alone in the region, and the alphabet everywhere else.
func usccCharacter(i int, c byte) bool {
	if i >= 2 && i < 8 {
		return isDigit(c)
	}
	return strings.IndexByte(usccAlphabet, c) >= 0
}

// USCCCheck computes the check character that belongs to the first 17 characters of a USCC.
func USCCCheck(first17 string) (byte, error) {
	if err := checkShape(first17, 17, usccCharacter); err != nil {
		return 0, fmt.Errorf("computing USCC check: %w", err)
	}
	sum := 0
	for i, weight := range usccWeights {
		sum += strings.IndexByte(usccAlphabet, first17[i]) * weight
	}
	return usccAlphabet[(31-sum%31)%31], nil
}

// USCCBodyCheck computes the check character of an organisation code (GB 11714) from its first 8 characters. It stands
// at position 17 of a USCC.
func USCCBodyCheck(first8 string) (byte, error) {
	if err := checkShape(first8, 8, func(_ int, c byte) bool { return alphanumeric(c) >= 0 }); err != nil {
		return 0, fmt.Errorf("computing organisation code check: %w", err)
	}
	sum := 0
	for i, weight := range bodyWeights {
		sum += alphanumeric(first8[i]) * weight
	}
	switch c := 11 - sum%11; c {
	case 10:
		return 'X', nil
	case 11:
		return '0', nil
	default:
		return byte('0' + c), nil
	}
}

// String returns the code.
func (u USCC) String() string { return u.code }

// IsZero reports whether u is the zero value.
func (u USCC) IsZero() bool { return u.code == "" }

// Warnings returns what is doubtful about a code that is right in itself: nil, or one error wrapping [ErrBodyCheck].
func (u USCC) Warnings() []error {
	if u.IsZero() {
		return nil
	}
	if check, _ := USCCBodyCheck(u.code[8:16]); check != u.code[16] {
		return []error{fmt.Errorf("character 17 of USCC: %w", ErrBodyCheck)}
	}
	return nil
}

// Registrar returns the character of the authority that registered the organisation: 1 for the institutional
// establishment office, 9 for market regulation, and so on.
func (u USCC) Registrar() string { return u.part(0, 1) }

// Kind returns the character of the organisation's kind, whose meaning depends on the registrar.
func (u USCC) Kind() string { return u.part(1, 2) }

// RegionCode returns the six digits of the registering authority's region, down to the county; 100000 is national.
func (u USCC) RegionCode() string { return u.part(2, 8) }

// Region returns the province-level region of the registering authority; false for national registrations and unknown
// codes.
func (u USCC) Region() (Region, bool) { return regionOf(u.part(2, 4)) }

// Body returns the nine characters of the organisation code, its own check included.
func (u USCC) Body() string { return u.part(8, 17) }

// Check returns the check character.
func (u USCC) Check() string { return u.part(17, 18) }

func (u USCC) part(from, to int) string {
	if u.IsZero() {
		return ""
	}
	return u.code[from:to]
}
