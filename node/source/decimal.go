package source

import (
	"strconv"
	"strings"
)

// maxDigits bounds a decimal and its exponent. The engines' own decimals of catalogue data end at 65 digits; the bound
// keeps "1e999999999" from becoming a gigabyte of zeros.
const maxDigits = 1000

// decimal brings a decimal number into plain form with the given number of digits behind the point, or with as many as
// it came with when scale is negative. It never rounds: digits that would be lost make it fail.
func decimal(s string, scale int) (string, bool) {
	s = strings.TrimSpace(s)
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || e > maxDigits || e < -maxDigits {
			return "", false
		}
		exponent, s = e, s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || len(whole)+len(fraction) > maxDigits || !digits(whole) || !digits(fraction) {
		return "", false
	}
	whole, fraction = shift(whole, fraction, exponent)
	if scale >= 0 {
		kept := min(scale, len(fraction))
		if strings.Trim(fraction[kept:], "0") != "" {
			return "", false
		}
		fraction = fraction[:kept] + strings.Repeat("0", scale-kept)
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if negative && strings.Trim(whole+fraction, "0") != "" {
		whole = "-" + whole
	}
	if fraction == "" {
		return whole, true
	}
	return whole + "." + fraction, true
}

// shift moves the point by the exponent.
func shift(whole, fraction string, exponent int) (string, string) {
	switch {
	case exponent > 0:
		fraction += strings.Repeat("0", max(exponent-len(fraction), 0))
		return whole + fraction[:exponent], fraction[exponent:]
	case exponent < 0:
		whole = strings.Repeat("0", max(-exponent-len(whole), 0)) + whole
		cut := len(whole) + exponent
		return whole[:cut], whole[cut:] + fraction
	}
	return whole, fraction
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// decimalOfFloat gives a binary floating-point number back as the decimal that was put into it. That is certain up to
// the 15 digits (6 for 32 bits) that every such number preserves; with more the source has lost the exact amount
// already, and guessing would make it look exact.
func decimalOfFloat(f float64, bits, scale int) (string, bool) {
	s := strconv.FormatFloat(f, 'e', -1, bits)
	mantissa, _, ok := strings.Cut(s, "e")
	if !ok { // NaN and infinities have no exponent
		return "", false
	}
	certain := 15
	if bits == 32 {
		certain = 6
	}
	if len(strings.NewReplacer("-", "", ".", "").Replace(mantissa)) > certain {
		return "", false
	}
	if scale < 0 {
		s = strconv.FormatFloat(f, 'f', -1, bits)
	}
	return decimal(s, scale)
}
