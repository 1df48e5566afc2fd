package ident

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Mask is a way to hide most of a value and leave enough for a clerk to see that it is the right one (GB/T 35273). The
// zero value hides nothing.
//
// A value that does not have the form a mask is made for is hidden completely: a mask on the wrong column must not
// become a hole.
type Mask uint8

// The masks.
const (
	// MaskNone hides nothing.
	MaskNone Mask = iota
	// MaskName keeps the first character: 张*.
	MaskName
	// MaskIdentityNumber keeps six characters at the front and four at the end.
	MaskIdentityNumber
	// MaskPhone keeps three characters at the front and four at the end.
	MaskPhone
	// MaskAddress keeps an address down to the county.
	MaskAddress
	// MaskRedact hides everything, the length included.
	MaskRedact
)

var maskNames = [...]string{
	MaskNone:           "none",
	MaskName:           "name",
	MaskIdentityNumber: "identity_number",
	MaskPhone:          "phone",
	MaskAddress:        "address",
	MaskRedact:         "redact",
}

// redacted stands for what is hidden completely. Its length says nothing about the value's.
const redacted = "***"

// MaskNames returns the names that [ParseMask] accepts.
func MaskNames() []string {
	names := maskNames[MaskName:]
	return append([]string(nil), names...)
}

// ParseMask finds a mask by its name: name, identity_number, phone, address or redact.
func ParseMask(name string) (Mask, error) {
	for m := MaskName; int(m) < len(maskNames); m++ {
		if maskNames[m] == name {
			return m, nil
		}
	}
	return MaskNone, fmt.Errorf("parsing mask, want one of %s: %w", strings.Join(MaskNames(), ", "), ErrMask)
}

// String returns the mask's name.
func (m Mask) String() string {
	if int(m) < len(maskNames) {
		return maskNames[m]
	}
	return fmt.Sprintf("mask(%d)", uint8(m))
}

// Apply returns the masked value. Nothing stays nothing: an empty value is empty under every mask, as NULL stays NULL. An
// undefined mask hides everything.
func (m Mask) Apply(value string) string {
	if value == "" {
		return ""
	}
	switch m {
	case MaskNone:
		return value
	case MaskName:
		return maskName(value)
	case MaskIdentityNumber:
		// 15 was the length before 1999 and 18 is it now; passports and permits of other lengths are too short to keep
		// ten characters of.
		return keepEnds(value, 6, 4, 15, 18)
	case MaskPhone:
		// From a mobile number to a land line with country, area and extension.
		return keepEnds(value, 3, 4, 11, 20)
	case MaskAddress:
		return maskAddress(value)
	}
	return redacted
}

// maskName keeps the first character. One star stands for the rest, however long; a name of one character has no rest
// and is hidden.
func maskName(value string) string {
	value = strings.TrimSpace(value)
	first, size := utf8.DecodeRuneInString(value)
	if first == utf8.RuneError || size == len(value) {
		return redacted
	}
	return value[:size] + "*"
}

// keepEnds replaces all characters but the first head and the last tail by stars, if there are between least and most
// characters.
func keepEnds(value string, head, tail, least, most int) string {
	if len(value) > most*utf8.UTFMax || !utf8.ValidString(value) {
		return redacted
	}
	runes := []rune(value)
	if len(runes) < least || len(runes) > most {
		return redacted
	}
	for i := head; i < len(runes)-tail; i++ {
		runes[i] = '*'
	}
	return string(runes)
}
