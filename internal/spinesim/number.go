package spinesim

import "fmt"

// checkDigit is the Modulus 11 check digit of nine digits; ok is false when
// none exists, so that no NHS number begins with them.
func checkDigit(nine string) (digit byte, ok bool) {
	sum := 0
	for i := range 9 {
		sum += int(nine[i]-'0') * (10 - i)
	}
	switch r := 11 - sum%11; r {
	case 11:
		return '0', true
	case 10:
		return 0, false
	default:
		return byte('0' + r), true
	}
}

// validNumber reports ten digits that pass Modulus 11.
func validNumber(s string) bool {
	if len(s) != 10 {
		return false
	}
	for i := range 10 {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	digit, ok := checkDigit(s[:9])
	return ok && digit == s[9]
}

// syntheticNumber is the number 999 + six digits of index + check digit; ok is
// false for the indices that have no check digit.
func syntheticNumber(index int) (string, bool) {
	nine := fmt.Sprintf("999%06d", index)
	digit, ok := checkDigit(nine)
	return nine + string(digit), ok
}
