package source

import (
	"errors"
	"fmt"
)

// Sentinels say whose fault it is: the caller's, the time's, the source's or the mapping's.
var (
	// ErrUnknownResource means that this node has no such resource, or one that is published and not shared.
	ErrUnknownResource = errors.New("unknown resource")
	// ErrUnknownField means a field that the resource does not have, has twice in the request, or none at all.
	ErrUnknownField = errors.New("unknown field")
	// ErrFieldNotShared means a field whose own share type is not_shared: no grant makes it leave the province.
	ErrFieldNotShared = errors.New("field is not shared")
	// ErrParameter is matched by every *ParameterError.
	ErrParameter = errors.New("invalid parameter")
	// ErrExportOnly means a query of a resource that is shared in batches only.
	ErrExportOnly = errors.New("resource is shared by export only")
	// ErrNotExported means an export of a resource that allows none.
	ErrNotExported = errors.New("resource is not exported")
	// ErrNotResumable means that an export cannot continue where it broke off: its rows have no order, or are fewer now.
	ErrNotResumable = errors.New("export cannot be resumed")
	// ErrTooManyRows means that the result has more rows than the resource's limit. Nothing is cut off silently.
	ErrTooManyRows = errors.New("too many rows")
	// ErrAnswerTooLarge means that the answer has more bytes than the resource's limit.
	ErrAnswerTooLarge = errors.New("answer too large")
	// ErrTimeout means that the source did not answer within the resource's time.
	ErrTimeout = errors.New("source timed out")
	// ErrBusy means that all connections of the resource were in use for the whole time, or too many wait for one.
	ErrBusy = errors.New("resource is busy")
	// ErrUnavailable means that the source cannot be reached or does not serve.
	ErrUnavailable = errors.New("source is unavailable")
	// ErrMapping means that the source's data or structure does not fit what the node's file says of it; `node check`
	// finds where.
	ErrMapping = errors.New("mapping does not fit the source")
)

// ParameterError says what is wrong with a parameter. It never holds the value.
type ParameterError struct{ Name, Reason string }

func (e *ParameterError) Error() string { return fmt.Sprintf("parameter %q %s", e.Name, e.Reason) }

// Is makes every ParameterError match ErrParameter.
func (e *ParameterError) Is(target error) bool { return target == ErrParameter }

// FieldError names a field that cannot be had. Reason is ErrUnknownField or ErrFieldNotShared.
type FieldError struct {
	Name   string // empty when no field was asked for
	Reason error
}

func (e *FieldError) Error() string {
	if e.Name == "" {
		return "no field was asked for: " + e.Reason.Error()
	}
	return fmt.Sprintf("field %.64q: %v", e.Name, e.Reason)
}

// Unwrap gives the reason.
func (e *FieldError) Unwrap() error { return e.Reason }

// misfit is an ErrMapping about one field. The reason comes from this package and never quotes the source.
func misfit(field, reason string) error {
	return fmt.Errorf("field %q: %w: %s", field, ErrMapping, reason)
}
