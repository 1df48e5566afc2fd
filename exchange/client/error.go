package client

import (
	"errors"
	"fmt"

	"github.com/kuasheng/kuasheng/internal/translog"
)

var (
	// ErrConfig means that the configuration cannot work; the text names the field.
	ErrConfig = errors.New("invalid client configuration")
	// ErrClosed means that the client was closed.
	ErrClosed = errors.New("client is closed")
	// ErrEvidence means that the evidence of an answer does not hold and the answer was thrown away. The error is an [*EvidenceError].
	ErrEvidence = errors.New("evidence does not hold")
	// ErrFork means that a log signed two trees of one size; it comes inside ErrEvidence, as a [*ForkError].
	ErrFork = translog.ErrFork
	// ErrJournalKey means that the key of a journal could not be had, so that the answer could not be verified and was thrown away. It says
	// nothing against the answer.
	ErrJournalKey = errors.New("journal key not available")
	// ErrCut means that an export ended before its end. The error is a [*CutError], which says how to go on.
	ErrCut = errors.New("export was cut")
	// ErrChanged means that a resumed export does not make a whole with the part before it: the data may have changed in between, which is
	// normal, and resuming once more does not help: export anew. Nobody can tell it from rows that were altered on either side, so they are not
	// to be used.
	ErrChanged = errors.New("the data may have changed since the first part")
	// ErrArgument means that a call cannot be made as asked; the text names the argument. Nothing was asked, and nothing is on record.
	ErrArgument = errors.New("invalid argument")
	// ErrProtocol means that a server sent what the protocol does not allow.
	ErrProtocol = errors.New("protocol broken")
)

// Step is one step of the verification in the package comment.
type Step int

// The steps, as numbered in the package comment.
const (
	StepIntentReceipt Step = iota + 1
	StepIntent
	StepParameters
	StepAnswerReceipt
	StepAnswer
	StepContent
	StepHistory
)

// String names the step.
func (s Step) String() string {
	switch s {
	case StepIntentReceipt:
		return "intent receipt"
	case StepIntent:
		return "intent"
	case StepParameters:
		return "parameters"
	case StepAnswerReceipt:
		return "answer receipt"
	case StepAnswer:
		return "answer"
	case StepContent:
		return "content"
	case StepHistory:
		return "history"
	default:
		return fmt.Sprintf("step(%d)", int(s))
	}
}

// EvidenceError says which step of the verification failed. It matches [ErrEvidence].
type EvidenceError struct {
	Step Step
	// Access is the access as the exchange named it; unproven.
	Access string
	Err    error
}

// Error implements error.
func (e *EvidenceError) Error() string {
	return fmt.Sprintf("%v: step %d (%v) of %.64q: %v", ErrEvidence, int(e.Step), e.Step, e.Access, e.Err)
}

// Unwrap makes the error match ErrEvidence and its cause.
func (e *EvidenceError) Unwrap() []error { return []error{ErrEvidence, e.Err} }

// CutError is an export that ended before its end. It matches [ErrCut] and its cause.
type CutError struct {
	// Part is what was received whole and handed over: give it to [Client.Resume].
	Part Part
	Err  error
}

// Error implements error.
func (e *CutError) Error() string {
	return fmt.Sprintf("%v after %d rows: %v", ErrCut, e.Part.Rows, e.Err)
}

// Unwrap makes the error match ErrCut and its cause.
func (e *CutError) Unwrap() []error { return []error{ErrCut, e.Err} }
