package crash_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/stage"
)

// kind is a kind of store over which campaigns run.
type kind struct {
	name    string
	longest time.Duration                        // from when the program serves to the latest kill
	set     func(t *testing.T, o *stage.Options) // makes a stage keep its log in a store of its own
	forget  func(dir string) error               // removes the log of that stage
}

func inSQLite() kind {
	return kind{"sqlite", 300 * time.Millisecond, func(*testing.T, *stage.Options) {}, func(dir string) error {
		return removeAll(filepath.Join(dir, "audit.db*"))
	}}
}
