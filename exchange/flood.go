package exchange

import (
	"context"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
)

const (
	// maxFieldsRefused is how many fields of a refused request stand on record. A request may name 200 of 64 bytes, at the caller's will, and the
	// refusal is understood from fewer.
	maxFieldsRefused = 64
	// staleAfter is how long after its end an SVID still puts a refusal on record. A program that was not renewed is noticed within a week; a
	// key that turns up later must not write to the log for as long as its authority lives.
	staleAfter = 7 * 24 * time.Hour
	// collectTime is how often counted refusals are looked at.
	collectTime = time.Second
	// collectWriters is how many counts wait for their commit together: one each would take a disk's sync for every caller.
	collectWriters = 256
)

// putRefusal puts a refusal on record, or counts it where its caller is refused too often: see package flood. The error is what the caller gets
// then. A log that has failed costs nothing to ask, and is said to have failed.
func (s *Server) putRefusal(ctx context.Context, intent *auditv1.Intent, cause *refusal.Error) (index int64, err error) {
	if s.log.Err() != nil || s.refusals.Admit(s.now(), intent) {
		return s.log.Refuse(ctx, intent)
	}
	s.metrics.suppressed.Inc()
	if refusal.Code(cause.Reason) == codes.Unavailable {
		// No fault of the caller's: it keeps the reason, and waits for the province instead of looking for a mistake of its own.
		return 0, s.toStatus(cause, "", "")
	}
	return 0, s.toStatus(refusal.New(auditv1.Reason_REASON_REFUSALS_EXCEEDED,
		"%s; your calls are refused so often that refusals are counted and not recorded one by one: stop and look for the cause", refusal.Name(cause.Reason)), "", "")
}

// stale reports whether a refusal is of an SVID so long expired that it does not go on record any more.
func (s *Server) stale(peer certs.Peer, reason auditv1.Reason) bool {
	return reason == auditv1.Reason_REASON_CLIENT_CERTIFICATE_EXPIRED && s.now().Sub(peer.NotAfter) > staleAfter
}

// collectRefusals puts counts on record as they become due, until ctx is done.
func (s *Server) collectRefusals(ctx context.Context) {
	tick := time.NewTicker(collectTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.recordCounts(ctx, false)
		case <-ctx.Done():
			return
		}
	}
}

// recordCounts puts the counts that are due on record, or all of them. Whoever calls it last, when no calls are taken any more, leaves none.
func (s *Server) recordCounts(ctx context.Context, all bool) {
	s.collecting.Lock() // what another caller has taken is written, or given back, before this one looks
	defer s.collecting.Unlock()
	if s.log.Err() != nil {
		return // nothing can be recorded before a restart: the counts are lost with the process, as in a crash
	}
	var writers errgroup.Group
	writers.SetLimit(collectWriters)
	for _, intent := range s.refusals.Collect(s.now(), all) {
		writers.Go(func() error {
			_, err := s.log.Refuse(context.WithoutCancel(ctx), intent)
			if err != nil {
				s.refusals.Restore(s.now(), intent)
			}
			return err
		})
	}
	if err := writers.Wait(); err != nil {
		s.logger.ErrorContext(ctx, "counts of refusals were not recorded", "error", err)
	}
}
