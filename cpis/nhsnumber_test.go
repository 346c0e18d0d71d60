package cpis_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

// Synthetic numbers of the range that is kept for tests.
const (
	child  = "9990000018"
	mother = "9990000026"
	other  = "9990000034"
)

func number(digits string) cpis.NHSNumber {
	n, err := cpis.ParseNHSNumber(digits)
	if err != nil {
		panic("a test uses a malformed NHS number")
	}
	return n
}

// isValid is Modulus 11 put another way than in the product: all ten digits,
// weighted from 10 down to 1, add up to a multiple of eleven.
func isValid(digits string) bool {
	sum := 0
	for i, d := range digits {
		sum += (10 - i) * int(d-'0')
	}
	return sum%11 == 0
}

var digits = rapid.StringMatching(`[0-9]{10}`)

// validDigits are numbers that pass Modulus 11.
var validDigits = rapid.Custom(func(t *rapid.T) string {
	return digits.Filter(isValid).Draw(t, "digits")
})

// WRD-VAL-14: exactly ten ASCII digits. Nothing is trimmed or repaired.
func TestNHSNumberFormat(t *testing.T) {
	refused := map[string]string{
		"empty":                "",
		"nine digits":          "999000001",
		"eleven digits":        "99900000180",
		"grouped":              "999 000 0018",
		"hyphens":              "999-000-0018",
		"space before":         " 9990000018",
		"space after":          "9990000018 ",
		"space instead":        "999000001 ",
		"letter":               "99900000I8",
		"sign":                 "+990000018",
		"newline":              "9990000018\n",
		"NUL":                  "999000001\x00",
		"full-width digits":    "９９９００００００１８",
		"Arabic-Indic digits":  "٩٩٩٠٠٠٠٠١٨",
		"ten bytes not digits": "٩٩٩٠٠",
		"not UTF-8":            "999000001\xff",
		"old style":            "ABCD123456",
		"just below 0":         "/999000001",
		"just above 9":         ":999000001",
	}
	for name, text := range refused {
		t.Run(name, func(t *testing.T) {
			n, err := cpis.ParseNHSNumber(text)
			if !errors.Is(err, cpis.ErrNumberFormat) || !n.IsZero() {
				t.Errorf("ParseNHSNumber(%q) = %q, %v; want no number and ErrNumberFormat", text, n.Digits(), err)
			}
		})
	}
	for _, text := range []string{child, "0000000000", "1234567895"} {
		n, err := cpis.ParseNHSNumber(text)
		if err != nil || n.Digits() != text || n.IsZero() {
			t.Errorf("ParseNHSNumber(%q) = %q, %v; want it as it is", text, n.Digits(), err)
		}
	}
}

func TestNHSNumberGrouping(t *testing.T) { // MSCA-PDS-06
	if got := number(child).Grouped(); got != "999 000 0018" {
		t.Errorf("Grouped = %q, want 999 000 0018", got)
	}
	if got := (cpis.NHSNumber{}).Grouped(); got != "" {
		t.Errorf("Grouped of no number = %q, want nothing", got)
	}
}

func TestCheckDigit(t *testing.T) {
	tests := []struct {
		digits string
		valid  bool
	}{
		{child, true},
		{mother, true},
		{other, true},
		{"9990000019", false},
		{"9449310394", true},
		{"9448904053", true},
		{"9000000009", true},
		{"1234567895", false}, // the official success trigger fails
		{"9912003899", false},
		{"0000000000", true}, // eleven counts as 0; every repeated digit passes
		{"1111111111", true},
		{"8888888888", true},
		{"9990000000", false}, // the check would be 10, so no digit is right
	}
	for _, test := range tests {
		if got := number(test.digits).CheckDigitValid(); got != test.valid {
			t.Errorf("CheckDigitValid(%s) = %t, want %t", test.digits, got, test.valid)
		}
	}
	if (cpis.NHSNumber{}).CheckDigitValid() {
		t.Error("no number has a valid check digit")
	}
}

func TestCheckDigitEqualsTheIndependentFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := digits.Draw(t, "digits")
		if got, want := number(text).CheckDigitValid(), isValid(text); got != want {
			t.Fatalf("CheckDigitValid(%s) = %t, want %t", text, got, want)
		}
	})
}

// Any single wrong digit and any two neighbours exchanged are noticed: that is
// what the check digit is for (H-02).
func TestCheckDigitFindsTypingErrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(validDigits.Draw(t, "digits"))
		i := rapid.IntRange(0, 9).Draw(t, "position")
		old := text[i]
		text[i] = rapid.SampledFrom([]byte("0123456789")).Filter(func(d byte) bool { return d != old }).Draw(t, "digit")
		if number(string(text)).CheckDigitValid() {
			t.Fatalf("%s has one wrong digit and passes", text)
		}
		text[i] = old
		i = rapid.IntRange(0, 8).Draw(t, "pair")
		if text[i] == text[i+1] {
			return
		}
		text[i], text[i+1] = text[i+1], text[i]
		if number(string(text)).CheckDigitValid() {
			t.Fatalf("%s has two digits exchanged and passes", text)
		}
	})
}

func TestNumberPolicy(t *testing.T) {
	const (
		valid    = child
		invalid  = "9990000019"
		trigger  = "1234567895" // fails Modulus 11
		repeated = "1111111111" // passes it
	)
	exempt := []cpis.NHSNumber{number(trigger), number(repeated)}
	tests := []struct {
		name   string
		policy cpis.NumberPolicy
		digits string
		want   cpis.Verdict
	}{
		{"enforce is the zero value", cpis.NumberPolicy{}, invalid, cpis.NumberRefused},
		{"enforce admits a valid number", cpis.NumberPolicy{}, valid, cpis.NumberAdmitted},
		{"enforce admits repeated digits", cpis.NumberPolicy{}, repeated, cpis.NumberAdmitted},
		{"enforce refuses the trigger", cpis.NumberPolicy{}, trigger, cpis.NumberRefused},
		{"enforce admits an exempt number", cpis.NumberPolicy{Exempt: exempt}, trigger, cpis.NumberAdmitted},
		{"an exemption is for that number alone", cpis.NumberPolicy{Exempt: exempt}, invalid, cpis.NumberRefused},
		{"record admits a valid number", cpis.NumberPolicy{CheckDigit: cpis.RecordCheckDigit}, valid, cpis.NumberAdmitted},
		{"record doubts an invalid number", cpis.NumberPolicy{CheckDigit: cpis.RecordCheckDigit}, invalid, cpis.NumberDoubted},
		{"record does not doubt an exempt number", cpis.NumberPolicy{CheckDigit: cpis.RecordCheckDigit, Exempt: exempt}, trigger, cpis.NumberAdmitted},
		{"off admits an invalid number", cpis.NumberPolicy{CheckDigit: cpis.IgnoreCheckDigit}, invalid, cpis.NumberAdmitted},
		{"repeated digits refused", cpis.NumberPolicy{RejectRepeated: true}, repeated, cpis.NumberRefused},
		{"repeated digits refused even if off", cpis.NumberPolicy{CheckDigit: cpis.IgnoreCheckDigit, RejectRepeated: true}, repeated, cpis.NumberRefused},
		{"repeated digits refused, others not", cpis.NumberPolicy{RejectRepeated: true}, valid, cpis.NumberAdmitted},
		{"repeated digits exempt", cpis.NumberPolicy{RejectRepeated: true, Exempt: exempt}, repeated, cpis.NumberAdmitted},
		{"an unknown rule enforces", cpis.NumberPolicy{CheckDigit: 99}, invalid, cpis.NumberRefused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.policy.Judge(number(test.digits)); got != test.want {
				t.Errorf("Judge = %d, want %d", got, test.want)
			}
		})
	}
}

