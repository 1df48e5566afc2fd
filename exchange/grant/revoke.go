package grant

import (
	"context"
	"errors"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/rule"
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Revoke ends a grant for good and returns it; no query that is decided after that is permitted by it. With an etag it does so only if the
// grant is still at that version. It refuses with NOT_FOUND, ETAG_MISMATCH, RULE_VIOLATED for a grant that is revoked already, or
// IDENTITY_NUMBER_IN_TEXT. Whether the revoker may speak for the province is not asked here.
func (s *Store) Revoke(ctx context.Context, name, reason, etag string, revoker certs.ID) (*grantv1.Grant, error) {
	var mistakes rule.Mistakes
	mistakes.Text("reason", reason)
	if err := mistakes.Err(); err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		old, ok := s.get(name)
		switch {
		case !ok:
			return nil, refusal.About(auditv1.Reason_REASON_NOT_FOUND, "name", "no such grant")
		case etag != "" && etag != old.grant.GetEtag():
			return nil, refusal.About(auditv1.Reason_REASON_ETAG_MISMATCH, "etag", "the grant has changed since: read it again")
		case old.grant.GetState() == grantv1.GrantState_GRANT_STATE_REVOKED:
			return nil, refusal.About(auditv1.Reason_REASON_RULE_VIOLATED, "name", "the grant is revoked already")
		}
		g := proto.CloneOf(old.grant)
		g.State = grantv1.GrantState_GRANT_STATE_REVOKED
		g.Revoker, g.RevokeTime, g.RevokeReason = revoker.String(), timestamppb.New(s.now()), reason
		g.Revision++
		g.Etag = ""
		value, err := state.Encode(g)
		if err != nil {
			return nil, err
		}
		revision, err := s.state.Commit(ctx, state.Change{{Key: state.GrantKey(name), Expected: old.revision, Value: value}})
		if err == nil {
			g.Etag = state.Etag(revision)
			return g, nil
		} else if !errors.Is(err, state.ErrConflict) {
			return nil, err
		}
	}
}
