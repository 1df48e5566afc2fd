package demo

import (
	"context"
	"fmt"

	"github.com/kuasheng/kuasheng/exchange/client"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// dial makes a verifying client of a party. The keys of all journals are pinned, as they would be if the bureaus had exchanged them by hand.
func (st *stage) dial(ctx context.Context, party string) (*client.Client, error) {
	exchange, err := idOf("exchange/exchange")
	if err != nil {
		return nil, err
	}
	return client.Dial(ctx, client.Config{
		Address: st.manifest.GRPC, Exchange: exchange, Identity: st.authorities.identity(partyDir(party)), LogKey: st.logKey,
		JournalKeys: st.journalKeys(), Logger: st.logger,
	})
}

func (st *stage) journalKeys() map[string]string {
	pins := map[string]string{}
	for _, p := range st.provinces {
		if v, err := translog.NewVerifier(p.journalKey); err == nil {
			pins[v.Name()] = p.journalKey
		}
	}
	return pins
}

// register has the administrator make the provinces members, with their authorities and the keys of their journals.
func (st *stage) register(ctx context.Context, n *narrator) error {
	c, err := st.dial(ctx, admin)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // what it frees is of no use to anybody
	for _, p := range st.provinces {
		if st.first {
			bundle, err := st.authorities.byKey[p.key].Bundle().Marshal()
			if err != nil {
				return fmt.Errorf("encoding a bundle: %w", err)
			}
			_, err = c.Registry().CreateMember(ctx, &registryv1.CreateMemberRequest{Member: &registryv1.Member{
				Name: "provinces/" + p.region.Code, Uscc: p.uscc, DisplayNameZh: p.zh, DisplayNameEn: p.en, TrustDomain: p.domain(),
				BundlePem: string(bundle), JournalKeys: []*registryv1.JournalKey{{VerifierKey: p.journalKey}},
				Roles: []registryv1.MemberRole{registryv1.MemberRole_MEMBER_ROLE_PROVIDER, registryv1.MemberRole_MEMBER_ROLE_REQUESTER},
			}})
			if err != nil {
				return fmt.Errorf("registering %s: %w", p.key, err)
			}
		}
		m, err := c.Registry().GetMember(ctx, &registryv1.GetMemberRequest{Name: "provinces/" + p.region.Code})
		if err != nil {
			return fmt.Errorf("looking up the member %s: %w", p.key, err)
		}
		if m.GetTrustDomain() != p.domain() {
			return mustf("the member %s has the trust domain %q", m.GetName(), m.GetTrustDomain())
		}
		n.tellMember(m)
	}
	return nil
}
