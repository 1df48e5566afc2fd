package evidence

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
)

// SaltSize is the size of every salt in bytes: 128 bits cannot be tried.
const SaltSize = 16

const (
	parametersDomain = "kuasheng parameters v1\n"
	answerDomain     = "kuasheng answer v1\n"
)

// NewSalt returns 16 random bytes. It cannot fail: a machine without randomness stops the process (crypto/rand).
func NewSalt() []byte {
	salt := make([]byte, SaltSize)
	rand.Read(salt)
	return salt
}

// ParametersDigest is the digest of a request's parameters under a salt.
func ParametersDigest(salt []byte, parameters map[string]string) []byte {
	names := make([]string, 0, 8) // most requests have few: this stays on the stack
	size := len(parametersDomain) + len(salt) + 4
	for name, value := range parameters {
		names = append(names, name)
		size += 8 + len(name) + len(value)
	}
	slices.Sort(names)
	b := make([]byte, 0, size)
	b = append(b, parametersDomain...)
	b = append(b, salt...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(names)))
	for _, name := range names {
		b = appendString(appendString(b, name), parameters[name])
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// AnswerHash begins the digest of an answer; write the answer's bytes to it.
func AnswerHash(salt []byte, mediaType string) hash.Hash {
	h := sha256.New()
	b := make([]byte, 0, 128)
	b = append(b, answerDomain...)
	b = append(b, salt...)
	h.Write(appendString(b, mediaType))
	return h
}

// AnswerDigest is the digest of a whole answer under a salt.
func AnswerDigest(salt []byte, mediaType string, answer []byte) []byte {
	h := AnswerHash(salt, mediaType)
	h.Write(answer)
	return h.Sum(nil)
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
