package crash_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/spinesim"
)

// ledger follows the audit log from one reading to the next.
type ledger struct {
	config   string
	database string
	keys     *seal.Keys
	next     int64 // sequence of the next entry to read
	run      int   // how many starts were read

	intents   map[string]audit.Entry // by query id
	outcomes  map[string]audit.Entry // by correlation
	open      map[string]int         // correlations of intents without an end, and the run that wrote them
	recovered int
}

func newLedger(dir string) *ledger {
	return &ledger{
		config:   filepath.Join(dir, "ward.toml"),
		database: filepath.Join(dir, "audit.db"),
		intents:  map[string]audit.Entry{},
		outcomes: map[string]audit.Entry{},
		open:     map[string]int{},
	}
}

// read takes the entries that were added since the last reading.
func (l *ledger) read() error {
	if l.keys == nil {
		file, err := config.LoadAudit(l.config)
		if err != nil {
			return err
		}
		l.keys = file.Keys
	}
	store, err := sqlite.OpenReadOnly(l.database)
	if err != nil {
		return err
	}
	defer store.Close()
	for record, err := range audit.Entries(context.Background(), store, l.keys, l.next, math.MaxInt64) {
		if err != nil {
			return err
		}
		err = l.take(record)
		if err != nil {
			return fmt.Errorf("entry %d: %w", record.Seq, err)
		}
	}
	return nil
}

// take checks that an entry may stand where it stands.
func (l *ledger) take(record audit.Record) error {
	if record.Seq != l.next {
		return fmt.Errorf("expected entry %d", l.next)
	}
	l.next++
	e := record.Entry
	switch e.Kind {
	case audit.Started:
		l.run++
	case audit.Intent:
		return l.intent(e)
	case audit.Outcome:
		run, open := l.open[e.Correlation]
		if !open || run != l.run {
			return fmt.Errorf("an outcome without an open intent of the same run")
		}
		delete(l.open, e.Correlation)
		l.outcomes[e.Correlation] = e
	case audit.Recovered:
		run, open := l.open[e.Correlation]
		if !open || run >= l.run {
			return fmt.Errorf("a recovery without an open intent of an earlier run")
		}
		delete(l.open, e.Correlation)
		l.recovered++
	case audit.Refused:
		return l.refused(e)
	case audit.Undelivered, audit.Stopped, audit.Configured:
	default:
		return fmt.Errorf("an entry %q that nothing in this test causes: %s", e.Kind, e.Reason)
	}
	return nil
}

// refused takes the refusal of a message that was used before, and of no other.
func (l *ledger) refused(e audit.Entry) error {
	_, known := l.intents[e.QueryID]
	if e.Outcome != cpis.RefusedDuplicate.String() || !known {
		return fmt.Errorf("a refusal that nothing in this test causes: %s", e.Reason)
	}
	return nil
}

func (l *ledger) intent(e audit.Entry) error {
	for correlation, run := range l.open {
		if run < l.run {
			return fmt.Errorf("a new intent while %s of an earlier run is still open", correlation)
		}
	}
	_, again := l.intents[e.QueryID]
	if again {
		return fmt.Errorf("a second intent for the query %s", e.QueryID)
	}
	l.intents[e.QueryID] = e
	l.open[e.Correlation] = l.run
	return nil
}

// confirm checks that an answer which a client received whole was recorded first.
func (l *ledger) confirm(a answer) error {
	if !a.whole {
		return fmt.Errorf("a client received a fault or a refusal, correlation %s", a.correlation)
	}
	o, ok := l.outcomes[a.correlation]
	if !ok {
		return fmt.Errorf("the answer %s was delivered but its outcome is not in the log", a.correlation)
	}
	if o.MessageID != a.messageID || o.NHSNumber != a.number || o.Code != string(a.code) {
		return fmt.Errorf("the outcome of %s is not what its client was told", a.correlation)
	}
	return nil
}

// confirmIntent checks that a query which the Spine received was recorded first.
func (l *ledger) confirmIntent(q spinesim.Query) error {
	i, ok := l.intents[q.QueryID]
	if !ok {
		return fmt.Errorf("the query %s reached the Spine but its intent is not in the log", q.QueryID)
	}
	if i.NHSNumber != q.NHSNumber || !slices.Contains(i.SpineMessageIDs, strings.TrimPrefix(q.MessageID, "uuid:")) {
		return fmt.Errorf("the intent of %s is not what the Spine was asked", q.QueryID)
	}
	return nil
}
