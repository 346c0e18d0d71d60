package hl7

import (
	"fmt"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
)

// readMoment reads the HL7 datatype TS: up to eight digits of a date, or nine to
// fourteen of date and time, fourteen possibly with a fraction, then possibly
// "+" or "-" and one to four digits of a zone. Without a zone UTC is assumed. A
// text of that form that names no real point in time keeps precision 0.
func readMoment(s string) (cpis.Moment, bool) {
	digits, rest := leadingDigits(s)
	if len(digits) == 0 || len(digits) > 14 {
		return cpis.Moment{}, false
	}
	if strings.HasPrefix(rest, ".") {
		fraction, after := leadingDigits(rest[1:])
		if len(digits) != 14 || len(fraction) == 0 {
			return cpis.Moment{}, false
		}
		rest = after
	}
	if len(digits) <= 8 && rest != "" {
		return cpis.Moment{}, false
	}
	offset, zoned, ok := readZone(rest)
	if !ok {
		return cpis.Moment{}, false
	}
	m := cpis.Moment{Written: s, ZoneAssumed: len(digits) > 8 && !zoned}
	even := digits[:len(digits)&^1]
	if len(even) < 4 {
		return m, true
	}
	instant, ok := instantOf(even, offset)
	if ok {
		m.Time, m.Precision = instant, cpis.Precision(len(even)/2-1)
	}
	return m, true
}

func leadingDigits(s string) (digits, rest string) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n], s[n:]
}

// readZone reads "", or a sign with hh, hmm or hhmm.
func readZone(s string) (offset time.Duration, zoned, ok bool) {
	if s == "" {
		return 0, false, true
	}
	digits, rest := leadingDigits(s[1:])
	if s[0] != '+' && s[0] != '-' || rest != "" || len(digits) == 0 || len(digits) > 4 {
		return 0, false, false
	}
	hours, minutes := digits, "0"
	if len(digits) > 2 {
		hours, minutes = digits[:len(digits)-2], digits[len(digits)-2:]
	}
	offset = time.Duration(number(hours))*time.Hour + time.Duration(number(minutes))*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true, true
}

// instantOf reads an even number of digits, at least a year.
func instantOf(digits string, offset time.Duration) (time.Time, bool) {
	field := func(from, absent int) int {
		if len(digits) < from+2 {
			return absent
		}
		return number(digits[from : from+2])
	}
	year := number(digits[:4])
	month, day := field(4, 1), field(6, 1)
	hour, minute, second := field(8, 0), field(10, 0), field(12, 0)
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	y, mo, d := t.Date()
	h, mi, s := t.Clock()
	same := y == year && int(mo) == month && d == day && h == hour && mi == minute && s == second
	return t.Add(-offset), same
}

// number reads a text known to consist of a few digits.
func number(digits string) int {
	n := 0
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n
}

// readPlanDate reads a plan's date: twelve digits in local civil time, without a
// zone. Eight and fourteen digits are read too, since only the day matters.
func readPlanDate(s string) (cpis.Date, bool) {
	digits, rest := leadingDigits(s)
	if rest != "" || (len(digits) != 8 && len(digits) != 12 && len(digits) != 14) {
		return cpis.Date{}, false
	}
	d := cpis.Date{Year: number(digits[:4]), Month: time.Month(number(digits[4:6])), Day: number(digits[6:8])}
	if len(digits) >= 12 {
		d.Hour, d.Minute = number(digits[8:10]), number(digits[10:12])
	}
	valid := d.Year >= 1900 && d.Year < 2100 && d.Month >= 1 && d.Month <= 12 &&
		d.Day >= 1 && d.Day <= 31 && d.Hour < 24 && d.Minute < 60
	return d, valid
}

func writePlanDate(d cpis.Date) string {
	return fmt.Sprintf("%04d%02d%02d%02d%02d", d.Year, d.Month, d.Day, d.Hour, d.Minute)
}

// FormatTime writes t as messages of both wires do: yyyyMMddHHmmss+0000.
func FormatTime(t time.Time) string { return t.UTC().Format("20060102150405+0000") }

// IsUUID reports whether s is a UUID in the upper case that HL7 demands.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}

// readCount reads a non-negative integer of at most nine digits.
func readCount(s string) *int {
	digits, rest := leadingDigits(s)
	if rest != "" || len(digits) == 0 || len(digits) > 9 {
		return nil
	}
	n := number(digits)
	return &n
}
