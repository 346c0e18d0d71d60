// Package leaktest fails the tests of a package that leave goroutines behind.
package leaktest

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end after the last test: a question whose
// provider was stopped before its reply came goes on until its budget is over.
const patience = time.Minute

// Main is for TestMain: it runs the tests, and fails if goroutines do not end after them.
func Main(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

type tests struct{ *testing.M }

// Run gives what is about to end the time for it. goleak alone waits for less than half
// a second, which a busy machine can take for less.
func (t tests) Run() int {
	code := t.M.Run()
	for end := time.Now().Add(patience); code == 0 && goleak.Find() != nil && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	return code
}
