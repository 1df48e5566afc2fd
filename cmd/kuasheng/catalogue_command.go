package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kuasheng/kuasheng/exchange/client"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
)

// maxResource is several times the largest entry: 500 fields with descriptions at their limit.
const maxResource = 4 << 20

func newCatalogueCommand() *cobra.Command {
	conn := &connection{}
	cmd := &cobra.Command{
		Use:   "catalogue",
		Short: "See what provinces share, and publish or withdraw entries",
		Long: `The catalogue holds one entry for each resource that a province shares: its fields, the parameters of a query, its share type and conditions.
Everybody may read it. A province's node publishes its entries by itself; operators of the province may do so by hand.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	conn.register(cmd)
	cmd.AddCommand(newCatalogueListCommand(conn), newCatalogueGetCommand(conn), newCataloguePublishCommand(conn), newCatalogueWithdrawCommand(conn))
	return cmd
}

func newCatalogueListCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List entries by name",
		Example: "  kuasheng catalogue list --province 410000",
	}
	province := cmd.Flags().String("province", "-", "region code of the province, - for all")
	withdrawn := cmd.Flags().Bool("withdrawn", false, "withdrawn entries too")
	output, limit := outputFlag(cmd), limitFlag(cmd)
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("province", conn.completeMembers))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			resources, err := pages(cmd, *limit, func(size int32, token string) ([]*cataloguev1.Resource, string, error) {
				resp, err := c.Catalogue().ListResources(cmd.Context(), &cataloguev1.ListResourcesRequest{
					Parent: memberName(*province), PageSize: size, PageToken: token, ShowWithdrawn: *withdrawn,
				})
				return resp.GetResources(), resp.GetNextPageToken(), err
			})
			if err != nil {
				return fmt.Errorf("listing the catalogue: %w", err)
			}
			t := table{head: []string{"NAME", "标题", "PROVIDER", "SHARED", "GRADE", "STATE"}}
			for _, r := range resources {
				t.add(r.GetName(), r.GetTitle().GetZh(), r.GetProvider().GetDisplayName(), enum(r.GetSharing().GetType(), "SHARE_TYPE_"),
					enum(r.GetGrade(), "GRADE_"), enum(r.GetState(), "RESOURCE_STATE_"))
			}
			return show(cmd.OutOrStdout(), *output, &cataloguev1.ListResourcesResponse{Resources: resources}, t)
		})
	}
	return cmd
}

func newCatalogueGetCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "get RESOURCE",
		Short:             "Show an entry with its fields and parameters",
		Example:           "  kuasheng catalogue get provinces/410000/resources/307410000001-000001",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: conn.completeResources,
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			r, err := c.Catalogue().GetResource(cmd.Context(), &cataloguev1.GetResourceRequest{Name: args[0]})
			if err != nil {
				return fmt.Errorf("reading an entry: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, r, resourceDetail(r))
		})
	}
	return cmd
}

func newCataloguePublishCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "publish FILE",
		Short: "Publish an entry, new or changed, from JSON",
		Long: `Publishes the entry in FILE (- for standard input): the JSON that "kuasheng catalogue get -o json" prints. For operators of the province.
Publishing what is there already changes nothing. With an etag in the file it is refused if the entry has changed since.`,
		Example: "  kuasheng catalogue get -o json provinces/410000/resources/307410000001-000001 > entry.json\n  kuasheng catalogue publish entry.json",
		Args:    cobra.ExactArgs(1),
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := readBounded(args[0], cmd.InOrStdin(), maxResource)
		if err != nil {
			return err
		}
		entry := &cataloguev1.Resource{}
		if err := protojson.Unmarshal(data, entry); err != nil {
			return fmt.Errorf("reading entry %q: %w", args[0], err)
		}
		return conn.with(cmd, false, func(c *client.Client) error {
			r, err := c.Catalogue().PublishResource(cmd.Context(), &cataloguev1.PublishResourceRequest{Resource: entry})
			if err != nil {
				return fmt.Errorf("publishing an entry: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, r, resourceDetail(r))
		})
	}
	return cmd
}

func newCatalogueWithdrawCommand(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "withdraw RESOURCE",
		Short: "Withdraw an entry: it stays readable and is not routed any more",
		Long: `Withdraws an entry until it is published anew. For operators of the province. It stays withdrawn, whatever the province's node does by
itself, until an operator publishes it or its entry in the node's file changes.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: conn.completeResources,
	}
	etag := cmd.Flags().String("etag", "", "withdraw only this version, as shown by get")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return conn.with(cmd, false, func(c *client.Client) error {
			r, err := c.Catalogue().WithdrawResource(cmd.Context(), &cataloguev1.WithdrawResourceRequest{Name: args[0], Etag: *etag})
			if err != nil {
				return fmt.Errorf("withdrawing an entry: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, r, resourceDetail(r))
		})
	}
	return cmd
}

func resourceDetail(r *cataloguev1.Resource) table {
	t := table{}
	t.add("name", r.GetName())
	t.add("标题", r.GetTitle().GetZh(), r.GetTitle().GetEn())
	t.add("code", r.GetCode())
	t.add("provider", r.GetProvider().GetDisplayName(), r.GetProvider().GetUscc())
	t.add("state", enum(r.GetState(), "RESOURCE_STATE_"), fmt.Sprintf("revision %d, etag %s", r.GetRevision(), dash(r.GetEtag())))
	t.add("shared", enum(r.GetSharing().GetType(), "SHARE_TYPE_"), enum(r.GetSharing().GetMode(), "SHARE_MODE_"))
	if c := r.GetSharing().GetCondition(); c != "" {
		t.add("condition", c, strings.Join(r.GetSharing().GetUses(), "; "))
	}
	t.add("grade", enum(r.GetGrade(), "GRADE_"))
	t.add("updated", enum(r.GetUpdateCycle(), "UPDATE_CYCLE_"), "entry changed "+moment(r.GetUpdateTime()))
	for _, f := range r.GetFields() {
		notes := enum(f.GetType(), "FIELD_TYPE_")
		if f.GetMask() != "" {
			notes += ", masked: " + f.GetMask()
		}
		if f.GetUnit() != "" {
			notes += ", in " + f.GetUnit()
		}
		t.add("field", f.GetName(), f.GetTitle().GetZh(), notes)
	}
	for _, p := range r.GetParameters() {
		notes := enum(p.GetType(), "FIELD_TYPE_")
		if p.GetFormat() != "" {
			notes += ", " + p.GetFormat()
		}
		if p.GetRequired() {
			notes += ", required"
		}
		t.add("parameter", p.GetName(), p.GetTitle().GetZh(), notes)
	}
	return t
}
