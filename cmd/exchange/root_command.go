package main

import "github.com/spf13/cobra"

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "exchange",
		Short: "Run an exchange of Kuasheng, which routes queries between provinces and puts every access on record",
		Long: `The exchange knows the members, the catalogue and the grants. It decides on every request, puts the decision on record before anything
leaves, and routes what is permitted to the province that holds the data.

From an empty directory to a running exchange:
  1. exchange init --dir DIR --domain exchange.example     makes configuration, key and empty stores
  2. put its certificate where exchange.yaml says          for trials: kuasheng certs init, kuasheng certs issue
  3. exchange check --config DIR/exchange.yaml             tells everything that is still wrong
  4. exchange serve --config DIR/exchange.yaml
  5. register the members                                  kuasheng member create

Exit status: 0 done, 1 failed, 2 wrong usage.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newInitCommand(), newCheckCommand(), newServeCommand())
	return root
}

// configFlag adds --config.
func configFlag(cmd *cobra.Command) *string {
	path := cmd.Flags().String("config", "exchange.yaml", "the exchange's file, written by \"exchange init\"")
	cobra.CheckErr(cmd.MarkFlagFilename("config", "yaml", "yml"))
	return path
}
