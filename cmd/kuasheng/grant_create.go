package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kuasheng/kuasheng/exchange/client"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
)

// maxDays is what the protocol allows a grant to last, three years, counted generously.
const maxDays = 3 * 366

func newGrantCreateCommand(conn *connection) *cobra.Command {
	g := &grantv1.Grant{Quota: &grantv1.Quota{}}
	var expires, requestID string
	var bases []string
	cmd := &cobra.Command{
		Use:   "create --resource NAME --requester SPIFFE-ID --field NAME --purpose CODE --expires WHEN",
		Short: "Give a grant",
		Long: `Gives one application of another province the right to ask for some fields of one of your resources. For operators of the providing province.

Name the fields that the purpose needs and no others (个人信息保护法 article 6). Without --item or --basis any service item or legal basis will do.
--expires takes a date (valid until it begins, China time), a moment (2027-01-01T12:00:00+08:00) or a number of days (90d).`,
		Example: `  kuasheng grant create --resource provinces/410000/resources/307410000001-000001 --requester spiffe://zhejiang.example/app/housing-portal \
    --field name --field deposit --purpose housing-loan-review --item 000117005001 --basis consent --expires 90d --per-second 10 --per-day 5000`,
	}
	flags := cmd.Flags()
	flags.StringVar(&g.Resource, "resource", "", "resource name")
	flags.StringVar(&g.Requester, "requester", "", "SPIFFE ID of the application")
	flags.StringSliceVar(&g.Fields, "field", nil, "field that may be asked for; may be repeated")
	flags.StringSliceVar(&g.Purposes, "purpose", nil, "purpose, such as housing-loan-review; may be repeated")
	flags.StringSliceVar(&g.ServiceItems, "item", nil, "service item code of 12, 31 or 33 characters; may be repeated")
	flags.StringSliceVar(&bases, "basis", nil, "legal basis: "+strings.Join(legalBases(), ", ")+"; may be repeated")
	flags.StringVar(&expires, "expires", "", "until when: 2027-01-01, or 90d")
	flags.Int64Var(&g.Quota.PerSecond, "per-second", 0, "queries a second at most; 0 for any number")
	flags.Int64Var(&g.Quota.PerDay, "per-day", 0, "queries a day (China time) at most; 0 for any number")
	flags.StringVar(&requestID, "request-id", "", "UUID that makes repeating safe: the same one returns the same grant")
	requireFlags(cmd, "resource", "requester", "field", "purpose", "expires")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("resource", conn.completeResources))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("basis", cobra.FixedCompletions(legalBases(), cobra.ShellCompDirectiveNoFileComp)))
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		until, err := parseExpiry(expires, time.Now())
		if err != nil {
			return err
		}
		g.ExpireTime = timestamppb.New(until)
		for _, b := range bases {
			n, err := parseBasis(b)
			if err != nil {
				return err
			}
			g.LegalBases = append(g.LegalBases, n)
		}
		if requestID == "" {
			requestID = newUUID()
		}
		return conn.with(cmd, false, func(c *client.Client) error {
			g, err := c.Grants().CreateGrant(cmd.Context(), &grantv1.CreateGrantRequest{Grant: g, RequestId: requestID})
			if err != nil {
				return unknownOutcome(fmt.Errorf("giving a grant: %w", err), requestID)
			}
			return show(cmd.OutOrStdout(), *output, g, grantDetail(g))
		})
	}
	return cmd
}

// unknownOutcome tells how to repeat safely what may have happened.
func unknownOutcome(err error, requestID string) error {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unknown:
		return hinted{err, "the grant may have been given: repeat the command with --request-id " + requestID}
	default:
		return err
	}
}

// parseExpiry reads a date, a moment or a number of days.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 1 && n <= maxDays {
			return now.AddDate(0, 0, n), nil
		}
		return time.Time{}, usagef("--expires %q: days are from 1d to %dd", text, maxDays)
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.ParseInLocation(time.DateOnly, text, china())
	}
	switch {
	case err != nil:
		return time.Time{}, usagef("--expires %q: write it like 2027-01-01, 2027-01-01T12:00:00+08:00 or 90d", text)
	case !t.After(now):
		return time.Time{}, usagef("--expires %q: that has passed", text)
	}
	return t, nil
}

func legalBases() []string { return enumNames("LEGAL_BASIS_", grantv1.LegalBasis_value) }

func parseBasis(text string) (grantv1.LegalBasis, error) {
	n, err := enumValue(text, "LEGAL_BASIS_", grantv1.LegalBasis_value)
	if err != nil {
		return 0, fmt.Errorf("--basis: %w", err)
	}
	return grantv1.LegalBasis(n), nil
}
