//go:build !linux

package telemetry

import "time"

// kernelClock is not known here.
func kernelClock() (synchronised bool, most time.Duration, ok bool) { return false, 0, false }
