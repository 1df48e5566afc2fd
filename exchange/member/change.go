package member

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/kuasheng/kuasheng/exchange/rule"
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Create registers a member and returns it as registered. It refuses with ARGUMENT_INVALID, RULE_VIOLATED or ALREADY_EXISTS.
func (s *Store) Create(ctx context.Context, in *registryv1.Member) (*registryv1.Member, error) {
	m, err := input(in)
	if err != nil {
		return nil, err
	}
	if m.State == registryv1.MemberState_MEMBER_STATE_UNSPECIFIED {
		m.State = registryv1.MemberState_MEMBER_STATE_ACTIVE
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		others := s.snapshot()
		if _, taken := others.records[Region(m.GetName())]; taken {
			return nil, refusal.About(auditv1.Reason_REASON_ALREADY_EXISTS, "member.name", "the region is a member already")
		}
		if err := s.check(m, others); err != nil {
			return nil, err
		}
		now := timestamppb.New(s.now())
		m.CreateTime, m.UpdateTime = now, now
		if err := s.commit(ctx, m, 0, others.guard); !errors.Is(err, state.ErrConflict) {
			return m, err
		}
	}
}

// Update changes the fields of a member that mask names and returns the member. With an etag in the member it does so only if the member
// is still at that version. It refuses with ARGUMENT_INVALID, RULE_VIOLATED, NOT_FOUND or ETAG_MISMATCH.
func (s *Store) Update(ctx context.Context, in *registryv1.Member, mask []string) (*registryv1.Member, error) {
	wanted, err := input(in)
	if err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		others := s.snapshot()
		old, ok := others.records[Region(wanted.GetName())]
		if !ok {
			return nil, refusal.About(auditv1.Reason_REASON_NOT_FOUND, "member.name", "the region is no member")
		}
		if in.GetEtag() != "" && in.GetEtag() != old.member.GetEtag() {
			return nil, refusal.About(auditv1.Reason_REASON_ETAG_MISMATCH, "member.etag", "the member has changed since: read it again")
		}
		m := proto.CloneOf(old.member)
		if err := merge(m, wanted, mask); err != nil {
			return nil, err
		}
		if err := s.check(m, others); err != nil {
			return nil, err
		}
		if proto.Equal(m, old.member) {
			return old.member, nil
		}
		m.UpdateTime = timestamppb.New(s.now())
		if err := s.commit(ctx, m, old.revision, others.guard); !errors.Is(err, state.ErrConflict) {
			return m, err
		}
	}
}

// input copies what a caller may set. Fields that this program does not know are dropped: nobody has checked what they hold.
func input(in *registryv1.Member) (*registryv1.Member, error) {
	data, err := state.Encode(in)
	if err != nil {
		return nil, err
	}
	m := &registryv1.Member{}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, m); err != nil {
		return nil, err
	}
	m.Etag, m.CreateTime, m.UpdateTime, m.AttachedReplicas = "", nil, nil, nil
	return m, nil
}

// merge copies the fields that mask names.
func merge(to, from *registryv1.Member, mask []string) error {
	var mistakes rule.Mistakes
	for _, path := range mask {
		switch path {
		case "uscc":
			to.Uscc = from.GetUscc()
		case "display_name_zh":
			to.DisplayNameZh = from.GetDisplayNameZh()
		case "display_name_en":
			to.DisplayNameEn = from.GetDisplayNameEn()
		case "bundle_pem":
			to.BundlePem = from.GetBundlePem()
		case "journal_keys":
			to.JournalKeys = from.GetJournalKeys()
		case "roles":
			to.Roles = from.GetRoles()
		case "state":
			to.State = from.GetState()
		case "name", "etag":
			// REST callers get a mask of everything that stands in their body. These two say which member is meant.
		case "trust_domain":
			if to.GetTrustDomain() != from.GetTrustDomain() {
				mistakes.Argument("member.trust_domain", "a trust domain cannot be changed")
			}
		default:
			mistakes.Argument("update_mask", "only uscc, display_name_zh, display_name_en, bundle_pem, journal_keys, roles and state can be changed")
		}
	}
	if len(mask) == 0 {
		mistakes.Argument("update_mask", "name the fields to change")
	}
	return mistakes.Err()
}

// members is all of the registry at one moment.
type members struct {
	records map[string]*record
	guard   uint64
}

func (s *Store) snapshot() members {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return members{maps.Clone(s.byRegion), s.guard}
}

// commit writes a member that was checked against the members at guard, and sets its etag.
func (s *Store) commit(ctx context.Context, m *registryv1.Member, expected, guard uint64) error {
	m.Etag = ""
	value, err := state.Encode(m)
	if err != nil {
		return err
	}
	revision, err := s.state.Commit(ctx, state.Change{
		{Key: state.MemberKey(Region(m.GetName())), Expected: expected, Value: value},
		{Key: state.MemberSet, Expected: guard, Value: []byte{}},
	})
	if err != nil {
		return err
	}
	m.Etag = state.Etag(revision)
	return nil
}

// others calls yield for every member but the one of that region, in the order of regions, so that the same mistake is always
// reported the same way.
func (m members) others(region string, yield func(*record)) {
	for _, code := range slices.Sorted(maps.Keys(m.records)) {
		if code != region {
			yield(m.records[code])
		}
	}
}
