package removal_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/removal"
)

// WRD-AUD-11: holds are laid and lifted by name, both on record, and known to whoever
// opens the log.
func TestHolds(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	c := removal.Criteria{NHSNumber: alice, User: "u", Organisation: "RXX", Since: date(2026, 1, 1), Until: date(2027, 1, 1)}
	err := b.remover.Lay(t.Context(), removal.Hold{Name: "inquest 1", Authority: "the coroner", Reason: "a death", Criteria: c})
	if err != nil {
		t.Fatal(err)
	}
	b.lay("claim 2", removal.Criteria{Organisation: "RYY"})
	for range 2 { // also from what the first reading remembers
		got, err := b.remover.Holds(t.Context())
		want := []removal.Hold{
			{Name: "inquest 1", Authority: "the coroner", Reason: "a death", Operator: "records.officer", Criteria: c, Seq: 0, Time: b.now},
			{Name: "claim 2", Authority: "the coroner", Operator: "records.officer", Criteria: removal.Criteria{Organisation: "RYY"}, Seq: 1, Time: b.now},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Holds, %v (-want +got):\n%s", err, diff)
		}
	}
	err = b.remover.Lay(t.Context(), removal.Hold{Name: "claim 2", Authority: "x", Criteria: c})
	if err == nil || !strings.Contains(err.Error(), "another name") {
		t.Errorf("a second hold of one name: %v", err)
	}
	b.release("claim 2")
	err = b.remover.Release(t.Context(), "claim 2", "the coroner", "")
	if err == nil || !strings.Contains(err.Error(), "ward audit holds") {
		t.Errorf("a second release: %v", err)
	}
	b.lay("claim 2", removal.Criteria{Organisation: "RZZ"})
	got, err := b.newRemover(b.store).Holds(t.Context())
	if err != nil || len(got) != 2 || got[1].Criteria.Organisation != "RZZ" {
		t.Errorf("Holds = %+v, %v", got, err)
	}
	if e := b.records()[2].Entry; e.Kind != audit.Released || e.Hold != "claim 2" || e.Authority != "the coroner" || e.Operator != "records.officer" {
		t.Errorf("the release is %+v", e)
	}
	b.verify()
}

func TestUnfitHoldsAreRefused(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	good := removal.Criteria{NHSNumber: alice}
	for name, h := range map[string]removal.Hold{
		"no name":                     {Authority: "x", Criteria: good},
		"a name of two lines":         {Name: "a\nb", Authority: "x", Criteria: good},
		"a name with a number":        {Name: "child 999 000 0042", Authority: "x", Criteria: good},
		"no authority":                {Name: "a", Criteria: good},
		"nothing is held":             {Name: "a", Authority: "x"},
		"half a number":               {Name: "a", Authority: "x", Criteria: removal.Criteria{NHSNumber: "99900"}},
		"an end before the beginning": {Name: "a", Authority: "x", Criteria: removal.Criteria{Since: date(2026, 2, 1), Until: date(2026, 1, 1)}},
	} {
		err := b.remover.Lay(t.Context(), h)
		if err == nil || strings.Contains(err.Error(), "9990000042") || b.log.Size() > 0 {
			t.Errorf("%s: Lay = %v", name, err)
		}
	}
	err := b.remover.Release(t.Context(), "a", " ", "")
	if err == nil {
		t.Error("a release without an authority")
	}
}

// late is a store in which something happens once, when the holds have been looked at
// but nothing was removed yet.
type late struct {
	audit.Store
	once sync.Once
	act  func()
}

func (s *late) Head(ctx context.Context) (audit.Head, error) {
	head, err := s.Store.Head(ctx)
	s.once.Do(s.act)
	return head, err
}

