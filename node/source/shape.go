package source

import (
	"strings"
	"time"
)

// shape says what a driver's value leaves out: whether a time has an offset, whether bytes are text.
type shape int

const (
	shapePlain    shape = iota // the value says all
	shapeNaive                 // a time whose offset means nothing
	shapeDay                   // a time that is a date
	shapeStandard              // text of a time in the session's offset
	shapeBinary                // bytes that are not text
	shapePadded                // text filled up with blanks
)

// apply marks a value accordingly.
func (s shape) apply(v any) any {
	switch v := v.(type) {
	case time.Time:
		switch s {
		case shapeNaive:
			return naive(v)
		case shapeDay:
			return day(v)
		}
	case []byte:
		switch s {
		case shapeBinary:
			return binary(v)
		case shapeStandard:
			return standard(v)
		}
	case string:
		switch s {
		case shapePadded:
			return strings.TrimRight(v, " ")
		case shapeStandard:
			return standard(v)
		}
	}
	return v
}
