package hl7

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

// The datatype TS as its specification puts it (itk.md 6.2).
func TestMoment(t *testing.T) {
	utc := func(year int, month time.Month, rest ...int) time.Time {
		field := func(i, absent int) int {
			if i < len(rest) {
				return rest[i]
			}
			return absent
		}
		return time.Date(year, month, field(0, 1), field(1, 0), field(2, 0), field(3, 0), 0, time.UTC)
	}
	read := []struct {
		text      string
		time      time.Time
		precision cpis.Precision
		assumed   bool
	}{
		{"2026", utc(2026, 1), cpis.ToYear, false},
		{"20260", utc(2026, 1), cpis.ToYear, false},
		{"202603", utc(2026, 3), cpis.ToMonth, false},
		{"20260314", utc(2026, 3, 14), cpis.ToDay, false},
		{"2026031409", utc(2026, 3, 14, 9), cpis.ToHour, true},
		{"202603140926", utc(2026, 3, 14, 9, 26), cpis.ToMinute, true},
		{"20260314092653", utc(2026, 3, 14, 9, 26, 53), cpis.ToSecond, true},
		{"20260314092653+0000", utc(2026, 3, 14, 9, 26, 53), cpis.ToSecond, false},
		{"20260314092653-0000", utc(2026, 3, 14, 9, 26, 53), cpis.ToSecond, false},
		{"20260714092653+0100", utc(2026, 7, 14, 8, 26, 53), cpis.ToSecond, false},
		{"20260314002653+0530", utc(2026, 3, 13, 18, 56, 53), cpis.ToSecond, false},
		{"20260314232653-0100", utc(2026, 3, 15, 0, 26, 53), cpis.ToSecond, false},
		{"20260314092653+1", utc(2026, 3, 14, 8, 26, 53), cpis.ToSecond, false},
		{"20260314092653+01", utc(2026, 3, 14, 8, 26, 53), cpis.ToSecond, false},
		{"20260314092653+130", utc(2026, 3, 14, 7, 56, 53), cpis.ToSecond, false},
		{"20260314092653.5", utc(2026, 3, 14, 9, 26, 53), cpis.ToSecond, true},
		{"20260314092653.123456+0000", utc(2026, 3, 14, 9, 26, 53), cpis.ToSecond, false},
		{"202603140+0000", utc(2026, 3, 14), cpis.ToDay, false},
		{"20240229", utc(2024, 2, 29), cpis.ToDay, false},
		// Of the right form, but no real point in time.
		{"1", time.Time{}, 0, false},
		{"202", time.Time{}, 0, false},
		{"20261301", time.Time{}, 0, false},
		{"20260230", time.Time{}, 0, false},
		{"20260314242653+0000", time.Time{}, 0, false},
		{"20260314096053+0000", time.Time{}, 0, false},
		{"20260314092660+0000", time.Time{}, 0, false},
	}
	for _, test := range read {
		t.Run(test.text, func(t *testing.T) {
			m, ok := readMoment(test.text)
			if !ok || m.Written != test.text || !m.Time.Equal(test.time) || m.Precision != test.precision || m.ZoneAssumed != test.assumed {
				t.Errorf("readMoment = %+v, %t; want %v, precision %d, assumed %t", m, ok, test.time, test.precision, test.assumed)
			}
		})
	}
	refused := []string{
		"", " ", "x", "+0000", "2026+0000", "20260314+0000", "2026-03-14", "2026031409265301", "20260314092653Z", "20260314092653+",
		"20260314092653+00000", "20260314092653+00:00", "20260314092653.", "20260314092653.+0000", "2026031409.5", "20260314 ", " 20260314",
		"20260314T092653", "20260314092653++00", "20260314092653+0000x", "２０２６", "20260314\x00",
	}
	for _, text := range refused {
		_, ok := readMoment(text)
		if ok {
			t.Errorf("readMoment(%q) is read", text)
		}
	}
}

// The pattern of the datatype, as another notation says it.
var tsPattern = regexp.MustCompile(`^([0-9]{1,8}|([0-9]{9,14}|[0-9]{14}\.[0-9]+)([+-][0-9]{1,4})?)$`)

