package audit_test

import (
	"context"
	"iter"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// read is a store that counts readings, and may change what is read.
type read struct {
	*audittest.Memory
	readings atomic.Int64
	change   func(*audit.Row)
}

func (r *read) Rows(ctx context.Context, from, to int64) iter.Seq2[audit.Row, error] {
	r.readings.Add(1)
	return func(yield func(audit.Row, error) bool) {
		for row, err := range r.Memory.Rows(ctx, from, to) {
			if r.change != nil {
				r.change(&row)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// A log that comes behind others reads what they added, once, and goes on from there.
func TestFollowsOtherWriters(t *testing.T) {
	k := newKeys(t)
	for _, others := range []int64{1, 7, 300, 5000} { // the last are too many to read one by one
		store := &read{Memory: &audittest.Memory{}}
		first, second := openLog(t, k.options(store.Memory)), openLog(t, k.options(store))
		mustAppend(t, first, refused("r"))
		if seq := mustAppend(t, second, refused("r")); seq != 1 {
			t.Fatalf("entry %d after 1", seq)
		}
		for range others {
			mustAppend(t, first, refused("r"))
		}
		before := store.readings.Load()
		if seq := mustAppend(t, second, refused("r")); seq != others+2 {
			t.Errorf("entry %d after %d", seq, others+2)
		}
		if n := store.readings.Load() - before; others < 1000 && n != 1 {
			t.Errorf("%d readings to follow %d entries, want 1", n, others)
		}
		mustVerify(t, store, k.public, "")
	}
}

// MSCA-AUD-01b: entries of others that are not those of their checkpoint are not gone
// on with.
func TestDoesNotFollowWhatIsNotSigned(t *testing.T) {
	k := newKeys(t)
	for want, change := range map[string]func(*audit.Row){
		"do not go on from": func(row *audit.Row) { row.Leaf = append(row.Leaf, ' ') },
		"is missing":        func(row *audit.Row) { row.Seq++ },
	} {
		store := &read{Memory: &audittest.Memory{}}
		first, second := openLog(t, k.options(store.Memory)), openLog(t, k.options(store))
		mustAppend(t, second, refused("r"))
		mustAppend(t, first, refused("r"))
		store.change = change
		_, err := second.Append(t.Context(), refused("r"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Append over a changed store = %v, want %q", err, want)
		}
	}
}

// WRD-AUD-05: the entries of a log carry the name of its instance, and only its own
// intents are open for it.
func TestOpenIntentsAreThoseOfTheInstance(t *testing.T) {
	k := newKeys(t)
	var store audittest.Memory
	logs := map[string]*audit.Log{}
	for _, name := range []string{"ward-0", "ward-1"} {
		options := k.options(&store)
		options.Instance = name
		logs[name] = openLog(t, options)
		e := refused("c-" + name)
		e.Kind = audit.Intent
		mustAppend(t, logs[name], e)
	}
	for name, log := range logs {
		open, err := log.OpenIntents(t.Context())
		if err != nil || len(open) != 1 || open[0].Instance != name || open[0].Correlation != "c-"+name {
			t.Errorf("open intents of %s: %+v, %v", name, open, err)
		}
	}
}

// WRD-AUD-05: intents of a log that had one writer are open for the instances of the
// store to which it was moved, and the other way round: nobody else would close them.
func TestIntentsOfALogThatWasMovedStayOpen(t *testing.T) {
	k := newKeys(t)
	for _, names := range [][2]string{{"", "ward-0"}, {"ward-0", ""}} {
		var store audittest.Memory
		options := k.options(&store)
		options.Instance = names[0]
		e := refused("c")
		e.Kind = audit.Intent
		mustAppend(t, openLog(t, options), e)
		options.Instance = names[1]
		open, err := openLog(t, options).OpenIntents(t.Context())
		if err != nil || len(open) != 1 {
			t.Errorf("of %q for %q: %+v, %v", names[0], names[1], open, err)
		}
	}
}
