package ebxml_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// WRD-SPN-05: the durations of the directory.
func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	read := map[string]time.Duration{
		"PT1M": time.Minute, "PT5M": 5 * time.Minute, "PT30S": 30 * time.Second, "P1D": day, "PT0S": 0, "P0D": 0,
		"PT1H30M": 90 * time.Minute, "PT1H2M3S": time.Hour + 2*time.Minute + 3*time.Second, "P1DT12H": day + 12*time.Hour,
		"P2W": 14 * day, "P1W2D": 9 * day, "PT90M": 90 * time.Minute, "PT0.5S": 500 * time.Millisecond,
		"PT1.250S": 1250 * time.Millisecond, "PT0.1234567899S": 123456789, "PT00010M": 10 * time.Minute, "P3660D": 3660 * day,
	}
	for iso, want := range read {
		got, err := ebxml.ParseDuration(iso)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", iso, got, err, want)
		}
	}
	refused := []string{
		"", "P", "PT", "P1DT", "T1M", "1M", "5", "PT5", "PTM", "P5", "PT5m", "pt5M", "PT5M ", " PT5M", "PT 5M", "-PT5M", "PT-5M", "+PT5M", "PT+5M",
		"P1Y", "P1M", "P1Y2M3D", "P5H", "PT1D", "PT1W", "PT1M1H", "PT1S1M", "P1D1W", "PT1M1M", "PT1.5M", "P1.5D", "PT1.S", "PT.5S", "PT1.2.3S", "PT1,5S",
		"PT1H1", "PT1H1MT1S", "P1D1H", "P4000D", "P3660DT1H3600000000S", "PT9223372036854775807S", "PT99999999999999999999999M", "P٣D", "PT0.0000000000000000000000000000000000000000000000000000000000000000000001S",
	}
	for _, iso := range refused {
		got, err := ebxml.ParseDuration(iso)
		if err == nil {
			t.Errorf("ParseDuration(%q) = %v", iso, got)
		}
	}
}

// A duration is what its parts add up to.
func TestDurationsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := []string{"PT0S", "PT7S", "PT45S", "PT1M", "PT59M", "PT3H", "P1D", "P13D", "P4W"}
		a, b := rapid.SampledFrom(texts).Draw(t, "a"), rapid.SampledFrom(texts).Draw(t, "b")
		first, err := ebxml.ParseDuration(a)
		if err != nil {
			t.Fatal(err)
		}
		second, err := ebxml.ParseDuration(b)
		if err != nil {
			t.Fatal(err)
		}
		// A date before a time can be written as one.
		if a[1] == 'T' || b[1] != 'T' {
			return
		}
		sum, err := ebxml.ParseDuration(a + b[1:])
		if err != nil || sum != first+second {
			t.Fatalf("%s and %s are %v, %v", a, b, sum, err)
		}
	})
}
