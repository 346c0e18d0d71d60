// Package logtest keeps what a program writes for tests that read it meanwhile.
package logtest

import (
	"bytes"
	"sync"
)

// Lines is a writer, such as of an operational log, whose text can be read at any time.
// Its zero value is empty.
type Lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all that was written so far.
func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
