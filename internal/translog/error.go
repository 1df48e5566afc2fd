package translog

import "errors"

var (
	// ErrCheckpoint means that a checkpoint is malformed, not signed by the expected key, or not of the expected log.
	ErrCheckpoint = errors.New("invalid checkpoint")
	// ErrInclusion means that an inclusion proof does not show the leaf in the tree.
	ErrInclusion = errors.New("invalid inclusion proof")
	// ErrConsistency means that a tree was not shown to extend the one known before. It is no evidence of a second
	// history: a wrong proof gives the same. See [ErrFork].
	ErrConsistency = errors.New("tree not shown to extend the known one")
	// ErrFork means that the log signed two different roots for one size. The two checkpoints together are proof of
	// misbehaviour that convinces anybody: keep both.
	ErrFork = errors.New("log signed two trees of one size")
	// ErrRange means that sizes, indexes, or the number of hashes do not fit together.
	ErrRange = errors.New("out of range")
	// ErrKey means that a note key or the origin in it cannot be used.
	ErrKey = errors.New("invalid log key")
)
