package pds

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The longest pauses: of our own accord, and if the service asks for one.
const (
	longestPause = 30 * time.Second
	longestAsked = 5 * time.Minute
)

// pause is the time in which a service is left alone after it failed. It doubles with
// each failure in a row.
type pause struct {
	mu       sync.Mutex
	until    time.Time
	failures int // in a row
}

func (p *pause) active(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Before(p.until)
}

// failed begins a pause after a failure: the first one in a row pauses for first. The
// service may ask for more. What fails during a pause was under way before it, and
// makes it longer only if the service asks for that.
func (p *pause) failed(now time.Time, first, asked time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	length := min(asked, longestAsked)
	if !now.Before(p.until) {
		length = max(length, min(first<<p.failures, longestPause))
		p.failures = min(p.failures+1, 10) // 10 doublings are beyond the longest
	}
	end := now.Add(length)
	if end.After(p.until) {
		p.until = end
	}
}

// worked ends the row of failures. It does not end a pause that the service asked for.
func (p *pause) worked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = 0
}

// retryAfter reads the header of that name, in seconds or as a date. It is 0 if there
// is none that can be read.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err == nil {
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(text)
	if err != nil || date.Before(now) {
		return 0
	}
	return date.Sub(now)
}
