package state

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// format is the version of keys and values. A store of a later version is refused: older code would drop what it does not know.
const format = 1

const identityMagic = "kuasheng exchange state"

// ErrIdentity means that a directory does not hold the state of an exchange that this program can use.
var ErrIdentity = errors.New("not a state store of this program")

// encodeIdentity writes three lines that people can read: magic, format, trust domain.
func encodeIdentity(trustDomain string) []byte {
	return fmt.Appendf(nil, "%s\n%d\n%s\n", identityMagic, format, trustDomain)
}

// parseIdentity returns the trust domain of the exchange that the store belongs to.
func parseIdentity(data []byte) (string, error) {
	lines := strings.Split(string(bytes.TrimSuffix(data, []byte("\n"))), "\n")
	if len(lines) != 3 || lines[0] != identityMagic || lines[2] == "" {
		return "", fmt.Errorf("reading the identity record: %w", ErrIdentity)
	}
	version, err := strconv.ParseUint(lines[1], 10, 32)
	if err != nil {
		return "", fmt.Errorf("reading the identity record: %w", ErrIdentity)
	}
	if version != format {
		return "", fmt.Errorf("reading the identity record: format %d, this program knows %d: %w", version, format, ErrIdentity)
	}
	return lines[2], nil
}
