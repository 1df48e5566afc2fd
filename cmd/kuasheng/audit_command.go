package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

func newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Read the access log, and verify logs and receipts without trusting anyone",
		Long: `Every request, permitted or refused, is on record in the exchange's access log before anything leaves, and every answer in the province's own
journal. A province's auditor sees what touches the province, the national audit office everything, an application its own accesses. Looking at
the log is itself on record.

verify, show and verify-receipt need no connection and no permission: a copy of the files and the log's verifier key are enough. The key must come from
the log's owner by hand; whoever takes it from the same place as the copy proves nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditListCommand(), newAuditGetCommand(), newAuditCheckpointCommand(), newAuditVerifyCommand(),
		newAuditShowCommand(), newAuditReceiptCommand())
	return cmd
}

func newAuditListCommand() *cobra.Command {
	conn := &connection{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List accesses, newest first",
		Long: `Lists accesses, newest first. All filters given must hold. Times are dates or moments in China time (2026-12-01, 2026-12-01T08:00:00+08:00).
Lists come without proofs: "kuasheng audit get" has the proof of one access.`,
		Example: "  kuasheng audit list --since 2026-12-01 --resource provinces/410000/resources/307410000001-000001",
	}
	conn.register(cmd)
	since := cmd.Flags().String("since", "", "not before")
	until := cmd.Flags().String("until", "", "before")
	requester := cmd.Flags().String("requester", "", "only those of this caller (SPIFFE ID)")
	resource := cmd.Flags().String("resource", "", "only those of this resource")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("resource", conn.completeResources))
	output, limit := outputFlag(cmd), limitFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		start, err := parseTime("since", *since)
		if err != nil {
			return err
		}
		end, err := parseTime("until", *until)
		if err != nil {
			return err
		}
		return conn.with(cmd, false, func(c *client.Client) error {
			var size int64
			accesses, err := pages(cmd, *limit, func(n int32, token string) ([]*auditv1.Access, string, error) {
				resp, err := c.Audit().ListAccesses(cmd.Context(), &auditv1.ListAccessesRequest{
					PageSize: n, PageToken: token, StartTime: start, EndTime: end, Requester: *requester, Resource: *resource,
				})
				size = resp.GetTreeSize()
				return resp.GetAccesses(), resp.GetNextPageToken(), err
			})
			if err != nil {
				return fmt.Errorf("listing accesses: %w", err)
			}
			t := table{head: []string{"NAME", "TIME", "CALLER", "RESOURCE", "PURPOSE", "VERDICT", "RESULT", "REASON", "ROWS"}}
			for _, a := range accesses {
				t.rows = append(t.rows, accessRow(a))
			}
			return show(cmd.OutOrStdout(), *output, &auditv1.ListAccessesResponse{Accesses: accesses, TreeSize: size}, t)
		})
	}
	return cmd
}

// parseTime reads a filter's time; nil for none.
func parseTime(flag, text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.ParseInLocation(time.DateOnly, text, china())
	}
	if err != nil {
		return nil, usagef("--%s %q: write it like 2026-12-01 or 2026-12-01T08:00:00+08:00", flag, text)
	}
	return timestamppb.New(t), nil
}

// accessRow is one access in a list.
func accessRow(a *auditv1.Access) []string {
	when := moment(a.GetRecord().GetTime())
	if read := a.GetRecord().GetAuditRead(); read != nil {
		return []string{
			a.GetName(), when, read.GetCaller().GetSpiffeId(), "(log) " + read.GetSelection(), "-", enum(read.GetVerdict(), "VERDICT_"), "-",
			reason(read.GetReason()), fmt.Sprint(read.GetReturned()),
		}
	}
	i, o := a.GetRecord().GetIntent(), a.GetOutcome()
	why := i.GetReason()
	if why == auditv1.Reason_REASON_UNSPECIFIED {
		why = o.GetReason()
	}
	rows := "-"
	if o != nil {
		rows = fmt.Sprint(o.GetRowCount())
	}
	return []string{
		a.GetName(), when, i.GetCaller().GetSpiffeId(), dash(i.GetResource()), dash(i.GetPurpose().GetCode()), enum(i.GetVerdict(), "VERDICT_"),
		enum(o.GetResult(), "RESULT_"), reason(why), rows,
	}
}

func reason(r auditv1.Reason) string {
	if r == auditv1.Reason_REASON_UNSPECIFIED {
		return "-"
	}
	return refusal.Name(r)
}

// accessDetail is one access in full.
func accessDetail(a *auditv1.Access) table {
	t := table{}
	t.add("name", a.GetName())
	t.add("time", moment(a.GetRecord().GetTime()))
	if read := a.GetRecord().GetAuditRead(); read != nil {
		t.add("read of the log by", read.GetCaller().GetSpiffeId())
		t.add("method", read.GetMethod())
		t.add("selection", dash(read.GetSelection()))
		t.add("verdict", enum(read.GetVerdict(), "VERDICT_"), reason(read.GetReason()))
		return t
	}
	i := a.GetRecord().GetIntent()
	t.add("caller", i.GetCaller().GetSpiffeId(), "certificate "+i.GetCaller().GetCertificateSerial())
	t.add("operator", dash(i.GetOperator()), "request "+dash(i.GetRequestId()))
	t.add("method", i.GetMethod())
	t.add("resource", dash(i.GetResource()), fmt.Sprintf("revision %d", i.GetResourceRevision()))
	t.add("grant", dash(i.GetGrant()), fmt.Sprintf("revision %d", i.GetGrantRevision()))
	t.add("fields", dash(strings.Join(i.GetFields(), ", ")))
	if p := i.GetPurpose(); p != nil {
		t.add("purpose", p.GetCode(), enum(p.GetLegalBasis(), "LEGAL_BASIS_"))
		t.add("service item", p.GetServiceItem(), "case "+dash(p.GetCaseNumber()))
		t.add("cause", dash(p.GetCause()))
	}
	t.add("verdict", enum(i.GetVerdict(), "VERDICT_"), reason(i.GetReason()), dash(i.GetSubjectOfRefusal()))
	if i.GetReplacesPlusOne() > 0 {
		t.add("replaces", fmt.Sprintf("accesses/%d", i.GetReplacesPlusOne()-1))
	}
	if o := a.GetOutcome(); o != nil {
		t.add("result", enum(o.GetResult(), "RESULT_"), reason(o.GetReason()), "at "+moment(a.GetOutcomeTime()))
		t.add("answered", fmt.Sprintf("%d rows, %d bytes in %s", o.GetRowCount(), o.GetAnswerBytes(), o.GetDuration().AsDuration().Round(time.Millisecond)))
		t.add("masked", dash(strings.Join(o.GetFieldsMasked(), ", ")))
		if len(o.GetAnswerHash()) > 0 {
			t.add("journal", o.GetJournalOrigin(), fmt.Sprintf("record %d", o.GetJournalIndex()))
		}
	} else if i.GetVerdict() == auditv1.Verdict_VERDICT_PERMITTED {
		t.add("result", "none on record yet")
	}
	return t
}
