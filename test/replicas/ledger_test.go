//go:build postgres

package replicas_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// ledger follows the audit log from one reading to the next.
type ledger struct {
	config string
	next   int64          // sequence of the next entry to read
	runs   map[string]int // how many starts of each instance were read
	final  bool           // no instance comes back any more

	intents   map[string]audit.Entry // by query id
	outcomes  map[string]audit.Entry // by correlation
	open      map[string]intent      // by correlation
	recovered map[string]audit.Entry // by correlation
	asked     map[string]string      // correlations by the ids of messages to the Spine
	discarded []audit.Entry
}

// intent is one without an end: who wrote it in which of its runs.
type intent struct {
	instance string
	run      int
}

func newLedger(s *stage.Stage) *ledger {
	return &ledger{
		config:    s.WardConfig(),
		runs:      map[string]int{},
		intents:   map[string]audit.Entry{},
		outcomes:  map[string]audit.Entry{},
		open:      map[string]intent{},
		recovered: map[string]audit.Entry{},
		asked:     map[string]string{},
	}
}

// read takes the entries that were added since the last reading.
func (l *ledger) read(ctx context.Context) error {
	file, err := config.LoadAudit(l.config)
	if err != nil {
		return err
	}
	store, err := stores.Read(ctx, file.Store)
	if err != nil {
		return err
	}
	defer store.Close()
	for record, err := range audit.Entries(ctx, store, file.Keys, l.next, math.MaxInt64) {
		if err != nil {
			return err
		}
		err = l.take(record)
		if err != nil {
			return fmt.Errorf("entry %d, %s of %s: %w", record.Seq, record.Entry.Kind, record.Entry.Instance, err)
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
	mine := intent{e.Instance, l.runs[e.Instance]}
	opened, open := l.open[e.Correlation]
	switch e.Kind {
	case audit.Started:
		l.runs[e.Instance]++
	case audit.Intent:
		return l.intent(e, mine)
	case audit.Outcome:
		// That nothing was asked is recorded of an intent which may not be there.
		if e.Outcome == cpis.AuditFailedBefore.String() && !open {
			return nil
		}
		if !open || opened != mine {
			return fmt.Errorf("an outcome without an open intent of the same run")
		}
		delete(l.open, e.Correlation)
		l.outcomes[e.Correlation] = e
	case audit.Recovered:
		if !open || opened.instance != mine.instance || opened.run >= mine.run && !l.final {
			return fmt.Errorf("a recovery without an open intent of an earlier run of the same instance")
		}
		delete(l.open, e.Correlation)
		l.recovered[e.Correlation] = e
	case audit.LookedUp:
		if !open || opened != mine {
			return fmt.Errorf("a look-up without an open intent of the same run")
		}
	case audit.Discarded:
		return l.discard(e)
	case audit.Refused:
		if e.Outcome != cpis.RefusedDuplicate.String() {
			return fmt.Errorf("a refusal that nothing in this test causes: %s", e.Reason)
		}
	case audit.Undelivered, audit.Stopped, audit.Configured, audit.Verified:
	case audit.Stepped: // the machine's own clock
	default:
		return fmt.Errorf("nothing in this test causes it: %s", e.Reason)
	}
	return nil
}

func (l *ledger) intent(e audit.Entry, mine intent) error {
	for correlation, other := range l.open {
		if other.instance == mine.instance && other.run < mine.run {
			return fmt.Errorf("a new intent while %s of an earlier run is still open", correlation)
		}
	}
	_, again := l.intents[e.QueryID]
	if again {
		return fmt.Errorf("a second intent for the query %s", e.QueryID)
	}
	l.intents[e.QueryID] = e
	l.open[e.Correlation] = mine
	for _, id := range e.SpineMessageIDs {
		l.asked[id] = e.Correlation
	}
	return nil
}

// discard takes a reply that nobody took. All replicas know all questions, so that it
// has the correlation of the one which it answers.
func (l *ledger) discard(e audit.Entry) error {
	if len(e.SpineMessageIDs) != 1 || l.asked[e.SpineMessageIDs[0]] != e.Correlation {
		return fmt.Errorf("it is not about the question of its correlation: %s", e.Reason)
	}
	l.discarded = append(l.discarded, e)
	return nil
}

// confirm checks that an answer which a client received whole was recorded first.
func (l *ledger) confirm(a answer) error {
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
