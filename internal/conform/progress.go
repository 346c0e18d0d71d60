package conform

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// Progress tells how far a run is: on a terminal by one line that is drawn again,
// elsewhere by a line for each failed case. It is safe for concurrent use.
type Progress struct {
	w        io.Writer
	total    int
	terminal bool

	mu           sync.Mutex
	done, failed int
}

// NewProgress tells the progress of a run of total cases. What cannot be written is
// lost, since no result depends on it.
func NewProgress(w io.Writer, total int, terminal bool) *Progress {
	return &Progress{w: w, total: total, terminal: terminal}
}

// Done tells that a case has ended.
func (p *Progress) Done(r Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if r.Status == Failed {
		p.failed++
	}
	switch {
	case p.terminal:
		fmt.Fprint(p.w, "\r"+p.line(plain(r.ID))+"\x1b[K")
	case r.Status == Failed:
		fmt.Fprintf(p.w, "failed %s: %s: %s\n", plain(r.ID), plain(r.Title), plain(r.Got))
	}
}

// Finish takes the line away, so that the report can begin.
func (p *Progress) Finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// line fits into a terminal of 80 columns.
func (p *Progress) line(id string) string {
	const bar, room = 24, 30
	filled := min(bar, bar*p.done/max(p.total, 1))
	if utf8.RuneCountInString(id) > room {
		id = string([]rune(id)[:room-1]) + "…"
	}
	return fmt.Sprintf("[%s%s] %d/%d, %d failed  %s",
		strings.Repeat("#", filled), strings.Repeat(".", bar-filled), p.done, p.total, p.failed, id)
}
