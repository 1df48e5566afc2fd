package evidence

import (
	"bytes"
	"errors"
	"fmt"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
	"golang.org/x/mod/sumdb/note"
)

// ErrReceipt means that a receipt does not prove what it is said to prove.
var ErrReceipt = errors.New("receipt does not hold")

// Proven is a record that a receipt proved to be in a log.
type Proven struct {
	Record     *auditv1.Record
	Leaf       translog.Hash
	Index      int64
	Checkpoint translog.Checkpoint
}

// NewReceipt puts a receipt together.
func NewReceipt(record []byte, index int64, path []translog.Hash, checkpoint []byte) *auditv1.Receipt {
	return &auditv1.Receipt{Record: record, Index: index, InclusionHashes: HashesToBytes(path), Checkpoint: checkpoint}
}

// VerifyReceipt checks that the receipt's record is in the log whose key is v.
func VerifyReceipt(r *auditv1.Receipt, v note.Verifier) (Proven, error) {
	if r == nil {
		return Proven{}, fmt.Errorf("%w: there is none", ErrReceipt)
	}
	cp, err := translog.OpenCheckpoint(r.GetCheckpoint(), v)
	if err != nil {
		return Proven{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	path, err := HashesFromBytes(r.GetInclusionHashes())
	if err != nil {
		return Proven{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	leaf := translog.LeafHash(r.GetRecord())
	if err := translog.VerifyInclusion(r.GetIndex(), cp.Size, leaf, path, cp.Root); err != nil {
		return Proven{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	record, err := DecodeRecord(r.GetRecord())
	if err != nil {
		return Proven{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	return Proven{Record: record, Leaf: leaf, Index: r.GetIndex(), Checkpoint: cp}, nil
}

// CheckAnswer checks that an answer record answers an intent: same intent by hash and index, and, where the answer was given in one piece or
// ended, the digest over its bytes.
func CheckAnswer(intent Proven, answer *auditv1.Answer, digest []byte) error {
	switch {
	case answer == nil:
		return fmt.Errorf("%w: the journal's record is not an answer", ErrReceipt)
	case !bytes.Equal(answer.GetIntentHash(), intent.Leaf[:]):
		return fmt.Errorf("%w: the answer cites another intent", ErrReceipt)
	case answer.GetIntentIndex() != intent.Index:
		return fmt.Errorf("%w: the answer cites intent %d, not %d", ErrReceipt, answer.GetIntentIndex(), intent.Index)
	case answer.GetExchangeOrigin() != intent.Checkpoint.Origin:
		return fmt.Errorf("%w: the answer cites the log %q, not %q", ErrReceipt, answer.GetExchangeOrigin(), intent.Checkpoint.Origin)
	case digest != nil && !bytes.Equal(answer.GetAnswerDigest(), digest):
		return fmt.Errorf("%w: the answer's bytes are not those that the province put on record", ErrReceipt)
	}
	return nil
}

// HashesToBytes turns hashes into what protobuf carries.
func HashesToBytes(hashes []translog.Hash) [][]byte {
	flat := make([]byte, 0, len(hashes)*len(translog.Hash{}))
	out := make([][]byte, len(hashes))
	for i := range hashes {
		flat = append(flat, hashes[i][:]...)
		out[i] = flat[i*32 : (i+1)*32 : (i+1)*32]
	}
	return out
}

// HashesFromBytes reads hashes back.
func HashesFromBytes(b [][]byte) ([]translog.Hash, error) {
	out := make([]translog.Hash, len(b))
	for i := range b {
		if len(b[i]) != len(out[i]) {
			return nil, fmt.Errorf("hash %d has %d bytes, want %d", i, len(b[i]), len(out[i]))
		}
		copy(out[i][:], b[i])
	}
	return out, nil
}

// JoinHashes turns the hashes of a range proof into one run of bytes.
func JoinHashes(hashes []translog.Hash) []byte {
	out := make([]byte, 0, len(hashes)*len(translog.Hash{}))
	for i := range hashes {
		out = append(out, hashes[i][:]...)
	}
	return out
}

// SplitHashes reads them back.
func SplitHashes(b []byte) ([]translog.Hash, error) {
	const size = len(translog.Hash{})
	if len(b)%size != 0 {
		return nil, fmt.Errorf("a run of hashes has %d bytes, not a multiple of %d", len(b), size)
	}
	out := make([]translog.Hash, len(b)/size)
	for i := range out {
		copy(out[i][:], b[i*size:])
	}
	return out, nil
}
