package translog

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a leaf, an inner node or a root of the tree.
type Hash = tlog.Hash

const commitmentPrefix = "kuasheng record v1\n"

// onStack is the record size up to which hashing allocates nothing: access records are about 500 bytes.
const onStack = 1024

// Commitment returns the tree's entry for record. The domain prefix keeps a commitment from being taken for the
// digest of anything else that is signed or hashed in the system.
func Commitment(record []byte) [32]byte {
	if len(record) <= onStack {
		var buf [len(commitmentPrefix) + onStack]byte
		n := copy(buf[:], commitmentPrefix)
		n += copy(buf[n:], record)
		return sha256.Sum256(buf[:n])
	}
	h := sha256.New()
	h.Write([]byte(commitmentPrefix))
	h.Write(record)
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// LeafHash returns the RFC 6962 leaf over record's commitment.
func LeafHash(record []byte) Hash {
	return CommitmentLeaf(Commitment(record))
}

// CommitmentLeaf returns the RFC 6962 leaf over a commitment. It is [tlog.RecordHash] without its allocation.
func CommitmentLeaf(commitment [32]byte) Hash {
	var buf [1 + sha256.Size]byte // RFC 6962 prefixes a leaf with 0x00
	copy(buf[1:], commitment[:])
	return sha256.Sum256(buf[:])
}
