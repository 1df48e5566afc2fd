package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const (
	// maxPage is what servers give at most.
	maxPage = 1000
	// defaultLimit fits a screen or ten.
	defaultLimit = 200
	// maxLimit bounds memory: three times the resources of the national platform.
	maxLimit = 100_000
)

// limitFlag adds --limit to a listing command.
func limitFlag(cmd *cobra.Command) *int {
	return cmd.Flags().Int("limit", defaultLimit, fmt.Sprintf("how many to list at most, up to %d", maxLimit))
}

// pages asks for pages until limit things have come, and says on stderr when there are more.
func pages[T any](cmd *cobra.Command, limit int, next func(size int32, token string) (things []T, nextToken string, err error)) ([]T, error) {
	if limit < 1 || limit > maxLimit {
		return nil, usagef("--limit %d: it is from 1 to %d", limit, maxLimit)
	}
	var all []T
	token := ""
	for {
		things, nextToken, err := next(int32(min(limit-len(all), maxPage)), token)
		if err != nil {
			return nil, err
		}
		all = append(all, things...)
		switch {
		case len(all) > limit || len(all) == limit && nextToken != "":
			fmt.Fprintf(cmd.ErrOrStderr(), "there are more than %d: raise --limit, or filter\n", limit)
			return all[:limit], nil
		case nextToken == "":
			return all, nil
		case nextToken == token:
			return nil, fmt.Errorf("listing: the server repeats a page")
		}
		token = nextToken
	}
}
