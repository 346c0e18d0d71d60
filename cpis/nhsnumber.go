package cpis

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// NHSNumber is ten ASCII digits. Its check digit may or may not be right:
// whether that matters is a NumberPolicy.
//
// It withholds itself from fmt and slog, so that a number cannot reach a log
// line or an error text by accident; Digits and Grouped are the deliberate ways
// out.
type NHSNumber struct{ digits string }

// ErrNumberFormat means that a text is not exactly ten ASCII digits. Nothing is
// trimmed or repaired.
var ErrNumberFormat = errors.New("the NHS number is not exactly ten digits")

// ParseNHSNumber reads ten ASCII digits and nothing else.
func ParseNHSNumber(s string) (NHSNumber, error) {
	if len(s) != 10 {
		return NHSNumber{}, ErrNumberFormat
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return NHSNumber{}, ErrNumberFormat
		}
	}
	return NHSNumber{digits: s}, nil
}

// IsZero reports whether there is no number at all.
func (n NHSNumber) IsZero() bool { return n.digits == "" }

// Digits returns the ten digits without spaces, as messages carry them.
func (n NHSNumber) Digits() string { return n.digits }

// Grouped returns the number as people read it, 3-3-4 (MSCA-PDS-06).
func (n NHSNumber) Grouped() string {
	if n.IsZero() {
		return ""
	}
	return n.digits[:3] + " " + n.digits[3:6] + " " + n.digits[6:]
}

const withheld = "[NHS number withheld]"

// String withholds the number.
func (n NHSNumber) String() string { return withheld }

// Format withholds the number from fmt, whatever the verb: %d would otherwise
// look past String.
func (n NHSNumber) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, withheld) }

// LogValue withholds the number from slog.
func (n NHSNumber) LogValue() slog.Value { return slog.StringValue(withheld) }

// CheckDigitValid applies Modulus 11: weights 10 to 2 on the first nine digits;
// eleven minus the remainder must equal the tenth, 11 counting as 0 and 10
// marking a number that is never issued.
func (n NHSNumber) CheckDigitValid() bool {
	if n.IsZero() {
		return false
	}
	sum := 0
	for i := range 9 {
		sum += int(n.digits[i]-'0') * (10 - i)
	}
	check := 11 - sum%11
	if check == 11 {
		check = 0
	}
	return check == int(n.digits[9]-'0')
}

func (n NHSNumber) repeatsOneDigit() bool {
	for i := 1; i < len(n.digits); i++ {
		if n.digits[i] != n.digits[0] {
			return false
		}
	}
	return !n.IsZero()
}

// CheckDigitRule says what happens to a number whose check digit is wrong.
type CheckDigitRule uint8

const (
	// EnforceCheckDigit refuses the number. It is the zero value.
	EnforceCheckDigit CheckDigitRule = iota
	// RecordCheckDigit lets it through and has the doubt recorded.
	RecordCheckDigit
	// IgnoreCheckDigit lets it through.
	IgnoreCheckDigit
)

// NumberPolicy decides which well-formed numbers may be asked about. The zero
// value enforces Modulus 11 and exempts nothing.
//
// It is a policy because the number of the official success test, 1234567895,
// fails Modulus 11, while every repeated digit from 0000000000 to 9999999999
// passes it.
type NumberPolicy struct {
	CheckDigit     CheckDigitRule
	Exempt         []NHSNumber // asked about whatever the check digit
	RejectRepeated bool        // refuse ten equal digits
}

// Verdict is what a NumberPolicy says of one number.
type Verdict uint8

const (
	// NumberAdmitted may be asked about.
	NumberAdmitted Verdict = iota
	// NumberDoubted may be asked about, and the doubt belongs in the audit log.
	NumberDoubted
	// NumberRefused must not be asked about (SMSP-0001).
	NumberRefused
)

// Judge applies the policy.
func (p NumberPolicy) Judge(n NHSNumber) Verdict {
	if n.IsZero() {
		return NumberRefused
	}
	for _, exempt := range p.Exempt {
		if exempt == n {
			return NumberAdmitted
		}
	}
	if p.RejectRepeated && n.repeatsOneDigit() {
		return NumberRefused
	}
	if n.CheckDigitValid() || p.CheckDigit == IgnoreCheckDigit {
		return NumberAdmitted
	}
	if p.CheckDigit == RecordCheckDigit {
		return NumberDoubted
	}
	return NumberRefused
}

// IsInvented reports whether the number can be nobody's: it is of the range that
// begins with 999, which is never issued, or one of the numbers of the official test
// harness, 1234567895 and ten equal digits from 1 to 8. No other number may be sent by
// a tool that tries a provider of its own accord.
func (n NHSNumber) IsInvented() bool {
	switch {
	case strings.HasPrefix(n.digits, "999"), n.digits == "1234567895":
		return true
	default:
		return n.repeatsOneDigit() && n.digits[0] >= '1' && n.digits[0] <= '8'
	}
}
