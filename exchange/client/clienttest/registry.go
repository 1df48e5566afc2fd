package clienttest

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

// CreateMember implements registryv1.RegistryServiceServer.
func (e *Exchange) CreateMember(_ context.Context, req *registryv1.CreateMemberRequest) (*registryv1.Member, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := proto.CloneOf(req.GetMember())
	if _, ok := e.members[m.GetName()]; ok {
		return nil, refuse(auditv1.Reason_REASON_ALREADY_EXISTS, "%s is a member", m.GetName())
	}
	m.State, m.Etag = registryv1.MemberState_MEMBER_STATE_ACTIVE, "1"
	e.members[m.GetName()] = m
	return proto.CloneOf(m), nil
}

// GetMember implements registryv1.RegistryServiceServer.
func (e *Exchange) GetMember(_ context.Context, req *registryv1.GetMemberRequest) (*registryv1.Member, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m, ok := e.members[req.GetName()]
	if !ok {
		return nil, refuse(auditv1.Reason_REASON_NOT_FOUND, "no such member")
	}
	return proto.CloneOf(m), nil
}

// ListMembers implements registryv1.RegistryServiceServer, on one page.
func (e *Exchange) ListMembers(context.Context, *registryv1.ListMembersRequest) (*registryv1.ListMembersResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	resp := &registryv1.ListMembersResponse{}
	for _, m := range e.members {
		resp.Members = append(resp.Members, proto.CloneOf(m))
	}
	slices.SortFunc(resp.Members, func(a, b *registryv1.Member) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return resp, nil
}

// UpdateMember implements registryv1.RegistryServiceServer for the fields that commands change.
func (e *Exchange) UpdateMember(_ context.Context, req *registryv1.UpdateMemberRequest) (*registryv1.Member, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m, ok := e.members[req.GetMember().GetName()]
	if !ok {
		return nil, refuse(auditv1.Reason_REASON_NOT_FOUND, "no such member")
	}
	if tag := req.GetMember().GetEtag(); tag != "" && tag != m.GetEtag() {
		return nil, refuse(auditv1.Reason_REASON_ETAG_MISMATCH, "the member has changed")
	}
	m = proto.CloneOf(m)
	from, to := req.GetMember().ProtoReflect(), m.ProtoReflect()
	for _, path := range req.GetUpdateMask().GetPaths() {
		field := to.Descriptor().Fields().ByTextName(path)
		if field == nil {
			return nil, refuse(auditv1.Reason_REASON_ARGUMENT_INVALID, "no field %q", path)
		}
		if from.Has(field) {
			to.Set(field, from.Get(field))
		} else {
			to.Clear(field)
		}
	}
	m.Etag += "1"
	e.members[m.GetName()] = m
	return proto.CloneOf(m), nil
}

// GetExchange implements registryv1.RegistryServiceServer.
func (e *Exchange) GetExchange(context.Context, *registryv1.GetExchangeRequest) (*registryv1.Exchange, error) {
	return &registryv1.Exchange{Name: "exchange", TrustDomain: ExchangeDomain, LogVerifierKey: e.Log.Key}, nil
}

// SetJournalKeys replaces the registered keys of the provider's journals.
func (e *Exchange) SetJournalKeys(keys ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := proto.CloneOf(e.members[Provider])
	m.JournalKeys = nil
	for _, k := range keys {
		m.JournalKeys = append(m.JournalKeys, &registryv1.JournalKey{VerifierKey: k})
	}
	e.members[Provider] = m
}