func TestMomentHasTheFormOfItsDatatype(t *testing.T) {
	texts := rapid.OneOf(
		rapid.StringMatching(`[0-9]{0,16}(\.[0-9]{0,3})?([+-][0-9]{0,5})?`),
		rapid.StringMatching(`20[0-9]{12}[+-][0-9]{4}`),
		rapid.StringOf(rapid.RuneFrom([]rune("0123456789+-.Z "))),
	)
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		m, ok := readMoment(text)
		if want := tsPattern.MatchString(text); ok != want {
			t.Fatalf("readMoment(%q) = %t, want %t", text, ok, want)
		}
		if ok && m.Written != text {
			t.Fatalf("readMoment(%q) passes on %q", text, m.Written)
		}
	})
}

func TestFormatTimeIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Int64Range(0, 4e9).Draw(t, "seconds")
		zone := time.FixedZone("", rapid.IntRange(-14*60, 14*60).Draw(t, "zone")*60)
		at := time.Unix(seconds, rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).In(zone)
		m, ok := readMoment(FormatTime(at))
		if !ok || m.Precision != cpis.ToSecond || m.ZoneAssumed || m.Time.Unix() != seconds {
			t.Fatalf("%v is written as %s and read as %v", at, FormatTime(at), m.Time)
		}
	})
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2026, time.July, 14, 10, 26, 53, 999, time.FixedZone("BST", 3600))
	if got := FormatTime(at); got != "20260714092653+0000" {
		t.Errorf("FormatTime = %s", got)
	}
}

func TestPlanDate(t *testing.T) {
	read := map[string]cpis.Date{
		"202603050900":   {Year: 2026, Month: 3, Day: 5, Hour: 9},
		"202603052359":   {Year: 2026, Month: 3, Day: 5, Hour: 23, Minute: 59},
		"190001010000":   {Year: 1900, Month: 1, Day: 1},
		"209912312359":   {Year: 2099, Month: 12, Day: 31, Hour: 23, Minute: 59},
		"20260305":       {Year: 2026, Month: 3, Day: 5},
		"20260305090059": {Year: 2026, Month: 3, Day: 5, Hour: 9},
	}
	for text, want := range read {
		got, ok := readPlanDate(text)
		if !ok || got != want {
			t.Errorf("readPlanDate(%q) = %v, %t; want %v", text, got, ok, want)
		}
	}
	refused := []string{
		"", "2026", "202603", "2026030509", "202613050900", "202600050900", "202603320900", "202603000900", "202603052400", "202603050960",
		"189912310000", "210001010000", "202603050900+0000", "2026-03-05", " 202603050900", "20260305090a", "２０２６０３０５",
	}
	for _, text := range refused {
		got, ok := readPlanDate(text)
		if ok {
			t.Errorf("readPlanDate(%q) = %v", text, got)
		}
	}
}

func TestPlanDateIsWrittenAsRead(t *testing.T) { // WRD-SAF-16
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])[0-5][0-9]`).Draw(t, "date")
		d, ok := readPlanDate(text)
		if !ok || writePlanDate(d) != text {
			t.Fatalf("%s is written as %s (%t)", text, writePlanDate(d), ok)
		}
	})
}

func TestUUID(t *testing.T) {
	const uuid = "41CE9F70-8253-4EBF-9061-A394817060F5"
	if !IsUUID(uuid) || !IsUUID("00000000-0000-0000-0000-000000000000") {
		t.Error("an upper-case UUID is refused")
	}
	refused := []string{
		"", strings.ToLower(uuid), uuid + "0", uuid[:35], "urn:uuid:" + uuid, "{" + uuid + "}", strings.ReplaceAll(uuid, "-", ""),
		strings.Replace(uuid, "-", "0", 1), strings.Replace(uuid, "A", "G", 1), strings.Replace(uuid, "4", "-", 1), " " + uuid[1:],
	}
	for _, text := range refused {
		if IsUUID(text) {
			t.Errorf("IsUUID(%q)", text)
		}
	}
}

func TestCount(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "1": 1, "025": 25, "999999999": 999999999} {
		if got := readCount(text); got == nil || *got != want {
			t.Errorf("readCount(%q) = %v, want %d", text, got, want)
		}
	}
	for _, text := range []string{"", "-1", "+1", "1.0", " 1", "1 ", "one", "0x1", "1000000000", "٣"} {
		if got := readCount(text); got != nil {
			t.Errorf("readCount(%q) = %d", text, *got)
		}
	}
}
