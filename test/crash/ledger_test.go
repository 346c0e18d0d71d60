package crash_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/spinesim"
)

// ledger follows the audit log from one reading to the next.
type ledger struct {
	config string
	audit  *config.AuditFile // read when it is first needed
	next   int64             // sequence of the next entry to read
	run    int               // how many starts were read
	proved audit.Checkpoint  // the newest exported when the log was last read

	intents   map[string]audit.Entry // by query id
	outcomes  map[string]audit.Entry // by correlation
	open      map[string]int         // correlations of intents without an end, and the run that wrote them
	recovered int
	asked     map[string]string // correlations by the ids of messages to the Spine
	discarded int
}

func newLedger(dir string) *ledger {
	return &ledger{
		config:   filepath.Join(dir, "ward.toml"),
		intents:  map[string]audit.Entry{},
		outcomes: map[string]audit.Entry{},
		open:     map[string]int{},
		asked:    map[string]string{},
	}
}

// read takes the entries that were added since the last reading.
func (l *ledger) read() error {
	if l.audit == nil {
		file, err := config.LoadAudit(l.config)
		if err != nil {
			return err
		}
		l.audit = file
	}
	ctx := context.Background()
	store, err := stores.Read(ctx, l.audit.Store)
	if err != nil {
		return err
	}
	defer store.Close()
	err = l.prove(ctx, store)
	if err != nil {
		return err
	}
	for record, err := range audit.Entries(ctx, store, l.audit.Keys, l.next, math.MaxInt64) {
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

// prove checks that the log only ever grew: that what was exported when it was last
// read is a prefix of what is exported now, and this of what the store says.
func (l *ledger) prove(ctx context.Context, store audit.Reader) error {
	signed, err := os.ReadFile(filepath.Join(l.audit.Checkpoints[0], "checkpoint"))
	if err != nil {
		return err
	}
	head, err := store.Head(ctx)
	if err != nil {
		return err
	}
	known, origin := note.VerifierList(l.audit.Verifier), l.audit.Verifier.Name()
	exported, err := audit.OpenCheckpoint(signed, known, origin)
	if err != nil {
		return err
	}
	stored, err := audit.OpenCheckpoint(head.Checkpoint, known, origin)
	if err != nil {
		return err
	}
	hashes := audit.Hashes(ctx, store)
	err = errors.Join(consistent(hashes, l.proved, exported), consistent(hashes, exported, stored))
	if err == nil {
		l.proved = exported
	}
	return err
}

// consistent checks a proof that one checkpoint goes on from another.
func consistent(hashes tlog.HashReader, older, newer audit.Checkpoint) error {
	if older.Size == 0 {
		return nil // every log goes on from the empty one
	}
	proof, err := tlog.ProveTree(newer.Size, older.Size, hashes)
	if err == nil {
		err = tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root)
	}
	if err != nil {
		return fmt.Errorf("the checkpoint of %d entries does not go on from that of %d: %w", newer.Size, older.Size, err)
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
	case audit.LookedUp:
		run, open := l.open[e.Correlation]
		if !open || run != l.run {
			return fmt.Errorf("a look-up without an open intent of the same run")
		}
	case audit.Discarded:
		return l.discard(e)
	case audit.Refused:
		return l.refused(e)
	case audit.Undelivered, audit.Stopped, audit.Configured, audit.Verified:
	case audit.Stepped: // the machine's own clock
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
	for _, id := range e.SpineMessageIDs {
		l.asked[id] = e.Correlation
	}
	return nil
}

// discard takes a reply that nobody took: to a question that this run knows, or to one
// that was under way when an earlier run was killed.
func (l *ledger) discard(e audit.Entry) error {
	if len(e.SpineMessageIDs) != 1 {
		return fmt.Errorf("a discarded reply that answers nothing: %s", e.Reason)
	}
	correlation, asked := l.asked[e.SpineMessageIDs[0]]
	if !asked || e.Correlation != correlation && !strings.HasPrefix(e.Reason, "unasked") {
		return fmt.Errorf("a discarded reply to no question of its correlation: %s", e.Reason)
	}
	l.discarded++
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
