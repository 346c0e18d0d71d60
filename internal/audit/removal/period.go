package removal

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Period is a time of retention in months of the calendar.
type Period int

// maxPeriod is more than anybody has asked for (MSCA-AUD-01c).
const maxPeriod Period = 100 * 12

// ParsePeriod reads whole years or months, such as "30y" or "18m".
func ParsePeriod(text string) (Period, error) {
	wrong := errors.New(`must be whole years or months, such as "30y" or "18m", up to "100y"; without it nothing is removed`)
	if len(text) < 2 || text[0] < '1' || text[0] > '9' {
		return 0, wrong
	}
	n, err := strconv.Atoi(text[:len(text)-1])
	if err != nil || n > int(maxPeriod) {
		return 0, wrong
	}
	p := Period(n)
	switch text[len(text)-1] {
	case 'y':
		p *= 12
	case 'm':
	default:
		return 0, wrong
	}
	if p > maxPeriod {
		return 0, wrong
	}
	return p, nil
}

// String is the form that ParsePeriod reads.
func (p Period) String() string {
	if p%12 == 0 {
		return fmt.Sprintf("%dy", int(p)/12)
	}
	return fmt.Sprintf("%dm", int(p))
}

// Before is the time from which on entries are kept at the time t. Where the month has
// no such day it is the end of the month: rather too early than too late.
func (p Period) Before(t time.Time) time.Time {
	before := t.AddDate(0, -int(p), 0)
	if before.Day() != t.Day() {
		before = before.AddDate(0, 0, -before.Day())
	}
	return before
}
