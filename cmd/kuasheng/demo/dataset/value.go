package dataset

import (
	"fmt"
	"strconv"
	"time"
)

// money writes fen as yuan, exactly: money never passes through a floating-point number.
func money(fen int64) string { return fixed(fen, 2) }

// fixed writes a number that counts units of 10^-places.
func fixed(n int64, places int) string {
	unit := int64(1)
	for range places {
		unit *= 10
	}
	return strconv.FormatInt(n/unit, 10) + "." + fmt.Sprintf("%0*d", places, n%unit)
}

// day writes a date as sources store it.
func day(t time.Time) string { return t.Format(time.DateOnly) }

// dayOrNull writes a date, NULL for the zero time.
func dayOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return day(t)
}

// moment writes a time of a working day, without offset, as departments' databases do: it means Chinese time.
func moment(d dice, t time.Time) string {
	return fmt.Sprintf("%s %02d:%02d:%02d", day(t), d.between(8, 17), d.IntN(60), d.IntN(60))
}

// serial makes a running number of 18 digits, day first, as many departments' systems do. It is an integer beyond 2^53 that
// floating-point readers damage.
func serial(d dice, t time.Time) int64 {
	n, _ := strconv.ParseInt(t.Format("20060102"), 10, 64)
	return n*10_000_000_000 + d.Int64N(10_000_000_000)
}

// truth writes a boolean as SQLite stores it.
func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
