package main

import "github.com/spf13/cobra"

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "node",
		Short: "Run a province's node of Kuasheng, which answers queries from the province's own sources",
		Long: `A node dials out to the exchange and stays attached; no inbound port is needed. It answers only what is proven to be on record in the
exchange's log and what the province's own policy allows, and puts every answer into its journal before the answer leaves.

From an empty directory to a running node:
  1. node init --dir DIR --region 410000 --domain henan.example ...   makes file, keys and journal
  2. put its certificate where node.yaml says                        for trials: kuasheng certs init, kuasheng certs issue
  3. have the exchange's administrator register the journal's key    kuasheng member create, kuasheng member update
  4. write sources and resources into node.yaml
  5. node check --config DIR/node.yaml                               tests every mapping against its real source
  6. node serve --config DIR/node.yaml

Several nodes ("replicas") of a province share the load: give each its own --dir and --replica, and the first one's --pseudonym-key.

Exit status: 0 done, 1 failed, 2 wrong usage.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newInitCommand(), newCheckCommand(), newServeCommand())
	return root
}

// configFlag adds --config.
func configFlag(cmd *cobra.Command) *string {
	path := cmd.Flags().String("config", "node.yaml", "the node's file, written by \"node init\"")
	cobra.CheckErr(cmd.MarkFlagFilename("config", "yaml", "yml"))
	return path
}
