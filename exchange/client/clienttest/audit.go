package clienttest

import (
	"context"
	"fmt"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// GetAccess implements auditv1.AuditServiceServer. There are no outcomes.
func (e *Exchange) GetAccess(_ context.Context, req *auditv1.GetAccessRequest) (*auditv1.Access, error) {
	var index int64
	if _, err := fmt.Sscanf(req.GetName(), "accesses/%d", &index); err != nil {
		return nil, refuse(auditv1.Reason_REASON_ARGUMENT_INVALID, "not an access")
	}
	return e.access(index, true)
}

func (e *Exchange) access(index int64, proof bool) (*auditv1.Access, error) {
	receipt, err := e.Log.Receipt(index)
	if err != nil {
		return nil, refuse(auditv1.Reason_REASON_NOT_FOUND, "no such access")
	}
	record, err := evidence.DecodeRecord(receipt.GetRecord())
	if err != nil {
		return nil, err
	}
	a := &auditv1.Access{Name: accessName(index), Record: record}
	if proof {
		a.Receipt = receipt
	}
	return a, nil
}

// ListAccesses implements auditv1.AuditServiceServer: everything, newest first.
func (e *Exchange) ListAccesses(context.Context, *auditv1.ListAccessesRequest) (*auditv1.ListAccessesResponse, error) {
	resp := &auditv1.ListAccessesResponse{TreeSize: e.Log.Size()}
	for i := resp.GetTreeSize() - 1; i >= 0; i-- {
		a, err := e.access(i, false)
		if err != nil {
			return nil, err
		}
		resp.Accesses = append(resp.Accesses, a)
	}
	return resp, nil
}

// GetCheckpoint implements auditv1.AuditServiceServer.
func (e *Exchange) GetCheckpoint(context.Context, *auditv1.GetCheckpointRequest) (*auditv1.GetCheckpointResponse, error) {
	signed, err := e.Log.Checkpoint()
	if err != nil {
		return nil, err
	}
	return &auditv1.GetCheckpointResponse{Checkpoint: signed}, nil
}

// GetConsistencyProof implements auditv1.AuditServiceServer.
func (e *Exchange) GetConsistencyProof(_ context.Context, req *auditv1.GetConsistencyProofRequest) (*auditv1.GetConsistencyProofResponse, error) {
	hashes, err := e.Log.Consistency(req.GetOldSize(), req.GetNewSize())
	if err != nil {
		return nil, refuse(auditv1.Reason_REASON_ARGUMENT_INVALID, "%v", err)
	}
	return &auditv1.GetConsistencyProofResponse{Hashes: evidence.HashesToBytes(hashes)}, nil
}
