package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kuasheng/kuasheng/exchange/client"
)

// Exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// errUsage means that the command line is wrong, not the world.
var errUsage = errors.New("wrong usage")

// usageError keeps the text as it is: "wrong usage" shows in the exit status.
type usageError struct{ err error }

func (e usageError) Error() string   { return e.err.Error() }
func (e usageError) Unwrap() []error { return []error{errUsage, e.err} }

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func usagef(format string, args ...any) error { return asUsage(fmt.Errorf(format, args...)) }

// hinted adds what to do next to an error.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// report tells people what went wrong and what to do, and returns the exit status. Nobody reads a failed write to stderr, so none is checked.
func report(w io.Writer, cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	var hint hinted
	var unverified *client.EvidenceError
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintf(w, "kuasheng: %s\nRun \"%s --help\" for how to use it.\n", clean(err.Error()), cmd.CommandPath())
		return exitUsage
	case errors.Is(err, client.ErrChanged):
		reportChanged(w, err)
	case errors.As(err, &unverified):
		reportEvidence(w, err)
	case isRefusal(err):
		reportRefusal(w, err)
	default:
		fmt.Fprintf(w, "kuasheng: %s\n", clean(plain(err)))
		if cure := cureOfStatus(err); cure != "" {
			fmt.Fprintf(w, "  what to do   %s\n", cure)
		}
	}
	var question unanswered
	if errors.As(err, &question) {
		reportAsked(w, question)
	}
	if errors.As(err, &hint) {
		fmt.Fprintf(w, "  next         %s\n", clean(hint.hint))
	}
	return exitFailure
}

func reportEvidence(w io.Writer, err error) {
	fmt.Fprintf(w, "kuasheng: THE EVIDENCE DOES NOT HOLD / 证据不成立: %s\n", clean(err.Error()))
	if errors.Is(err, client.ErrFork) {
		fmt.Fprintln(w, "  what to do   the log has shown two histories: keep this output and every checkpoint you have, and tell the auditors")
		return
	}
	fmt.Fprintln(w, "  what to do   the answer was thrown away; check that --log-key is the exchange's present key, then report the access to the exchange's operator and your auditor")
}

func isRefusal(err error) bool {
	_, ok := client.RefusalOf(err)
	return ok
}

// reportRefusal prints what a refused caller needs: reason, hop, record, cure. The Chinese line is the message that came with the refusal: what
// happened, what it is about and what to do.
func reportRefusal(w io.Writer, err error) {
	r, _ := client.RefusalOf(err)
	fmt.Fprintf(w, "kuasheng: refused: %s\n", clean(r.Name))
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %-12s %s\n", label, clean(text))
		}
	}
	line("原因", r.Chinese)
	line("detail", strings.TrimSpace(r.Detail))
	line("about", r.Subject)
	for _, m := range r.Mistakes {
		line("mistake", m.Field+": "+m.Description)
	}
	line("refused by", r.Domain)
	line("on record as", r.Access)
	line("what to do", cure(r.Reason))
}

// plain is the error without the noise of the transport.
func plain(err error) string {
	var with interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &with) {
		return err.Error()
	}
	s := with.GRPCStatus()
	return strings.ReplaceAll(err.Error(), s.Err().Error(), fmt.Sprintf("%s: %s", s.Code(), s.Message()))
}

// cureOfStatus helps where the exchange itself did not answer.
func cureOfStatus(err error) string {
	if errors.Is(err, context.Canceled) {
		return ""
	}
	var with interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &with) {
		return ""
	}
	switch with.GRPCStatus().Code() {
	case codes.Unavailable:
		return "check --address, --exchange-id and --bundle, that the exchange runs, and with \"kuasheng certs show\" that your SVID is valid"
	case codes.DeadlineExceeded:
		return "the access may be on record without its name having come: " + lookUp + "; or give it longer with --timeout"
	case codes.Unimplemented:
		return "the server is not an exchange, or an older one: check --address"
	default:
		return ""
	}
}
