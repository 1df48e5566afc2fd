package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/exchange/client"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

// completionTimeout is as long as anybody waits for a Tab. What did not come by then is not suggested.
const completionTimeout = 2 * time.Second

// complete asks the exchange for names that begin with what was typed, one page of them. A shell in the middle of a line is no place for errors:
// without an answer there are no suggestions.
func (c *connection) complete(cmd *cobra.Command, typed string, ask func(context.Context, *client.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completionTimeout)
	defer cancel()
	cmd.SetContext(ctx)
	cmd.SetErr(io.Discard)
	var names []string
	err := c.with(cmd, false, func(cl *client.Client) error {
		all, err := ask(ctx, cl)
		for _, name := range all {
			if strings.HasPrefix(name, typed) {
				names = append(names, name)
			}
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// described adds what shells show beside a name.
func described(name, text string) string { return clean(name) + "\t" + clean(text) }

func (c *connection) completeResources(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.complete(cmd, typed, func(ctx context.Context, cl *client.Client) ([]string, error) {
		parent := "provinces/-"
		if member, _, ok := strings.Cut(typed, "/resources/"); ok {
			parent = member
		}
		resp, err := cl.Catalogue().ListResources(ctx, &cataloguev1.ListResourcesRequest{Parent: parent, PageSize: maxPage})
		var names []string
		for _, r := range resp.GetResources() {
			names = append(names, described(r.GetName(), r.GetTitle().GetZh()))
		}
		return names, err
	})
}

func (c *connection) completeMembers(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.complete(cmd, typed, func(ctx context.Context, cl *client.Client) ([]string, error) {
		resp, err := cl.Registry().ListMembers(ctx, &registryv1.ListMembersRequest{PageSize: maxPage})
		var names []string
		for _, m := range resp.GetMembers() {
			names = append(names, described(strings.TrimPrefix(m.GetName(), "provinces/"), m.GetDisplayNameZh()))
		}
		return names, err
	})
}

func (c *connection) completeGrants(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.complete(cmd, typed, func(ctx context.Context, cl *client.Client) ([]string, error) {
		resp, err := cl.Grants().ListGrants(ctx, &grantv1.ListGrantsRequest{PageSize: maxPage})
		var names []string
		for _, g := range resp.GetGrants() {
			names = append(names, described(g.GetName(), g.GetResource()))
		}
		return names, err
	})
}

// completeFields suggests the fields of the resource that is on the line already.
func (c *connection) completeFields(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.complete(cmd, typed, func(ctx context.Context, cl *client.Client) ([]string, error) {
		r, err := cl.Catalogue().GetResource(ctx, &cataloguev1.GetResourceRequest{Name: args[0]})
		var names []string
		for _, f := range r.GetFields() {
			names = append(names, described(f.GetName(), f.GetTitle().GetZh()))
		}
		return names, err
	})
}
