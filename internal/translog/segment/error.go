package segment

import (
	"errors"
	"fmt"
)

var (
	// ErrExists means that the directory for a new log is not empty.
	ErrExists = errors.New("log exists")
	// ErrNotExist means that there is no log in the directory. A log that should be there and is not has been lost.
	ErrNotExist = errors.New("log does not exist")
	// ErrLocked means that another process has the log open.
	ErrLocked = errors.New("log is in use by another process")
	// ErrForeign means that a segment belongs to another log or another key.
	ErrForeign = errors.New("segment of another log")
	// ErrCorrupt means that the segment files are not what was written. The error is a [*Fault].
	ErrCorrupt = errors.New("log is corrupt")
	// ErrLost means that the segment files end before a commit that was acknowledged.
	ErrLost = errors.New("acknowledged records are missing")
	// ErrContradicted means that the records are not those under a checkpoint that was kept: history was rewritten. The
	// error is a [*Contradiction].
	ErrContradicted = errors.New("history contradicts a checkpoint that was kept")
	// ErrShort means that the log ends before records that a checkpoint that was kept proves.
	ErrShort = errors.New("records are missing")
	// ErrFull means that as many records wait to be committed as may wait. Nothing was added.
	ErrFull = errors.New("log queue is full")
	// ErrTooLarge means that a record is empty or does not fit a block. Nothing was added.
	ErrTooLarge = errors.New("record size not allowed")
	// ErrClosed means that the log was closed. Nothing was added.
	ErrClosed = errors.New("log is closed")
	// ErrFailed means that the log stopped after an error. What carries only this error was not written.
	ErrFailed = errors.New("log has failed")
	// ErrUnknown means that the outcome is unknown: the record may be in the log after it is opened again, or not.
	ErrUnknown = errors.New("outcome unknown")
	// ErrConfig means that the configuration cannot work.
	ErrConfig = errors.New("invalid log configuration")
)

// Fault says where the segment files are wrong. It matches [ErrCorrupt].
type Fault struct {
	File   string // path of the segment file
	Offset int64  // where the block starts
	// Index is the first record that is wrong. If nothing tells which record of the block it is, it is the block's first;
	// if a whole file is wrong or missing, it is -1.
	Index int64
	// Count is among how many records, from Index on, the first wrong one is: 1 if Index is certain, the block's records if
	// nothing tells them apart, 0 if the block does not even say how many it holds.
	Count int64
	Err   error
}

// Records names the record that is wrong, or those that it is among, for people; it is empty if a whole file is wrong.
// Nobody shall be accused by number of altering a record when only its commit is known to be wrong.
func (f *Fault) Records() string {
	switch {
	case f.Index < 0:
		return ""
	case f.Count == 1:
		return fmt.Sprintf("record %d", f.Index)
	case f.Count > 1:
		return fmt.Sprintf("one of records %d to %d", f.Index, f.Index+f.Count-1)
	default:
		return fmt.Sprintf("record %d or a later one of its commit", f.Index)
	}
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Index < 0 {
		return fmt.Sprintf("%v: %s: %v", ErrCorrupt, f.File, f.Err)
	}
	return fmt.Sprintf("%v: %s, offset %d, %s: %v", ErrCorrupt, f.File, f.Offset, f.Records(), f.Err)
}

// Unwrap makes a Fault match ErrCorrupt and its cause.
func (f *Fault) Unwrap() []error { return []error{ErrCorrupt, f.Err} }

// errUnwritten is what adders get of a failed log. It leaves out the log's own error, which may say that the outcome of
// other records is unknown: that of theirs is not.
var errUnwritten = fmt.Errorf("%w: nothing was written: it has to be opened again", ErrFailed)

// Causes of a Fault.
var (
	errChecksum   = errors.New("checksum does not match")
	errFormat     = errors.New("not a block")
	errKind       = errors.New("record kind unknown to this version")
	errOrder      = errors.New("block is not the next one")
	errHole       = errors.New("zeros before data")
	errNotTorn    = errors.New("more than one unfinished write leaves")
	errPosition   = errors.New("block header is whole and does not belong here")
	errRoot       = errors.New("root differs from the checkpoint's")
	errLeaf       = errors.New("record differs from its leaf in the tree")
	errMissing    = errors.New("segment is missing")
	errSize       = errors.New("file size differs from the header's")
	errUnexpected = errors.New("file was not written by this log")
)

// errEnough ends a walk that has found what it was for. It never leaves the package.
var errEnough = errors.New("enough")
