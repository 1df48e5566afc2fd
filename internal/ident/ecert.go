package ident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ecertRoot is the object identifier arc of GB/T 36904 under which all e-certificates are numbered.
const ecertRoot = "1.2.156.3005.2"

// ECertID is an e-certificate identifier (电子证照标识): root.TYPE.ISSUER.SERIAL.VERSION.CHECK. The zero value is no
// identifier.
type ECertID struct {
	text                          string
	kind, issuer, serial, version string
	check                         byte
	flags                         []error
}

// ParseECertID accepts what the standard allows. Whoever issues or registers an identifier uses it.
func ParseECertID(s string) (ECertID, error) {
	id, err := ParseECertIDLenient(s)
	if err != nil {
		return ECertID{}, err
	}
	if err := errors.Join(id.flags...); err != nil {
		return ECertID{}, fmt.Errorf("parsing e-certificate identifier: %w", err)
	}
	return id, nil
}

// ParseECertIDLenient also accepts what provinces have published against the standard: an issuer given as a six-digit
// region code, a wrong check character, a type or issuer whose USCC has a wrong check character. [ECertID.Flags] names each. Only
// reading what others issued may be lenient.
func ParseECertIDLenient(s string) (ECertID, error) {
	id, err := splitECertID(s)
	if err != nil {
		return ECertID{}, fmt.Errorf("parsing e-certificate identifier: %w", err)
	}
	return id, nil
}

func splitECertID(s string) (ECertID, error) {
	rest, ok := strings.CutPrefix(s, ecertRoot+".")
	if !ok {
		return ECertID{}, fmt.Errorf("does not begin with the root of GB/T 36904: %w", ErrStructure)
	}
	// SplitN: a megabyte of dots must not become a slice of a million parts.
	parts := strings.SplitN(rest, ".", 6)
	if len(parts) != 5 {
		return ECertID{}, fmt.Errorf("not five parts after the root: %w", ErrStructure)
	}
	id := ECertID{text: s, kind: parts[0], issuer: parts[1], serial: parts[2], version: parts[3]}
	for _, step := range []struct {
		part  string
		check func() error
	}{
		{"type", id.checkKind},
		{"issuer", id.checkIssuer},
		{"serial", id.checkSerial},
		{"version", id.checkVersion},
		{"check", func() error { return id.checkCheck(parts[4]) }},
	} {
		if err := step.check(); err != nil {
			return ECertID{}, fmt.Errorf("%s: %w", step.part, err)
		}
	}
	return id, nil
}

func (id *ECertID) checkKind() error {
	err := checkShape(id.kind, 21, func(i int, c byte) bool {
		if i >= 18 {
			return isDigit(c)
		}
		return usccCharacter(i, c)
	})
	if err != nil {
		return err
	}
	if err := checkUSCC(id.kind[:18]); err != nil {
		id.flag("type", err)
	}
	return nil
}

func (id *ECertID) checkIssuer() error {
	if len(id.issuer) == 6 {
		if err := checkDigits(id.issuer, 0); err != nil {
			return err
		}
		id.flag("issuer", ErrIssuerRegion)
		return nil
	}
	if err := checkUSCCShape(id.issuer); err != nil {
		return err
	}
	if err := checkUSCC(id.issuer); err != nil {
		id.flag("issuer", err)
	}
	return nil
}

func (id *ECertID) checkSerial() error {
	if n := len(id.serial); n < 1 || n > 64 {
		return lengthError(id.serial, "1 to 64")
	}
	for i, c := range []byte(id.serial) {
		if alphanumeric(c) < 0 {
			return characterError(i + 1)
		}
	}
	return nil
}

func (id *ECertID) checkVersion() error {
	return checkShape(id.version, 3, func(_ int, c byte) bool { return isDigit(c) })
}

func (id *ECertID) checkCheck(s string) error {
	if err := checkShape(s, 1, func(_ int, c byte) bool { return alphanumeric(c) >= 0 }); err != nil {
		return err
	}
	id.check = s[0]
	if mod3736(id.kind+id.issuer+id.serial+id.version) != id.check {
		id.flag("check", ErrCheck)
	}
	return nil
}

func (id *ECertID) flag(part string, err error) {
	id.flags = append(id.flags, fmt.Errorf("%s: %w", part, err))
}

// ECertIDCheck computes the check character over the parts of an identifier.
func ECertIDCheck(kind, issuer, serial, version string) (byte, error) {
	all := kind + issuer + serial + version
	for i := range len(all) {
		if alphanumeric(all[i]) < 0 {
			return 0, fmt.Errorf("computing e-certificate identifier check: %w", characterError(i+1))
		}
	}
	return mod3736(all), nil
}

// mod3736 is the hybrid check system ISO 7064 MOD 37,36 over digits and capital letters.
func mod3736(s string) byte {
	p := 36
	for i := range len(s) {
		p = (p + alphanumeric(s[i])) % 36
		if p == 0 {
			p = 36
		}
		p = p * 2 % 37
	}
	const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return characters[(37-p)%36]
}

// String returns the identifier with its dots.
func (id ECertID) String() string { return id.text }

// Type returns the 21 characters of the e-certificate type: the USCC of who defined it and three digits.
func (id ECertID) Type() string { return id.kind }

// Issuer returns the issuer's USCC, or its region code in an identifier that was read leniently.
func (id ECertID) Issuer() string { return id.issuer }

// Serial returns the serial number that the issuer gave.
func (id ECertID) Serial() string { return id.serial }

// Version returns the three digits of the version.
func (id ECertID) Version() string { return id.version }

// Flags returns what is against the standard in an identifier that was read leniently: errors wrapping [ErrIssuerRegion] or
// [ErrCheck]. It is empty after [ParseECertID].
func (id ECertID) Flags() []error { return slices.Clone(id.flags) }
