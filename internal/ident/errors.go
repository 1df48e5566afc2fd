package ident

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Sentinels say which rule an identifier breaks. Errors wrap them with the identifier's kind and a position, never with
// the value.
var (
	// ErrLength means too few or too many characters.
	ErrLength = errors.New("wrong length")
	// ErrCharacter means a character that may not stand at its position.
	ErrCharacter = errors.New("character not allowed")
	// ErrCheck means that the check character does not follow from the others: most often a typing mistake.
	ErrCheck = errors.New("wrong check character")
	// ErrBodyCheck means that the organisation code inside a USCC has a wrong check character of its own. Registered codes
	// like that exist, so it is a warning and never refuses a USCC.
	ErrBodyCheck = errors.New("wrong check character of the organisation code")
	// ErrDate means a date that the calendar does not have.
	ErrDate = errors.New("impossible date")
	// ErrRegion means a region code that the table of regions does not have.
	ErrRegion = errors.New("unknown region")
	// ErrStructure means missing, superfluous or unknown parts.
	ErrStructure = errors.New("wrong structure")
	// ErrIssuerRegion means that the issuer of an e-certificate is a region code where the standard wants a USCC.
	ErrIssuerRegion = errors.New("issuer is a region code instead of a USCC")
	// ErrMask means a mask nobody has defined.
	ErrMask = errors.New("unknown mask")
)

// lengthError reports how many characters there are and how many there should be.
func lengthError(s string, want string) error {
	return fmt.Errorf("%d characters instead of %s: %w", utf8.RuneCountInString(s), want, ErrLength)
}

// characterError reports a position, counted from 1 in characters as a reader counts them.
func characterError(position int) error {
	return fmt.Errorf("character %d: %w", position, ErrCharacter)
}

// checkShape demands exactly n characters that allowed accepts; allowed gets the index counted from 0. It returns with the
// first mistake, so a megabyte of input costs one pass at most.
func checkShape(s string, n int, allowed func(i int, c byte) bool) error {
	if len(s) != n && utf8.RuneCountInString(s) != n {
		return lengthError(s, fmt.Sprint(n))
	}
	position := 0
	for _, r := range s {
		if r >= utf8.RuneSelf || !allowed(position, byte(r)) {
			return characterError(position + 1)
		}
		position++
	}
	return nil
}

// checkDigits demands that s consists of digits; offset is where s begins in the whole identifier.
func checkDigits(s string, offset int) error {
	position := offset
	for _, r := range s {
		position++
		if r < '0' || r > '9' {
			return characterError(position)
		}
	}
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// alphanumeric gives the value 0–35 of a digit or capital letter, as GB 11714 and ISO 7064 count them, or -1.
func alphanumeric(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	}
	return -1
}
