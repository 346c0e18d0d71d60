package cpis

import (
	"errors"
	"time"
)

// ErrBirthDate means that a text is not a date of birth: yyyy-MM-dd, a day that
// there is, not after today and not before 1850.
var ErrBirthDate = errors.New("the date of birth is not a day as yyyy-mm-dd, from 1850 to today")

// earliestBirth is the first year in which somebody may have been born.
const earliestBirth = 1850

// ParseBirthDate reads a date of birth. now gives today: the civil date in the United
// Kingdom, whose clocks are never more than an hour ahead of UTC.
func ParseBirthDate(s string, now time.Time) (Date, error) {
	born, err := time.Parse(time.DateOnly, s)
	if err != nil || born.Year() < earliestBirth || born.After(now.UTC().Add(time.Hour)) {
		return Date{}, ErrBirthDate
	}
	return DateOf(born), nil
}
