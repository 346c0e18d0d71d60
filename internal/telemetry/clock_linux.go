package telemetry

import (
	"syscall"
	"time"
)

// What adjtimex says of a clock that nobody synchronises: a bit of the status.
const unsynchronised = 0x0040

// kernelClock is whether the kernel takes its clock for synchronised, and how far that
// may be wrong.
func kernelClock() (synchronised bool, most time.Duration, ok bool) {
	var t syscall.Timex // with no modes, which only reads
	_, err := syscall.Adjtimex(&t)
	if err != nil {
		return false, 0, false
	}
	return t.Status&unsynchronised == 0, time.Duration(t.Maxerror) * time.Microsecond, true
}
