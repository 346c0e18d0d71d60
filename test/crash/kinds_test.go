package crash_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// kind is a kind of store, and a pattern of the Spine, over which campaigns run.
type kind struct {
	name    string
	share   int                                  // a campaign has one round of so many
	longest time.Duration                        // from when the program serves to the latest kill
	set     func(t *testing.T, o *stage.Options) // makes a stage keep its log in a store of its own
	forget  func(dir string) error               // removes the log of that stage
}

func inSQLite() kind {
	return kind{"sqlite", 1, 300 * time.Millisecond, func(*testing.T, *stage.Options) {}, func(dir string) error {
		return removeAll(filepath.Join(dir, "audit.db*"))
	}}
}

// asynchronous is SQLite where the Spine posts its replies: those to a provider that
// was killed reach the one that was started after it.
func asynchronous() kind {
	k := inSQLite()
	k.name, k.share, k.longest = "asynchronous", 3, 900*time.Millisecond
	k.set = func(_ *testing.T, o *stage.Options) {
		o.Pattern = "async"
		more := o.Simulator
		o.Simulator = func(config *spinesim.Config) {
			more(config)
			config.Chaos.Delays = []spinesim.DelayShare{
				{Share: 20, Delay: 100 * time.Millisecond}, {Share: 15, Delay: 1500 * time.Millisecond}, {Share: 15, Delay: 4 * time.Second},
			}
		}
	}
	return k
}
