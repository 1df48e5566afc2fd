package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kuasheng/kuasheng/internal/daemon"
	"github.com/spf13/cobra"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "kuasheng",
		Short: "Share data between provincial government platforms, with every access on record",
		Long: `Kuasheng (跨省) shares data between provincial government platforms and puts every access on record.

The life of a query:
  1. A province publishes a resource in the catalogue                     kuasheng catalogue list
  2. and grants fields of it to another province's application            kuasheng grant create
  3. The application asks: fields, parameters, purpose, case              kuasheng query
  4. The exchange finds the grant and decides
  5. and puts the decision on record, permitted or refused, before anything leaves
  6. The province's node checks the proof of that record and its own policy,
  7. puts its answer on record in its own journal, and sends it
  8. The exchange passes it on with both proofs; query verifies them      kuasheng query --receipt FILE
  9. Auditors read the log, also of refusals                              kuasheng audit list
 10. and anybody who has a copy can verify it without trusting anyone     kuasheng audit verify

Whom to call and as whom comes from flags, from the environment, or from a profile; the first that is set counts:
` + settingsHelp() + `
The certificates come from your bureau's authority, or for trials from "kuasheng certs". See "kuasheng help profile" for the profile.
Exit status: 0 done, 1 failed or refused, 2 wrong usage.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       daemon.Version(),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// Cobra reports missing flags without a type of error; asking it here, where it has not yet, makes them usage errors.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return asUsage(errors.Join(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()))
		},
	}
	root.AddCommand(
		newQueryCommand(), newCatalogueCommand(), newGrantCommand(), newMemberCommand(), newAuditCommand(),
		newCertsCommand(), newDemoCommand(), newBenchCommand(), newProfileTopic(),
	)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return asUsage(err) })
	checkArguments(root)
	return root
}

// checkArguments makes wrong arguments usage errors, on all commands.
func checkArguments(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = noArguments
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error { return asUsage(check(cmd, args)) }
	for _, c := range cmd.Commands() {
		checkArguments(c)
	}
}

// noArguments is for commands that only hold others: what comes is a misspelt one.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2 // two wrong letters; cobra sets it only where it asks itself
	err := fmt.Errorf("%q has no command %q", cmd.CommandPath(), args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}
