package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// outputFlag adds -o to a reading command. The value is checked before the command runs.
func outputFlag(cmd *cobra.Command, formats ...string) *string {
	if len(formats) == 0 {
		formats = []string{"table", "json"}
	}
	value := cmd.Flags().StringP("output", "o", formats[0], "how to print: "+strings.Join(formats, " or "))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(formats, *value) {
			return usagef("--output %q: it is one of %s", *value, strings.Join(formats, ", "))
		}
		return nil
	}
	return value
}

// show prints a message as JSON or as the table.
func show(w io.Writer, format string, m proto.Message, t table) error {
	if format == "json" {
		return showJSON(w, m)
	}
	return t.write(w)
}

// showJSON prints a message with the same bytes every time: protojson varies its spaces on purpose.
func showJSON(w io.Writer, m proto.Message) error {
	b, err := protojson.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	return showRaw(w, b)
}

func showRaw(w io.Writer, b []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}

// table is rows of cells under a head, aligned also where Chinese characters take two columns.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) error {
	all := t.rows
	if t.head != nil {
		all = append([][]string{t.head}, t.rows...)
	}
	var widths []int
	for _, row := range all {
		for i, cell := range row {
			row[i] = clean(cell)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(row[i]))
		}
	}
	var out bytes.Buffer
	for _, row := range all {
		for i, cell := range row {
			out.WriteString(cell)
			if i < len(row)-1 {
				out.WriteString(strings.Repeat(" ", widths[i]-width(cell)+2))
			}
		}
		out.WriteByte('\n')
	}
	_, err := out.WriteTo(w)
	return err
}

// width is how many columns of a terminal a text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r >= 0x3000 && r <= 0x303f || r >= 0xff01 && r <= 0xff60 {
			n++
		}
	}
	return n
}

// clean keeps texts that others wrote from sending control sequences to the terminal. Line feeds stay out of tables this way too.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// china is the time zone that people of the exchange live in. It has no summer time, so no table of zones is needed.
func china() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// moment prints a time in China time, or "-".
func moment(t *timestamppb.Timestamp) string {
	if !t.IsValid() {
		return "-"
	}
	return t.AsTime().In(china()).Format("2006-01-02 15:04:05")
}

// enum prints an enum's value without its prefix, in lower case with hyphens: as flags take it.
func enum(value fmt.Stringer, prefix string) string {
	s := strings.TrimPrefix(value.String(), prefix)
	if s == "UNSPECIFIED" {
		return "-"
	}
	return strings.ToLower(strings.ReplaceAll(s, "_", "-"))
}

// enumValue reads what enum prints. It does not take the unset value.
func enumValue(text, prefix string, values map[string]int32) (int32, error) {
	n, ok := values[prefix+strings.ToUpper(strings.ReplaceAll(text, "-", "_"))]
	if !ok || n == 0 {
		return 0, usagef("%q is not one of %s", text, strings.Join(enumNames(prefix, values), ", "))
	}
	return n, nil
}

// enumNames lists what enumValue takes.
func enumNames(prefix string, values map[string]int32) []string {
	var names []string
	for name, n := range values {
		if n != 0 {
			names = append(names, strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", "-")))
		}
	}
	slices.Sort(names)
	return names
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
