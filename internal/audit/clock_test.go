package audit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// wallClock is a clock that tests set, beside the time that really passes.
type wallClock struct {
	mu     sync.Mutex
	now    time.Time
	uptime time.Duration
}

func newWallClock() *wallClock {
	return &wallClock{now: time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)}
}

func (c *wallClock) options(k keys, store audit.Store) audit.Options {
	o := k.options(store)
	o.Now = func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
	o.Uptime = func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.uptime }
	return o
}

// set sets the clock ahead, or back.
func (c *wallClock) set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// pass lets time pass.
func (c *wallClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.uptime = c.now.Add(d), c.uptime+d
}

// entry is a refusal of this moment.
func (c *wallClock) entry() audit.Entry {
	e := refused("c")
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Time = c.now
	return e
}

// reasons lists the kinds of the entries, and the reasons that they give.
func reasons(t *testing.T, store audit.Reader) []string {
	t.Helper()
	var all []string
	for record, err := range audit.Entries(t.Context(), store, nil, 0, 1<<40) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(record.Entry.Kind)+" "+record.Entry.Reason)
	}
	return all
}

// MSCA-AUD-03e: a clock that goes back changes no order and is recorded once, before
// the first entry with an earlier time, also where it went back between two runs.
func TestClockThatGoesBackIsRecorded(t *testing.T) {
	k := newKeys(t)
	var store audittest.Memory
	c := newWallClock()
	log := openLog(t, c.options(k, &store))
	for _, by := range []time.Duration{0, -time.Second, -time.Hour, 0, 48 * time.Hour, -1500 * time.Millisecond} {
		c.set(by)
		mustAppend(t, log, c.entry())
	}
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.set(-24 * time.Hour)
	log = openLog(t, c.options(k, &store))
	if seq := mustAppend(t, log, c.entry()); seq != 9 {
		t.Errorf("the entry after the step has the sequence number %d, want 9", seq)
	}
	want := []string{"refused ", "refused ", "stepped the clock went back by 3600s", "refused ", "refused ", "refused ",
		"stepped the clock went back by 1s", "refused ", "stepped the clock went back by 86400s", "refused "}
	if diff := cmp.Diff(want, reasons(t, &store)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	mustVerify(t, &store, k.public, "")
}

// A step whose commit failed is recorded with the next one.
func TestStepIsRecordedThoughACommitFailed(t *testing.T) {
	k := newKeys(t)
	store := &faulty{Store: new(audittest.Memory)}
	c := newWallClock()
	log := openLog(t, c.options(k, store))
	mustAppend(t, log, c.entry())
	c.set(-time.Minute)
	store.before.Store(true)
	_, err := log.Append(t.Context(), c.entry())
	if !errors.Is(err, errDisk) {
		t.Fatalf("Append = %v, want the store's error", err)
	}
	store.before.Store(false)
	mustAppend(t, log, c.entry())
	want := []string{"refused ", "stepped the clock went back by 60s", "refused "}
	if diff := cmp.Diff(want, reasons(t, store)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// IG-3.9.3: whatever the clock did, an entry is found by its time.
func TestEntriesAreFoundByTimeThoughTheClockStepped(t *testing.T) {
	k := newKeys(t)
	store := openStore(t, filepath.Join(t.TempDir(), "audit.db"))
	c := newWallClock()
	log := openLog(t, c.options(k, store))
	var times []time.Time
	for i := range 300 {
		c.set(time.Duration(i%7-3) * time.Hour)
		e := c.entry()
		times = append(times, e.Time)
		mustAppend(t, log, e)
	}
	for _, at := range times {
		spans, err := store.Spans(t.Context(), at.UnixMilli(), at.UnixMilli()+1)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, span := range spans {
			for record, err := range audit.Entries(t.Context(), store, nil, span.Number*audit.SpanSize, (span.Number+1)*audit.SpanSize) {
				if err != nil {
					t.Fatal(err)
				}
				found = found || record.Entry.Time.Equal(at)
			}
		}
		if !found {
			t.Fatalf("nothing is found at %v", at)
		}
	}
	mustVerify(t, store, k.public, "")
	closeAll(t, log, store)
}

// WRD-VAL-17: a clock that jumps ahead by a year and back, in one run or over a
// restart, makes no claim forgotten while its message can be used; the claims go once
// their time has really passed.
func TestClockAheadForgetsNoClaim(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart %v", restart), func(t *testing.T) {
			const year, life = 365 * 24 * time.Hour, 10 * time.Minute
			k := newKeys(t)
			store := openStore(t, filepath.Join(t.TempDir(), "audit.db"))
			c := newWallClock()
			log := openLog(t, c.options(k, store))
			once := func(id string) error {
				t.Helper()
				e := c.entry()
				_, err := log.AppendOnce(t.Context(), e, audit.Claim{Client: "ed", IDs: []string{id}, Until: e.Time.Add(life)})
				if err != nil && !errors.Is(err, audit.ErrClaimed) {
					t.Fatal(err)
				}
				return err
			}
			// load claims as much as makes a store forget what it may.
			load := func(name string) {
				for i := range 20 {
					c.pass(time.Second)
					if err := once(fmt.Sprint(name, "-", i)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := once("m"); err != nil {
				t.Fatal(err)
			}
			c.set(year)
			if restart {
				if err := log.Close(context.Background()); err != nil {
					t.Fatal(err)
				}
				log = openLog(t, c.options(k, store))
			}
			for i := range 20 {
				load(fmt.Sprint("ahead", i))
			}
			c.set(-year)
			if err := once("m"); !errors.Is(err, audit.ErrClaimed) {
				t.Errorf("the id could be claimed again after the clock was ahead: %v", err)
			}
			c.pass(3 * time.Hour)
			load("later")
			claimed, err := audittest.Claimed(t.Context(), store, audit.KeyOf("ed", "m"))
			if err != nil || len(claimed) != 0 {
				t.Errorf("the claim is kept for ever: %v, %v", claimed, err)
			}
			closeAll(t, log, store)
		})
	}
}

// Whose clock went back is told where several instances write.
func TestStepIsOfTheInstance(t *testing.T) {
	k := newKeys(t)
	var store audittest.Memory
	c := newWallClock()
	options := c.options(k, &store)
	options.Instance = "ward-0"
	log := openLog(t, options)
	mustAppend(t, log, c.entry())
	c.set(-time.Minute)
	mustAppend(t, log, c.entry())
	for record, err := range log.Entries(t.Context(), 1, 2) {
		if err != nil || record.Entry.Kind != audit.Stepped || record.Entry.Instance != "ward-0" {
			t.Errorf("%+v, %v", record.Entry, err)
		}
	}
}
