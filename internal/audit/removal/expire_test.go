package removal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/removal"
)

func (b *bench) expire(class audit.Class, period string) removal.Expiry {
	b.t.Helper()
	x, err := b.remover.Expire(b.t.Context(), class, mustPeriod(b.t, period), false)
	if err != nil {
		b.t.Fatalf("Expire: %v", err)
	}
	return x
}

func mustPeriod(t testing.TB, text string) removal.Period {
	t.Helper()
	p, err := removal.ParsePeriod(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// MSCA-AUD-01c: the entries of a class whose time has ended go, and no others. What
// went is recorded in runs of the class.
func TestExpire(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	b.now = date(2018, 11, 1)
	b.ask(alice, "u")                                                                                              // 0, 1
	b.append(audit.Entry{Kind: audit.Read, Operator: "someone"})                                                   // 2
	b.append(audit.Entry{Kind: audit.Refused, Correlation: "nobody"})                                              // 3: has no content
	b.ask(bob, "u")                                                                                                // 4, 5
	b.append(audit.Entry{Kind: audit.Configured, Operator: "someone"})                                             // 6
	b.append(audit.Entry{Kind: audit.Erased, Operator: "someone", Order: "of another time"})                       // 7
	b.now = date(2018, 11, 3)                                                                                      //
	b.ask(alice, "u")                                                                                              // 8, 9
	b.append(audit.Entry{Kind: audit.Undelivered, Time: date(2018, 11, 1), NHSNumber: alice})                      // 10: the clock stepped
	b.append(audit.Entry{Kind: audit.Intent, Time: date(2018, 11, 1), Correlation: "left open", NHSNumber: alice}) // 11
	b.now = date(2026, 11, 2)

	rehearsed, err := b.remover.Expire(t.Context(), audit.Questions, mustPeriod(t, "8y"), true)
	want := removal.Expiry{Before: date(2018, 11, 2), Entries: 5, Waiting: 1}
	if diff := cmp.Diff(want, rehearsed); err != nil || diff != "" || b.log.Size() != 12 {
		t.Errorf("the rehearsal, %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(want, b.expire(audit.Questions, "8y")); diff != "" {
		t.Errorf("Expire (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{0, 1, 4, 5, 10}, b.removedOnes()); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	e := b.records()[12].Entry
	if e.Kind != audit.Expired || e.Class != audit.Questions || e.Entries != 5 || e.Operator != "records.officer" {
		t.Errorf("the entry is %+v", e)
	}
	if diff := cmp.Diff([]audit.Range{{First: 0, Last: 5}, {First: 10, Last: 10}}, e.Removed); diff != "" {
		t.Errorf("the runs (-want +got):\n%s", diff)
	}
	b.verify()

	b.expire(audit.Questions, "8y")
	if b.log.Size() != 13 {
		t.Error("a run that removed nothing wrote an entry")
	}
	b.expire(audit.Readings, "8y")
	b.expire(audit.Operations, "8y")
	if diff := cmp.Diff([]int64{0, 1, 2, 4, 5, 6, 10}, b.removedOnes()); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	_, err = b.remover.Expire(t.Context(), audit.Permanent, mustPeriod(t, "8y"), false)
	if err == nil {
		t.Error("what is permanent expires")
	}
	_, err = b.remover.Expire(t.Context(), audit.Questions, 0, false)
	if err == nil {
		t.Error("a period of nothing is one")
	}
	b.verify()
}

// MSCA-AUD-01c: a transaction goes as a whole or not at all, however far its entries
// are apart.
func TestTransactionExpiresAsAWhole(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	b.now = date(2018, 11, 1)
	b.append(audit.Entry{Kind: audit.Intent, Correlation: "far", NHSNumber: alice})
	for range 2 * audit.SpanSize {
		b.append(audit.Entry{Kind: audit.Stepped})
	}
	b.now = date(2018, 11, 3)
	b.append(audit.Entry{Kind: audit.Recovered, Correlation: "far", NHSNumber: alice})
	b.now = date(2026, 11, 2)
	if x := b.expire(audit.Questions, "8y"); x.Entries != 0 || x.Waiting != 1 {
		t.Errorf("Expire = %+v", x)
	}
	b.now = date(2026, 11, 4)
	if x := b.expire(audit.Questions, "8y"); x.Entries != 2 {
		t.Errorf("Expire = %+v", x)
	}
	b.verify()
}

// WRD-AUD-11: what is held stays, with the rest of its transaction, until it is released.
func TestHoldStopsExpiry(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	b.now = date(2018, 11, 1)
	b.ask(alice, "urn:user:6")
	b.ask(bob, "urn:user:7") // only the first of the two entries names the user
	b.ask(alice, "urn:user:8")
	b.lay("inquest 1", removal.Criteria{User: "urn:user:7"})
	b.now = date(2026, 11, 2)
	if x := b.expire(audit.Questions, "8y"); x.Entries != 4 || x.Held != 2 {
		t.Errorf("Expire = %+v", x)
	}
	b.verify()
	b.release("inquest 1")
	if x := b.expire(audit.Questions, "8y"); x.Entries != 2 || x.Held != 0 {
		t.Errorf("Expire after the release = %+v", x)
	}
	b.verify()
}

// WRD-AUD-12: over thirty years with a run each year the database stops growing but for
// the leaves, which stay.
func TestExpiryFreesStorage(t *testing.T) {
	b := newBench(t)
	var content, free []int64 // pages at the end of each year
	for year := 2026; year < 2056; year++ {
		for day := range 365 {
			if day%7 > 0 {
				continue
			}
			b.now = date(year, 1, 1).AddDate(0, 0, day)
			b.ask(fmt.Sprintf("999%07d", day), fmt.Sprintf("urn:user:%d", day%5))
			b.append(audit.Entry{Kind: audit.Read, Operator: "someone", Purpose: "a look"})
		}
		b.expire(audit.Questions, "8y")
		b.expire(audit.Readings, "2y")
		content = append(content, pages(t, b.path, "SELECT count(*) FROM dbstat WHERE name = 'content'"))
		free = append(free, pages(t, b.path, "PRAGMA freelist_count"))
	}
	t.Logf("pages of content %v, free pages %v", content, free)
	// From the ninth year on as much goes as comes. A run each year, and the entries
	// that say so, need some room.
	for i := 10; i < len(content); i++ {
		if content[i]+free[i] > content[9]+free[9]+6 {
			t.Errorf("in year %d the content has %d pages and %d are free, against %d and %d in year 10", i+1, content[i], free[i], content[9], free[9])
		}
	}
	report := b.verify()
	if want := int64(22*53*2 + 28*53); report.Removed < want-10 || report.Removed > want+10 {
		t.Errorf("%d contents were removed, want about %d", report.Removed, want)
	}
	b.now = b.now.Add(time.Hour)
	if x := b.expire(audit.Questions, "30y"); x.Entries != 0 {
		t.Errorf("Expire after 30 years = %+v", x)
	}
}

func pages(t *testing.T, path, query string) (n int64) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		n = stmt.ColumnInt64(0)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// WRD-AUD-10: no run of what expired covers a content that somebody else took away:
// verification goes on to say that it is gone.
func TestExpiryAccountsForNoContentThatWasTaken(t *testing.T) {
	for name, year := range map[string]int{"older than the period": 2018, "younger": 2025} {
		b := newBench(t)
		b.now = date(2018, 11, 1)
		b.ask(alice, "u") // 0, 1
		b.append(audit.Entry{Kind: audit.Undelivered, Time: date(year, 11, 1), NHSNumber: bob})
		b.ask(alice, "u") // 3, 4
		conn, err := sqlite.OpenConn(b.path, sqlite.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		err = sqlitex.ExecuteScript(conn, fmt.Sprintf("DELETE FROM content WHERE seq = 2; DELETE FROM terms WHERE seq = 2 AND term = %d",
			audit.TermsOf(b.keys, audit.FieldNHSNumber, bob)[0]), nil)
		err = errors.Join(err, conn.Close())
		if err != nil {
			t.Fatal(err)
		}
		b.now = date(2026, 11, 2)
		if x := b.expire(audit.Questions, "8y"); x.Entries != 4 {
			t.Errorf("%s: Expire = %+v", name, x)
		}
		_, err = audit.Verify(t.Context(), b.store, b.known, origin, nil)
		if err == nil || !strings.Contains(err.Error(), "entry 2 has lost its content") {
			t.Errorf("%s: Verify = %v", name, err)
		}
	}
}
