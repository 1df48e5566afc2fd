package client

import (
	"context"
	"errors"
	"fmt"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// Checkpoint is a checkpoint of the exchange's log whose signature was verified.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   [32]byte
	Signed []byte // the signed note itself
}

// CheckLog asks for the exchange's present checkpoint and for proofs that it extends what this client has seen: the first checkpoint, or the last
// one that CheckLog proved, and the largest. An exchange that rewrote its log fails with ErrEvidence (history). A long-running
// program calls it now and then; it costs two or three calls. In a client that gave the evidence up it fails with ErrConfig.
func (c *Client) CheckLog(ctx context.Context) (Checkpoint, error) {
	if c.verifier == nil {
		return Checkpoint{}, fmt.Errorf("checking the exchange's log: %w: the client was dialled without LogKey or Unverified", ErrConfig)
	}
	v := c.verifier
	resp, err := c.Audit().GetCheckpoint(ctx, &auditv1.GetCheckpointRequest{})
	if err != nil {
		return Checkpoint{}, fmt.Errorf("reading the exchange's checkpoint: %w", err)
	}
	cp, err := translog.OpenCheckpoint(resp.GetCheckpoint(), v.exchange)
	if err != nil {
		return Checkpoint{}, v.fail(StepHistory, "", err)
	}
	if err := v.history.see(cp, resp.GetCheckpoint()); err != nil {
		return Checkpoint{}, v.fail(StepHistory, "", err)
	}
	anchor, largest, ok := v.history.span(cp.Origin)
	if !ok {
		return Checkpoint{}, v.fail(StepHistory, "", errors.New("nothing is remembered of the log"))
	}
	if err := c.extends(ctx, anchor.checkpoint, largest.checkpoint); err != nil {
		return Checkpoint{}, err
	}
	// The present checkpoint may be smaller: a receipt overtook it. Then it must be a prefix of the largest.
	if err := c.extends(ctx, cp, largest.checkpoint); err != nil {
		return Checkpoint{}, err
	}
	v.history.advance(largest)
	return Checkpoint{Origin: cp.Origin, Size: cp.Size, Root: cp.Root, Signed: resp.GetCheckpoint()}, nil
}

// Extends checks that the exchange's log has grown consistently from a checkpoint that was kept, a signed note, to a later one. It is for whoever
// remembers checkpoints longer than a client lives.
func (c *Client) Extends(ctx context.Context, kept []byte, to Checkpoint) error {
	if c.verifier == nil {
		return fmt.Errorf("checking the exchange's log: %w: the client was dialled without LogKey or Unverified", ErrConfig)
	}
	from, err := translog.OpenCheckpoint(kept, c.verifier.exchange)
	if err != nil {
		return fmt.Errorf("reading the checkpoint kept: %w", err)
	}
	if from.Size == to.Size && from.Root != to.Root {
		return c.verifier.fail(StepHistory, "", &ForkError{Origin: from.Origin, Size: from.Size, First: kept, Second: to.Signed})
	}
	if from.Size > to.Size {
		return c.verifier.fail(StepHistory, "", fmt.Errorf("the log had %d records and now shows %d: records are missing", from.Size, to.Size))
	}
	return c.extends(ctx, from, translog.Checkpoint{Origin: to.Origin, Size: to.Size, Root: to.Root})
}

// extends checks that one tree is a prefix of another, and asks for a proof where one is needed.
func (c *Client) extends(ctx context.Context, from, to translog.Checkpoint) error {
	if from.Size == to.Size && from.Root == to.Root {
		return nil
	}
	var hashes []translog.Hash
	if from.Size > 0 && from.Size < to.Size {
		resp, err := c.Audit().GetConsistencyProof(ctx, &auditv1.GetConsistencyProofRequest{OldSize: from.Size, NewSize: to.Size})
		if err != nil {
			return fmt.Errorf("reading a consistency proof: %w", err)
		}
		if hashes, err = evidence.HashesFromBytes(resp.GetHashes()); err != nil {
			return c.verifier.fail(StepHistory, "", err)
		}
	}
	if err := translog.VerifyConsistency(from.Size, from.Root, to.Size, to.Root, hashes); err != nil {
		return c.verifier.fail(StepHistory, "", err)
	}
	return nil
}
