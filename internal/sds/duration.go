package sds

import (
	"strconv"
	"strings"
	"time"
)

// parseDuration reads an ISO 8601 duration of days and times, such as PT1M, P1D or P1DT12H.
// Months and years have no fixed length and are refused. "" is 0.
func parseDuration(text string) (time.Duration, bool) {
	if text == "" {
		return 0, true
	}
	rest, ok := strings.CutPrefix(text, "P")
	days, times, hasTimes := strings.Cut(rest, "T")
	if !ok || rest == "" || hasTimes && times == "" {
		return 0, false
	}
	total, ok := sum(days, "D", 24*time.Hour)
	if !ok {
		return 0, false
	}
	part, ok := sum(times, "HMS", time.Hour, time.Minute, time.Second)
	return total + part, ok && total+part <= maxDuration
}

// sum adds numbers that units follow, each at most once and in order.
func sum(text, units string, values ...time.Duration) (total time.Duration, ok bool) {
	for i := range len(units) {
		number, rest, found := strings.Cut(text, units[i:i+1])
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 24)
		if err != nil || time.Duration(n) > maxDuration/values[i] {
			return 0, false
		}
		total += time.Duration(n) * values[i]
		text = rest
	}
	return total, text == ""
}
