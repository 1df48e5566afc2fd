package grant

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Create gives a grant and returns it. The same request id of the same creator returns the grant of the first time, as it is now; with
// another content it is refused, since the operator would take the old grant for the new one. It refuses with OVERLOADED where a province's
// operators give grants too fast, and with RULE_VIOLATED where there is no room for more: see limits. Whether the creator may speak for the
// resource's province is not asked here.
func (s *Store) Create(ctx context.Context, in *grantv1.Grant, creator certs.ID, requestID string) (*grantv1.Grant, error) {
	wanted, digest, err := content(in)
	if err != nil {
		return nil, err
	}
	requestKey := state.GrantRequestKey(creator.String(), requestID)
	held := false
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if requestID != "" {
			earlier, err := s.earlier(requestKey, digest)
			if earlier != nil || err != nil {
				return earlier, err
			}
		}
		now := s.now()
		if !held { // once, however often others are first
			if err := s.pace.hold(now, creator, s.limits.rate); err != nil {
				return nil, err
			}
			held = true
		}
		g := proto.CloneOf(wanted)
		if g.GetStartTime() == nil {
			g.StartTime = timestamppb.New(now)
		}
		rests, err := s.check(g, now)
		if err != nil {
			return nil, err
		}
		g.Name = "grants/" + newID()
		g.State = grantv1.GrantState_GRANT_STATE_ACTIVE
		g.Creator, g.CreateTime = creator.String(), timestamppb.New(now)
		g.ResourceRevision, g.Revision = rests.resource.GetRevision(), 1

		value, err := state.Encode(g)
		if err != nil {
			return nil, err
		}
		change := append(state.Change{{Key: state.GrantKey(g.GetName()), Value: value}}, rests.conditions...)
		if requestID != "" {
			change = append(change, state.Write{Key: requestKey, Value: append(digest[:], g.GetName()...)})
		}
		revision, err := s.state.Commit(ctx, change)
		if err == nil {
			g.Etag = state.Etag(revision)
			return g, nil
		} else if !errors.Is(err, state.ErrConflict) {
			return nil, err
		}
	}
}

// earlier returns the grant that a request id has led to before, or nil.
func (s *Store) earlier(key state.Key, digest [sha256.Size]byte) (*grantv1.Grant, error) {
	entry, ok, err := s.state.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	if len(entry.Value) <= len(digest) {
		return nil, errors.New("reading a remembered request: it is cut off")
	}
	if [sha256.Size]byte(entry.Value) != digest {
		return nil, refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "request_id", "was used for another grant: choose a new one")
	}
	g, ok := s.Get(string(entry.Value[len(digest):]))
	if !ok {
		return nil, errors.New("reading a remembered request: its grant is missing")
	}
	return g, nil
}

// content copies what a caller may set, and digests it as it was sent. Fields that this program does not know are dropped: nobody has
// checked what they hold.
func content(in *grantv1.Grant) (*grantv1.Grant, [sha256.Size]byte, error) {
	data, err := state.Encode(in)
	if err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	all := &grantv1.Grant{}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, all); err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	g := &grantv1.Grant{
		Resource: all.GetResource(), Requester: all.GetRequester(), Fields: all.GetFields(), Purposes: all.GetPurposes(),
		ServiceItems: all.GetServiceItems(), LegalBases: all.GetLegalBases(), StartTime: all.GetStartTime(), ExpireTime: all.GetExpireTime(),
		Quota: all.GetQuota(),
	}
	if data, err = state.Encode(g); err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	return g, sha256.Sum256(data), nil
}

// newID returns a random UUID (RFC 9562 version 4): a grant's name tells nothing, and cannot be guessed.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: see its documentation
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
