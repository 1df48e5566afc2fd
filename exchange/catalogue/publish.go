package catalogue

import (
	"context"
	"errors"

	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Publish makes an entry for an operator, or changes it, or publishes it again after it was withdrawn, and returns it. Publishing what is
// published already changes nothing. With an etag in the entry it does so only if the entry is still at that version. It refuses with
// ARGUMENT_INVALID, IDENTITY_NUMBER_IN_TEXT, RULE_VIOLATED or ETAG_MISMATCH. Whether the caller may is not asked here.
func (s *Store) Publish(ctx context.Context, in *cataloguev1.Resource) (*cataloguev1.Resource, error) {
	return s.publish(ctx, in, cataloguev1.Withdrawer_WITHDRAWER_OPERATOR)
}

// PublishByNode is Publish for a node, which says what its file says whenever it attaches: it brings back what an operator has withdrawn only
// with other content, or every renewal of its SVID would undo the operator's decision.
func (s *Store) PublishByNode(ctx context.Context, in *cataloguev1.Resource) (*cataloguev1.Resource, error) {
	return s.publish(ctx, in, cataloguev1.Withdrawer_WITHDRAWER_NODE)
}

func (s *Store) publish(ctx context.Context, in *cataloguev1.Resource, by cataloguev1.Withdrawer) (*cataloguev1.Resource, error) {
	content, err := contentOf(in)
	if err != nil {
		return nil, err
	}
	if err := check(content); err != nil {
		return nil, err
	}
	return s.change(ctx, in.GetName(), in.GetEtag(), func(old *cataloguev1.Resource) (*cataloguev1.Resource, error) {
		next := proto.CloneOf(content)
		next.PublishTime = old.GetPublishTime()
		if old == nil {
			next.PublishTime = timestamppb.New(s.now())
		}
		if by < old.GetWithdrawer() {
			kept, err := contentOf(old)
			if err != nil {
				return nil, err
			}
			if proto.Equal(kept, content) {
				return proto.CloneOf(old), nil
			}
		}
		next.State = cataloguev1.ResourceState_RESOURCE_STATE_PUBLISHED
		return next, nil
	})
}

// Withdraw takes an entry out of use for an operator and returns it. Withdrawing what an operator has withdrawn already changes nothing. It
// refuses with NOT_FOUND or ETAG_MISMATCH. Whether the caller may is not asked here.
func (s *Store) Withdraw(ctx context.Context, name, etag string) (*cataloguev1.Resource, error) {
	return s.withdraw(ctx, name, etag, cataloguev1.Withdrawer_WITHDRAWER_OPERATOR)
}

// WithdrawByNode is Withdraw for a node. An entry that an operator has withdrawn stays the operator's.
func (s *Store) WithdrawByNode(ctx context.Context, name, etag string) (*cataloguev1.Resource, error) {
	return s.withdraw(ctx, name, etag, cataloguev1.Withdrawer_WITHDRAWER_NODE)
}

func (s *Store) withdraw(ctx context.Context, name, etag string, by cataloguev1.Withdrawer) (*cataloguev1.Resource, error) {
	return s.change(ctx, name, etag, func(old *cataloguev1.Resource) (*cataloguev1.Resource, error) {
		if old == nil {
			return nil, refusal.About(auditv1.Reason_REASON_NOT_FOUND, "name", "no such resource")
		}
		next := proto.CloneOf(old)
		next.State = cataloguev1.ResourceState_RESOURCE_STATE_WITHDRAWN
		next.Withdrawer = max(by, old.GetWithdrawer())
		return next, nil
	})
}

// change brings an entry from what it is (nil if there is none) to what edit makes of it. If somebody else changes it meanwhile, edit is
// asked again.
func (s *Store) change(ctx context.Context, name, etag string, edit func(*cataloguev1.Resource) (*cataloguev1.Resource, error)) (*cataloguev1.Resource, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		old, _ := s.get(name)
		next, err := edit(old.resource)
		if err != nil {
			return nil, err
		}
		if etag != "" && etag != old.resource.GetEtag() {
			return nil, refusal.About(auditv1.Reason_REASON_ETAG_MISMATCH, "etag", "the entry has changed since: read it again")
		}
		next.Revision, next.UpdateTime, next.Etag = old.resource.GetRevision(), old.resource.GetUpdateTime(), old.resource.GetEtag()
		if proto.Equal(next, old.resource) {
			return old.resource, nil
		}
		next.Revision++
		next.UpdateTime, next.Etag = timestamppb.New(s.now()), ""
		value, err := state.Encode(next)
		if err != nil {
			return nil, err
		}
		revision, err := s.state.Commit(ctx, state.Change{{Key: state.ResourceKey(name), Expected: old.revision, Value: value}})
		switch {
		case err == nil:
			next.Etag = state.Etag(revision)
			return next, nil
		case errors.Is(err, state.ErrTooLarge):
			return nil, refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "resource", "an entry may have %d KiB", state.MaxChange>>10)
		case !errors.Is(err, state.ErrConflict):
			return nil, err
		}
	}
}

// contentOf copies what a caller may set. Fields that this program does not know are dropped: nobody has checked what they hold.
func contentOf(in *cataloguev1.Resource) (*cataloguev1.Resource, error) {
	data, err := state.Encode(in)
	if err != nil {
		return nil, err
	}
	r := &cataloguev1.Resource{}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, r); err != nil {
		return nil, err
	}
	r.State, r.Withdrawer, r.Revision, r.Etag, r.PublishTime, r.UpdateTime = 0, 0, 0, "", nil, nil
	return r, nil
}
