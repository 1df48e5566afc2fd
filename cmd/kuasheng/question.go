package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
)

// question is what query and export have in common: the flags that say what is asked, and why.
type question struct {
	fields, params                              []string
	paramFile, operator, requestID              string
	purpose, basis, item, caseNumber, causeText string
}

func (q *question) register(cmd *cobra.Command, conn *connection) {
	flags := cmd.PersistentFlags()
	flags.StringSliceVar(&q.fields, "field", nil, "field wanted, in the order wanted; may be repeated")
	flags.StringArrayVar(&q.params, "param", nil, "parameter as name=value; may be repeated; not for identity numbers")
	flags.StringVar(&q.paramFile, "param-file", "", "file (- for standard input) with parameters: lines of name=value, or a JSON object")
	flags.StringVar(&q.purpose, "purpose", "", "purpose as the grant names it")
	flags.StringVar(&q.basis, "basis", "", "legal basis: "+strings.Join(legalBases(), ", "))
	flags.StringVar(&q.item, "item", "", "service item code of 12, 31 or 33 characters")
	flags.StringVar(&q.caseNumber, "case", "", "number of the case")
	flags.StringVar(&q.causeText, "cause", "", "cause in words; it goes on record, so no personal data")
	flags.StringVar(&q.operator, "operator", "", "who at your bureau asks")
	flags.StringVar(&q.requestID, "request-id", "", "your own identifier of the request (default: a random UUID)")
	for _, name := range []string{"field", "purpose", "basis", "item"} {
		cobra.CheckErr(cmd.MarkPersistentFlagRequired(name))
	}
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("field", conn.completeFields))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("basis", cobra.FixedCompletions(legalBases(), cobra.ShellCompDirectiveNoFileComp)))
}

// read turns the flags into a request.
func (q *question) read(cmd *cobra.Command, resource string) (*queryv1.QueryResourceRequest, error) {
	basis, err := parseBasis(q.basis)
	if err != nil {
		return nil, err
	}
	parameters := map[string]string{}
	for _, p := range q.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			// The text may be a value whose name was forgotten, so it is not repeated.
			return nil, usagef("--param: write it as name=value")
		}
		if ident.ContainsCitizenID(value) {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: --param %s: an identity number now stands in your shell's history and in the list of processes; use --param-file\n", clean(name))
		}
		if err := addParameter(parameters, name, value); err != nil {
			return nil, asUsage(err)
		}
	}
	if q.paramFile != "" {
		data, err := readBounded(q.paramFile, cmd.InOrStdin(), maxParameters)
		if err != nil {
			return nil, err
		}
		if err := parseParameters(parameters, data); err != nil {
			return nil, fmt.Errorf("reading --param-file %q: %w", q.paramFile, err)
		}
	}
	if q.requestID == "" {
		q.requestID = newUUID()
	}
	return &queryv1.QueryResourceRequest{
		Resource: resource, Fields: q.fields, Parameters: parameters, Operator: q.operator, RequestId: q.requestID,
		Purpose: &grantv1.Purpose{Code: q.purpose, LegalBasis: basis, ServiceItem: q.item, CaseNumber: q.caseNumber, Cause: q.causeText},
	}, nil
}