func TestNoNumberIsNeverAskedAbout(t *testing.T) {
	for _, rule := range []cpis.CheckDigitRule{cpis.EnforceCheckDigit, cpis.RecordCheckDigit, cpis.IgnoreCheckDigit} {
		policy := cpis.NumberPolicy{CheckDigit: rule, Exempt: []cpis.NHSNumber{{}}}
		if got := policy.Judge(cpis.NHSNumber{}); got != cpis.NumberRefused {
			t.Errorf("rule %d: Judge of no number = %d, want refused", rule, got)
		}
	}
}

// WRD-IGV-01: a number cannot reach a log line or an error text by accident.
func TestNHSNumberWithholdsItself(t *testing.T) {
	n := number(child)
	query := cpis.Query{ID: "E1", Number: n}
	values := map[string]any{
		"number": n, "pointer": &n, "slice": []cpis.NHSNumber{n}, "map": map[cpis.NHSNumber]cpis.NHSNumber{n: n},
		"query": query, "pointer to query": &query, "access": cpis.Access{Number: n},
		"policy": cpis.NumberPolicy{Exempt: []cpis.NHSNumber{n}},
	}
	mustWithhold(t, n.String())
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%t", "%e", "%U", "%b", "%o", "%10.3v"} {
			t.Run(name+" "+verb, func(t *testing.T) { mustWithhold(t, fmt.Sprintf(verb, value)) })
		}
		t.Run(name+" error", func(t *testing.T) { mustWithhold(t, fmt.Errorf("asked about %v", value).Error()) })
		t.Run(name+" print", func(t *testing.T) { mustWithhold(t, fmt.Sprint(value)+fmt.Sprintln(value)) })
		t.Run(name+" slog text", func(t *testing.T) {
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("asked", "value", value)
			mustWithhold(t, log.String())
		})
		t.Run(name+" slog JSON", func(t *testing.T) {
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("asked", "value", value)
			mustWithhold(t, log.String())
		})
		t.Run(name+" JSON", func(t *testing.T) {
			text, err := json.Marshal(value)
			if err == nil {
				mustWithhold(t, string(text))
			}
		})
	}
}

// mustWithhold looks for the number as digits, in hexadecimal and grouped.
func mustWithhold(t *testing.T, text string) {
	t.Helper()
	for _, form := range []string{child, fmt.Sprintf("%x", child), fmt.Sprintf("%X", child), "999 000 0018"} {
		if strings.Contains(text, form) {
			t.Errorf("the NHS number is printed: %s", text)
		}
	}
}

func FuzzNHSNumber(f *testing.F) {
	for _, seed := range []string{child, "1234567895", "0000000000", "", "999 000 0018", "９９９００００００１８", "99900000180"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := cpis.ParseNHSNumber(text)
		if (err == nil) == n.IsZero() {
			t.Fatalf("%q gives both or neither of number and error", text)
		}
		if err != nil {
			return
		}
		if n.Digits() != text || strings.ReplaceAll(n.Grouped(), " ", "") != text {
			t.Fatalf("%q is read as %q", text, n.Digits())
		}
		if strings.Trim(text, "0123456789") != "" || len(text) != 10 {
			t.Fatalf("%q is not ten digits", text)
		}
		if n.CheckDigitValid() != isValid(text) {
			t.Fatalf("%q: CheckDigitValid is %t", text, n.CheckDigitValid())
		}
		if (cpis.NumberPolicy{}).Judge(n) == cpis.NumberAdmitted && !isValid(text) {
			t.Fatalf("%q is admitted with a wrong check digit", text)
		}
	})
}

// Only numbers that can be nobody's may be sent to try a provider (WRD-SAF-02).
func TestInventedNumbers(t *testing.T) {
	for digits, want := range map[string]bool{
		"9990000018": true, "9990000019": true, "9999999999": true, "1234567895": true, "1111111111": true, "8888888888": true,
		"0000000000": false, "1234567890": false, "9980000018": false, "1111111112": false,
	} {
		n, err := cpis.ParseNHSNumber(digits)
		if err != nil {
			t.Fatal(err)
		}
		if n.IsInvented() != want {
			t.Errorf("%s: %t, want %t", digits, !want, want)
		}
	}
	if (cpis.NHSNumber{}).IsInvented() {
		t.Error("no number is taken for an invented one")
	}
}
