package dataset

import "time"

// today is the day the data was taken. It is fixed, so that the same arguments give the same files on every day.
var today = date(2026, time.October, 31)

// latest is the month that was last paid in.
var latest = date(2026, time.October, 1)

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func monthsBetween(from, to time.Time) int {
	return (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
}

func firstOfNextMonth(t time.Time) time.Time {
	return date(t.Year(), t.Month()+1, 1)
}
