package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/kuasheng/kuasheng/internal/translog"
	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// verify checks the exchange's log and a node's journal from their files, and that the log has only grown since the first answer.
func (s *story) verify(ctx context.Context) error {
	henan := s.province(henanKey)
	for _, log := range []struct {
		dir, key string
		least    int64 // records that receipts have shown
	}{
		{s.exchange.logDir, s.logKey, s.answer.Evidence.Intent.TreeSize},
		{henan.journalDir(), henan.journalKey, s.answer.Evidence.Answer.TreeSize},
	} {
		began := time.Now()
		r, err := verifyLog(ctx, log.dir, log.key)
		if err != nil {
			return err
		}
		if r.Records < log.least {
			return mustf("%s holds %d records, a receipt proves %d", r.Origin, r.Records, log.least)
		}
		s.line("✓ %s: all %s records in %s signed commits, in %s", r.Origin, number(r.Records), number(r.Blocks), time.Since(began).Round(time.Millisecond))
		s.line("  root %x", r.Checkpoint.Root[:])
	}
	c, err := s.as(ctx, housingPortal)
	if err != nil {
		return err
	}
	cp, err := c.CheckLog(ctx)
	if err != nil {
		return err
	}
	first := s.answer.Evidence.Intent.TreeSize
	if cp.Size < first {
		return mustf("the log shows %d records after it has shown %d", cp.Size, first)
	}
	s.line("✓ %s: the tree of %s records extends the one of %s under the first receipt", cp.Origin, number(cp.Size), number(first))
	return nil
}

// verifyLog verifies a log's files, offline.
func verifyLog(ctx context.Context, dir, key string) (segment.Report, error) {
	v, err := translog.NewVerifier(key)
	if err != nil {
		return segment.Report{}, err
	}
	r, err := segment.Verify(ctx, dir, v, nil)
	if err != nil {
		return r, fmt.Errorf("verifying %s: %w", v.Name(), err)
	}
	return r, nil
}
