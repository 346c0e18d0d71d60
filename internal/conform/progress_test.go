package conform_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/wardsmsp/ward/internal/conform"
)

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	var screen bytes.Buffer
	p := conform.NewProgress(&screen, 6, true)
	for _, result := range sample().Results {
		p.Done(result)
	}
	drawn := strings.Split(screen.String(), "\r")
	last := strings.TrimSuffix(drawn[len(drawn)-1], "\x1b[K")
	if want := "[########################] 6/6, 1 failed  N32-same-message"; last != want {
		t.Errorf("the last line is %q, want %q", last, want)
	}
	p.Finish()
	if strings.Contains(screen.String(), "\n") || !strings.HasSuffix(screen.String(), "\r\x1b[K") {
		t.Errorf("the line is not taken away: %q", screen.String())
	}
}

func TestProgressElsewhereTellsEachFailure(t *testing.T) {
	var out bytes.Buffer
	p := conform.NewProgress(&out, 6, false)
	for _, result := range sample().Results {
		p.Done(result)
	}
	p.Finish()
	want := "failed N8-created-malformed: The message's time of creation has no form of a time.: HTTP 200, SMSP-0000\n"
	if out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
}

// No case can break the line, whatever it is called and however many there are.
func TestProgressKeepsToItsLine(t *testing.T) {
	var screen bytes.Buffer
	p := conform.NewProgress(&screen, 0, true)
	p.Done(conform.Result{ID: hostile + strings.Repeat("é", 200)})
	p.Done(conform.Result{ID: hostile})
	for line := range strings.SplitSeq(screen.String(), "\r") {
		line = strings.TrimSuffix(line, "\x1b[K")
		if strings.ContainsAny(line, "\n\x1b") || utf8.RuneCountInString(line) > 79 {
			t.Errorf("the line is %q", line)
		}
	}
}

func TestProgressIsSafeForConcurrentUse(t *testing.T) {
	var out bytes.Buffer
	p := conform.NewProgress(&out, 50, false)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { p.Done(conform.Result{ID: "x", Status: conform.Failed}) })
	}
	all.Wait()
	p.Finish()
	if n := strings.Count(out.String(), "\n"); n != 50 {
		t.Errorf("%d lines, want 50", n)
	}
}
