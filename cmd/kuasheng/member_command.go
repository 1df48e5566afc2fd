package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/kuasheng/kuasheng/exchange/client"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

func newMemberCommand() *cobra.Command {
	conn := &connection{}
	cmd := &cobra.Command{
		Use:   "member",
		Short: "Keep who belongs to the exchange: provinces, their trust bundles and journal keys",
		Long: `A member is one province's bureau. The exchange trusts callers of its trust domain under the bundle registered here, and believes its
answers under the journal keys registered here. Everybody may read members; only administrators change them.

There is no deletion: a member's keys stay needed to verify what it wrote. Suspend it instead: that takes effect on open connections too.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	conn.register(cmd)
	cmd.AddCommand(
		newMemberCreateCommand(conn), newMemberUpdateCommand(conn), newMemberGetCommand(conn), newMemberListCommand(conn),
		newMemberStateCommand(conn, "suspend", "Refuse a member's calls and route nothing to it", registryv1.MemberState_MEMBER_STATE_SUSPENDED),
		newMemberStateCommand(conn, "reinstate", "Let a suspended member take part again", registryv1.MemberState_MEMBER_STATE_ACTIVE),
	)
	return cmd
}

// memberName takes "410000" as well as "provinces/410000".
func memberName(arg string) string {
	if strings.HasPrefix(arg, "provinces/") {
		return arg
	}
	return "provinces/" + arg
}

func newMemberGetCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "get REGION",
		Short:             "Show one member",
		Example:           "  kuasheng member get 410000",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: conn.completeMembers,
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			m, err := c.Registry().GetMember(cmd.Context(), &registryv1.GetMemberRequest{Name: memberName(args[0])})
			if err != nil {
				return fmt.Errorf("reading a member: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, m, memberDetail(m))
		})
	}
	return cmd
}

func newMemberListCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List members by region code"}
	output, limit := outputFlag(cmd), limitFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			members, err := pages(cmd, *limit, func(size int32, token string) ([]*registryv1.Member, string, error) {
				resp, err := c.Registry().ListMembers(cmd.Context(), &registryv1.ListMembersRequest{PageSize: size, PageToken: token})
				return resp.GetMembers(), resp.GetNextPageToken(), err
			})
			if err != nil {
				return fmt.Errorf("listing members: %w", err)
			}
			t := table{head: []string{"NAME", "省", "STATE", "TRUST DOMAIN", "ROLES", "ATTACHED"}}
			for _, m := range members {
				t.add(m.GetName(), m.GetDisplayNameZh(), enum(m.GetState(), "MEMBER_STATE_"), m.GetTrustDomain(), roles(m), fmt.Sprint(len(m.GetAttachedReplicas())))
			}
			return show(cmd.OutOrStdout(), *output, &registryv1.ListMembersResponse{Members: members}, t)
		})
	}
	return cmd
}

func newMemberStateCommand(conn *connection, use, short string, state registryv1.MemberState) *cobra.Command {
	cmd := &cobra.Command{
		Use:               use + " REGION",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: conn.completeMembers,
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			m, err := c.Registry().UpdateMember(cmd.Context(), &registryv1.UpdateMemberRequest{
				Member:     &registryv1.Member{Name: memberName(args[0]), State: state},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"state"}},
			})
			if err != nil {
				return fmt.Errorf("changing a member: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, m, memberDetail(m))
		})
	}
	return cmd
}

func memberDetail(m *registryv1.Member) table {
	t := table{}
	t.add("name", m.GetName())
	t.add("名称", m.GetDisplayNameZh())
	t.add("name in English", m.GetDisplayNameEn())
	t.add("USCC", m.GetUscc())
	t.add("state", enum(m.GetState(), "MEMBER_STATE_"))
	t.add("roles", roles(m))
	t.add("trust domain", m.GetTrustDomain())
	for _, k := range m.GetJournalKeys() {
		t.add("journal key", k.GetVerifierKey())
	}
	t.add("attached", dash(strings.Join(m.GetAttachedReplicas(), ", ")))
	t.add("changed", moment(m.GetUpdateTime()))
	t.add("etag", dash(m.GetEtag()))
	return t
}

func roles(m *registryv1.Member) string {
	var names []string
	for _, r := range m.GetRoles() {
		names = append(names, enum(r, "MEMBER_ROLE_"))
	}
	return dash(strings.Join(names, ","))
}