// WRD-AUD-11: a hold that is laid while a removal is being prepared stops it.
func TestHoldLaidMeanwhileStopsRemoval(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	b.now = date(2018, 11, 1)
	b.ask(alice, "u")
	b.now = date(2026, 11, 2)
	r := b.newRemover(&late{Store: b.store, act: func() { b.lay("inquest 1", removal.Criteria{NHSNumber: alice}) }})
	_, err := r.Erase(t.Context(), signed(t, sampleOrder(), b.court), b.order, false)
	if err == nil || !strings.Contains(err.Error(), "inquest 1") {
		t.Errorf("Erase = %v", err)
	}
	b.release("inquest 1")
	r = b.newRemover(&late{Store: b.store, act: func() { b.lay("inquest 2", removal.Criteria{NHSNumber: alice}) }})
	x, err := r.Expire(t.Context(), audit.Questions, mustPeriod(t, "8y"), false)
	if err != nil || x.Held != 2 || len(b.removedOnes()) > 0 {
		t.Errorf("Expire = %+v, %v", x, err)
	}
}

// WRD-AUD-10, WRD-AUD-11, WRD-AUD-12: whatever is appended, erased, expired, held and
// released, in any order, the log verifies, nothing that is held is removed, and what
// was ordered is.
func TestAnyHistoryVerifies(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := benchOn(t, new(audittest.Memory))
		b.now = date(2026, 1, 1)
		numbers := []string{alice, bob, "9990000018"}
		users := []string{"urn:user:1", "urn:user:2"}
		names := []string{"h1", "h2"}
		held := make(map[string]removal.Criteria)
		protected := func() map[int64]bool { // by a plain reading of the criteria
			all := make(map[int64]bool)
			records := b.records()
			transactions := make(map[string]bool)
			for _, record := range records {
				e := record.Entry
				for _, c := range held {
					user := e.Operator
					if len(e.AuditIdentities) > 0 {
						user = e.AuditIdentities[0].URI
					}
					if record.State == audit.Whole && (c.NHSNumber == "" || c.NHSNumber == e.NHSNumber) && (c.User == "" || c.User == user) {
						all[record.Seq] = true
						transactions[e.Correlation] = e.Correlation != ""
					}
				}
			}
			for _, record := range records {
				if transactions[record.Entry.Correlation] && record.State == audit.Whole {
					all[record.Seq] = true
				}
			}
			return all
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			before := protected()
			number, name := rapid.SampledFrom(numbers).Draw(rt, "number"), rapid.SampledFrom(names).Draw(rt, "name")
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0, 1, 2:
				b.ask(number, rapid.SampledFrom(users).Draw(rt, "user"))
			case 3:
				b.append(audit.Entry{Kind: audit.Read, Operator: users[0], NHSNumber: number})
			case 4:
				b.now = b.now.AddDate(0, rapid.IntRange(-1, 8).Draw(rt, "months"), 0)
			case 5:
				o := sampleOrder()
				o.NHSNumber, o.Issued, o.Until = number, b.now.Truncate(24*time.Hour), b.now.AddDate(0, 1, 0).Truncate(24*time.Hour)
				_, err := b.remover.Erase(t.Context(), signed(t, o, b.court), b.order, false)
				if err == nil && len(b.found(number)) > 0 {
					rt.Fatalf("the order was carried out and %v are found", b.found(number))
				}
			case 6:
				b.expire(rapid.SampledFrom([]audit.Class{audit.Questions, audit.Readings}).Draw(rt, "class"), "1y")
			case 7:
				c := removal.Criteria{NHSNumber: number}
				if rapid.Bool().Draw(rt, "of a user") {
					c = removal.Criteria{User: rapid.SampledFrom(users).Draw(rt, "held user")}
				}
				_, active := held[name]
				if active {
					b.release(name)
					delete(held, name)
				} else {
					b.lay(name, c)
					held[name] = c
				}
			}
			gone := b.removedOnes()
			for seq := range before {
				if slices.Contains(gone, seq) {
					rt.Fatalf("entry %d was held and is removed", seq)
				}
			}
			b.verify()
		}
	})
}
