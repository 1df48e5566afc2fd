package source

import (
	"strings"
	"time"
)

// clock reads and writes times of one source.
type clock struct {
	zone     *time.Location
	standard *time.Location // the zone's present standard offset, fixed
}

// Values without an offset as the engines give them.
type (
	naive    time.Time // fields of a clock on the wall; the location means nothing
	day      time.Time // a date; the time of day means nothing
	standard string    // text that the session rendered in the standard offset
)

func newClock(zone *time.Location) clock {
	// The smaller of a winter's and a summer's offset is the one without daylight saving.
	_, january := time.Date(2020, time.January, 1, 12, 0, 0, 0, zone).Zone()
	_, july := time.Date(2020, time.July, 1, 12, 0, 0, 0, zone).Zone()
	return clock{zone, time.FixedZone("", min(january, july))}
}

// offset is the standard offset as SQL writes it, as in +08:00.
func (c clock) offset() string { return time.Time{}.In(c.standard).Format("-07:00") }

// instant writes a point in time.
func (c clock) instant(t time.Time) string {
	local := t.In(c.zone)
	// RFC 3339 has no seconds in its offsets: local mean time would be written wrong by up to a minute.
	if _, offset := local.Zone(); offset%60 != 0 {
		local = t.In(c.standard)
	}
	return local.Format("2006-01-02T15:04:05.999999999Z07:00")
}

// local makes a point in time of fields read off a wall clock.
func (c clock) local(t time.Time) time.Time {
	at := func(l *time.Location) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), l)
	}
	local := at(c.zone)
	if _, offset := local.Zone(); offset%60 != 0 {
		return at(c.standard)
	}
	return local
}

// parse reads a date with time as the engines and services write it.
func (c clock) parse(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	// Go accepts fractions of a second behind the seconds of any layout.
	for _, layout := range [...]string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05Z07", "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, inRange(t)
		}
	}
	for _, layout := range [...]string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "20060102150405"} {
		if t, err := time.Parse(layout, s); err == nil {
			return c.local(t), inRange(t)
		}
	}
	return time.Time{}, false
}

// parseDay reads a date; a time of day is accepted when it is midnight.
func parseDay(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	for _, layout := range [...]string{time.DateOnly, "20060102", "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, inRange(t) && midnight(t)
		}
	}
	return time.Time{}, false
}

func midnight(t time.Time) bool {
	return t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0
}

// inRange holds the years that RFC 3339 and ISO 8601 write with four digits; zero dates of MySQL are outside.
func inRange(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
