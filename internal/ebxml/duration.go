package ebxml

import (
	"errors"
	"strings"
	"time"
)

// maxDuration is far beyond what a message handler could be asked to wait.
const maxDuration = 10 * 366 * 24 * time.Hour

var errDuration = errors.New("not a duration as in PT30S, PT5M or P1D, of ten years at most")

// ParseDuration reads an ISO 8601 duration as the directory has them: PT30S, PT1M,
// P1DT12H, P2W, with a fraction of seconds perhaps. Years and months have no fixed
// length and are refused, and so are signs.
func ParseDuration(iso string) (time.Duration, error) {
	date, ok := strings.CutPrefix(iso, "P")
	date, clock, timed := strings.Cut(date, "T")
	if !ok || len(iso) > 64 || date == "" && !timed || timed && clock == "" {
		return 0, errDuration
	}
	days, ok := sum(date, "WD", 7*24*time.Hour, 24*time.Hour)
	rest, alsoOK := sum(clock, "HMS", time.Hour, time.Minute, time.Second)
	if !ok || !alsoOK || days+rest > maxDuration {
		return 0, errDuration
	}
	return days + rest, nil
}

// sum adds numbers that each end in a designator, in the order of designators and at
// most once each. Only seconds may have a fraction.
func sum(s, designators string, units ...time.Duration) (total time.Duration, ok bool) {
	for s != "" {
		end := strings.IndexAny(s, designators)
		if end <= 0 {
			return 0, false
		}
		i := strings.IndexByte(designators, s[end])
		value, ok := amount(s[:end], units[i])
		total += value
		if !ok || total > maxDuration {
			return 0, false
		}
		s, designators, units = s[end+1:], designators[i+1:], units[i+1:]
	}
	return total, true
}

// amount reads a number of units: digits, and for seconds perhaps a fraction, of
// which nanoseconds are kept.
func amount(s string, unit time.Duration) (total time.Duration, ok bool) {
	whole, fraction, fractional := strings.Cut(s, ".")
	if whole == "" || fractional && (fraction == "" || unit != time.Second) {
		return 0, false
	}
	for i := range len(whole) {
		if whole[i] < '0' || whole[i] > '9' {
			return 0, false
		}
		total = total*10 + time.Duration(whole[i]-'0')*unit
		if total > maxDuration {
			return 0, false
		}
	}
	for i := range len(fraction) {
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0, false
		}
		unit /= 10
		total += time.Duration(fraction[i]-'0') * unit
	}
	return total, true
}
