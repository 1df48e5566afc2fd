package accesslog

import (
	"fmt"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// Receipts proves an access and, where it has one, its outcome, both under the present checkpoint. Unlike a list they are evidence: the
// record's bytes are hashed to the root that the log signed, whatever the index says.
func (l *Log) Receipts(a Access) (record, outcome *auditv1.Receipt, err error) {
	// Size and checkpoint are taken from one signed note: asked for one after the other they may be of two commits.
	signed := l.segment.Checkpoint()
	cp, err := translog.OpenCheckpoint(signed, l.cfg.Verifier)
	if err != nil {
		return nil, nil, fmt.Errorf("proving access %d: %w", a.Index, err)
	}
	prove := func(index int64, b []byte) (*auditv1.Receipt, error) {
		path, err := l.segment.Inclusion(index, cp.Size)
		if err != nil {
			return nil, fmt.Errorf("proving access %d: %w", a.Index, err)
		}
		return evidence.NewReceipt(b, index, path, signed), nil
	}
	if record, err = prove(a.Index, a.RecordBytes); err != nil {
		return nil, nil, err
	}
	if a.Outcome != nil {
		outcome, err = prove(a.OutcomeIndex, a.OutcomeBytes)
	}
	return record, outcome, err
}
