package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/internal/yamlfile"
)

// Finding is something that a check found: what, where, and what to do. It holds no secret and no value of a source.
type Finding struct {
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Resource  string `json:"resource,omitempty"`
	Field     string `json:"field,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Warning   bool   `json:"warning,omitempty"` // the server works all the same
	Problem   string `json:"problem"`
	Cure      string `json:"cure,omitempty"`
}

// String is the finding as one line, in the form that editors can jump to.
func (f Finding) String() string {
	s := ""
	if f.File != "" {
		s = f.File + ":"
	}
	if f.Line > 0 {
		s += fmt.Sprintf("%d:", f.Line)
	}
	if f.Column > 0 {
		s += fmt.Sprintf("%d:", f.Column)
	}
	if s != "" {
		s += " "
	}
	if f.Warning {
		s += "warning: "
	}
	for _, part := range []struct{ what, name string }{{"resource", f.Resource}, {"field", f.Field}, {"parameter", f.Parameter}} {
		if part.name != "" {
			s += part.what + " " + part.name + ": "
		}
	}
	s += f.Problem
	if f.Cure != "" {
		s += "; " + f.Cure
	}
	return s
}

// Mistakes turns the mistakes of a file into findings, one each; any other error is one finding.
func Mistakes(err error) []Finding {
	var m *yamlfile.Mistakes
	if !errors.As(err, &m) {
		return []Finding{{Problem: err.Error()}}
	}
	var list []Finding
	for _, one := range m.List {
		list = append(list, Finding{File: m.File, Line: one.Line, Column: one.Column, Problem: one.Message})
	}
	return list
}

// Problems takes an error that joins several apart, one finding each.
func Problems(file, cure string, err error) []Finding {
	var joined interface {
		error
		Unwrap() []error
	}
	if !errors.As(err, &joined) || joined.Error() != errors.Join(joined.Unwrap()...).Error() { // one error may wrap several, too
		return []Finding{{File: file, Problem: err.Error(), Cure: cure}}
	}
	var found []Finding
	for _, e := range joined.Unwrap() {
		found = append(found, Problems(file, cure, e)...)
	}
	return found
}

// Report prints what a check found and fails with ErrReported when any of it is more than a warning. fine is said when there is nothing.
func Report(cmd *cobra.Command, output, fine string, list []Finding) error {
	bad := 0
	for _, f := range list {
		if !f.Warning {
			bad++
		}
	}
	if err := report(cmd.OutOrStdout(), output, fine, list, bad); err != nil {
		return err
	}
	if bad > 0 {
		return ErrReported
	}
	return nil
}

func report(w io.Writer, output, fine string, list []Finding, bad int) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if list == nil {
			list = []Finding{}
		}
		return e.Encode(list)
	}
	for _, f := range list {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	if bad == 0 {
		_, err := fmt.Fprintln(w, fine)
		return err
	}
	_, err := fmt.Fprintf(w, "%d to correct\n", bad)
	return err
}

// OutputFlag adds -o and returns where it is kept; CheckOutput holds it to what there is.
func OutputFlag(cmd *cobra.Command) *string {
	output := cmd.Flags().StringP("output", "o", "table", "how to print: table or json")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	return output
}

// CheckOutput refuses an unknown form of output.
func CheckOutput(output string) error {
	if output == "table" || output == "json" {
		return nil
	}
	return Usage(fmt.Errorf("--output %q: it is one of table, json", output))
}
