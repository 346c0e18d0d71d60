package audittest_test

import (
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

func TestMemoryKeepsThePromisesOfAStore(t *testing.T) {
	audittest.TestStore(t, func(*testing.T) func(*testing.T) (audit.Store, func()) {
		var memory audittest.Memory
		return func(*testing.T) (audit.Store, func()) { return &memory, func() {} }
	})
}
