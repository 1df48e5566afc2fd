package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// publishTime bounds the wait for the node to attach and to publish its entry.
const publishTime = 20 * time.Second

// as runs f on a connection to the exchange under an identity.
func (x *system) as(ctx context.Context, who certs.Files, f func(grpc.ClientConnInterface) error) (err error) {
	source, err := certs.OpenFiles(ctx, who, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	server, err := certs.ParseID(exchangeID)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("passthrough:///"+x.address, grpc.WithTransportCredentials(certs.ClientCredentials(source, source, server)))
	if err != nil {
		return fmt.Errorf("preparing a connection: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return f(conn)
}

// registerMembers makes provider and requester members.
func (x *system) registerMembers(ctx context.Context) error {
	members := []struct {
		region, uscc, domain, zh, en string
		ca                           *devca.CA
		keys                         []*registryv1.JournalKey
	}{
		{provider, providerUSCC, providerDomain, "测试提供方数据局", "Provider of the bench", x.provider, []*registryv1.JournalKey{{VerifierKey: x.journalKey}}},
		{"330000", "11330000MB0D00336R", requesterDomain, "测试需求方数据局", "Requester of the bench", x.requester, nil},
	}
	return x.as(ctx, x.admin, func(conn grpc.ClientConnInterface) error {
		for _, m := range members {
			bundle, err := m.ca.Bundle().Marshal()
			if err != nil {
				return fmt.Errorf("encoding the bundle of %s: %w", m.domain, err)
			}
			_, err = registryv1.NewRegistryServiceClient(conn).CreateMember(ctx, &registryv1.CreateMemberRequest{Member: &registryv1.Member{
				Name: "provinces/" + m.region, Uscc: m.uscc, DisplayNameZh: m.zh, DisplayNameEn: m.en, TrustDomain: m.domain, BundlePem: string(bundle),
				Roles:       []registryv1.MemberRole{registryv1.MemberRole_MEMBER_ROLE_PROVIDER, registryv1.MemberRole_MEMBER_ROLE_REQUESTER},
				JournalKeys: m.keys,
			}})
			if err != nil {
				return fmt.Errorf("registering %s: %w", m.region, err)
			}
		}
		return nil
	})
}

// grant waits until the node has published its entry, and lets the requester's application ask for all of it.
func (x *system) grant(ctx context.Context) error {
	return x.as(ctx, x.operator, func(conn grpc.ClientConnInterface) error {
		if err := awaitPublished(ctx, cataloguev1.NewCatalogueServiceClient(conn)); err != nil {
			return err
		}
		_, err := grantv1.NewGrantServiceClient(conn).CreateGrant(ctx, &grantv1.CreateGrantRequest{Grant: &grantv1.Grant{
			Resource: resourceName, Requester: requesterID, Fields: fields(), Purposes: []string{purposeCode},
			ExpireTime: timestamppb.New(time.Now().Add(lifetime)),
		}})
		if err != nil {
			return fmt.Errorf("granting: %w", err)
		}
		return nil
	})
}

func awaitPublished(ctx context.Context, api cataloguev1.CatalogueServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := api.GetResource(ctx, &cataloguev1.GetResourceRequest{Name: resourceName})
		if err == nil {
			return nil
		}
		if status.Code(err) != codes.NotFound {
			return fmt.Errorf("waiting for the node to publish: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the node to publish: %w", ctx.Err())
		}
	}
}
