package exchange

import (
	"context"

	"github.com/kuasheng/kuasheng/exchange/member"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/protobuf/proto"
)

// registryService tells who belongs to the exchange, and lets administrators change it; the table of methods lets in nobody else to that.
type registryService struct {
	registryv1.UnimplementedRegistryServiceServer
	members  *member.Store
	exchange *registryv1.Exchange
	attached func(region string) []string // replicas of a province's node that are attached now
}

func newRegistryService(members *member.Store, exchange *registryv1.Exchange, attached func(region string) []string) *registryService {
	return &registryService{members: members, exchange: exchange, attached: attached}
}

func (s *registryService) CreateMember(ctx context.Context, req *registryv1.CreateMemberRequest) (*registryv1.Member, error) {
	m, err := s.members.Create(ctx, req.GetMember())
	if err != nil {
		return nil, err
	}
	return s.present(m), nil
}

func (s *registryService) GetMember(_ context.Context, req *registryv1.GetMemberRequest) (*registryv1.Member, error) {
	m, ok := s.members.Get(member.Region(req.GetName()))
	if !ok {
		return nil, refusal.About(auditv1.Reason_REASON_NOT_FOUND, "name", "no such member")
	}
	return s.present(m), nil
}

func (s *registryService) ListMembers(_ context.Context, req *registryv1.ListMembersRequest) (*registryv1.ListMembersResponse, error) {
	after, err := pageCursor(req.GetPageToken(), "members")
	if err != nil {
		return nil, err
	}
	page, more := s.members.List(after, pageSize(req.GetPageSize()))
	resp := &registryv1.ListMembersResponse{Members: make([]*registryv1.Member, len(page))}
	for i, m := range page {
		resp.Members[i] = s.present(m)
	}
	if more {
		resp.NextPageToken = pageToken(member.Region(page[len(page)-1].GetName()), "members")
	}
	return resp, nil
}

func (s *registryService) UpdateMember(ctx context.Context, req *registryv1.UpdateMemberRequest) (*registryv1.Member, error) {
	m, err := s.members.Update(ctx, req.GetMember(), req.GetUpdateMask().GetPaths())
	if err != nil {
		return nil, err
	}
	return s.present(m), nil
}

func (s *registryService) GetExchange(context.Context, *registryv1.GetExchangeRequest) (*registryv1.Exchange, error) {
	return s.exchange, nil
}

// present adds what is known only now to a copy: the member itself is shared.
func (s *registryService) present(m *registryv1.Member) *registryv1.Member {
	shown := proto.CloneOf(m)
	shown.AttachedReplicas = s.attached(member.Region(m.GetName()))
	return shown
}
