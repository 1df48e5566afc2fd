package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/exchange/client"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
)

func newGrantCommand() *cobra.Command {
	conn := &connection{}
	cmd := &cobra.Command{
		Use:   "grant",
		Short: "Give, see and revoke grants: who may use which fields, for what, until when",
		Long: `A grant lets one application of one province ask for some fields of one resource, for stated purposes, until a date. Operators of the
providing province give and revoke grants; both sides, their auditors and the application itself can read them.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	conn.register(cmd)
	cmd.AddCommand(newGrantCreateCommand(conn), newGrantGetCommand(conn), newGrantListCommand(conn), newGrantRevokeCommand(conn))
	return cmd
}

// grantName takes the identifier alone as well.
func grantName(arg string) string {
	if strings.HasPrefix(arg, "grants/") {
		return arg
	}
	return "grants/" + arg
}

func newGrantGetCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "get GRANT", Short: "Show one grant", Args: cobra.ExactArgs(1), ValidArgsFunction: conn.completeGrants}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			g, err := c.Grants().GetGrant(cmd.Context(), &grantv1.GetGrantRequest{Name: grantName(args[0])})
			if err != nil {
				return fmt.Errorf("reading a grant: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, g, grantDetail(g))
		})
	}
	return cmd
}

func newGrantListCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the grants that you may read, newest first"}
	resource := cmd.Flags().String("resource", "", "only those of this resource")
	requester := cmd.Flags().String("requester", "", "only those of this application (SPIFFE ID)")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("resource", conn.completeResources))
	output, limit := outputFlag(cmd), limitFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			grants, err := pages(cmd, *limit, func(size int32, token string) ([]*grantv1.Grant, string, error) {
				resp, err := c.Grants().ListGrants(cmd.Context(), &grantv1.ListGrantsRequest{
					PageSize: size, PageToken: token, Resource: *resource, Requester: *requester,
				})
				return resp.GetGrants(), resp.GetNextPageToken(), err
			})
			if err != nil {
				return fmt.Errorf("listing grants: %w", err)
			}
			t := table{head: []string{"NAME", "STATE", "REQUESTER", "RESOURCE", "FIELDS", "PURPOSES", "UNTIL"}}
			for _, g := range grants {
				t.add(g.GetName(), enum(g.GetState(), "GRANT_STATE_"), g.GetRequester(), g.GetResource(), strings.Join(g.GetFields(), ","),
					strings.Join(g.GetPurposes(), ","), moment(g.GetExpireTime()))
			}
			return show(cmd.OutOrStdout(), *output, &grantv1.ListGrantsResponse{Grants: grants}, t)
		})
	}
	return cmd
}

func newGrantRevokeCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "revoke GRANT --reason TEXT",
		Short:             "Revoke a grant for good; the next query under it is refused",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: conn.completeGrants,
	}
	reason := cmd.Flags().String("reason", "", "why, readable by both sides")
	etag := cmd.Flags().String("etag", "", "revoke only this version, as shown by get")
	requireFlags(cmd, "reason")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			g, err := c.Grants().RevokeGrant(cmd.Context(), &grantv1.RevokeGrantRequest{Name: grantName(args[0]), Reason: *reason, Etag: *etag})
			if err != nil {
				return fmt.Errorf("revoking a grant: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, g, grantDetail(g))
		})
	}
	return cmd
}

func grantDetail(g *grantv1.Grant) table {
	t := table{}
	t.add("name", g.GetName())
	t.add("state", enum(g.GetState(), "GRANT_STATE_"))
	t.add("requester", g.GetRequester())
	t.add("resource", g.GetResource())
	t.add("fields", strings.Join(g.GetFields(), ", "))
	t.add("purposes", strings.Join(g.GetPurposes(), ", "))
	t.add("service items", orAny(g.GetServiceItems()))
	var bases []string
	for _, b := range g.GetLegalBases() {
		bases = append(bases, enum(b, "LEGAL_BASIS_"))
	}
	t.add("legal bases", orAny(bases))
	t.add("valid", moment(g.GetStartTime())+" to "+moment(g.GetExpireTime()))
	t.add("quota", fmt.Sprintf("%s a second, %s a day", bound(g.GetQuota().GetPerSecond()), bound(g.GetQuota().GetPerDay())))
	t.add("given", moment(g.GetCreateTime())+" by "+dash(g.GetCreator()))
	if g.GetState() == grantv1.GrantState_GRANT_STATE_REVOKED {
		t.add("revoked", moment(g.GetRevokeTime())+" by "+dash(g.GetRevoker())+": "+g.GetRevokeReason())
	}
	t.add("etag", dash(g.GetEtag()))
	return t
}

func orAny(list []string) string {
	if len(list) == 0 {
		return "any"
	}
	return strings.Join(list, ", ")
}

func bound(n int64) string {
	if n == 0 {
		return "any number"
	}
	return fmt.Sprint(n)
}
