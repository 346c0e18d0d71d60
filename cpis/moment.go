package cpis

import (
	"fmt"
	"time"
)

// Precision is how much of a Moment was written down.
type Precision uint8

const (
	ToYear Precision = iota + 1
	ToMonth
	ToDay
	ToHour
	ToMinute
	ToSecond
)

// Moment is a point in time as a message states it. Written is passed on to the
// client unchanged; Time is for ordering and display.
type Moment struct {
	Written     string // as received
	Time        time.Time
	Precision   Precision
	ZoneAssumed bool // hours were given without a zone; UTC was assumed
}

// IsZero reports whether no moment was given.
func (m Moment) IsZero() bool { return m.Written == "" }

// Date is a civil date with a time of day, in nobody's time zone: plan dates are
// local and must never be shifted (WRD-SAF-16). The zero Date is no date.
type Date struct {
	Year         int
	Month        time.Month
	Day          int
	Hour, Minute int
}

// DateOf returns the civil date of t in t's own location.
func DateOf(t time.Time) Date {
	return Date{Year: t.Year(), Month: t.Month(), Day: t.Day(), Hour: t.Hour(), Minute: t.Minute()}
}

// IsZero reports whether there is no date.
func (d Date) IsZero() bool { return d == Date{} }

// String gives the date in words, "5 March 2026", without the time of day.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d %s %d", d.Day, d.Month, d.Year)
}

// ISO gives the date as 2026-03-05, without the time of day.
func (d Date) ISO() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// DayBefore reports whether d falls on an earlier day than other; the time of
// day does not count.
func (d Date) DayBefore(other Date) bool {
	if d.Year != other.Year {
		return d.Year < other.Year
	}
	if d.Month != other.Month {
		return d.Month < other.Month
	}
	return d.Day < other.Day
}
