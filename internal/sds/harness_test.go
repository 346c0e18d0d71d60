package sds_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/testpki"
)

const (
	cpisQuery = "urn:nhs:names:services:cpisquery:QUPC_IN000006GB01"
	endpoint  = "https://spine.example.invalid/syncservice"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newAuthority(t testing.TB) *testpki.Authority {
	t.Helper()
	authority, err := testpki.New(time.Now())
	must(t, err)
	return authority
}

func issue(t testing.TB, authority *testpki.Authority, r testpki.Request) testpki.Pair {
	t.Helper()
	pair, err := authority.Issue(r)
	must(t, err)
	return pair
}

// ledger records look-ups, or fails to.
type ledger struct {
	mu      sync.Mutex
	entries []sds.Lookup
	broken  error
}

var errFull = errors.New("the disk is full")

func (l *ledger) record(_ context.Context, one sds.Lookup) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	l.entries = append(l.entries, one)
	return nil
}

func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
}

// take returns what was recorded since the last time.
func (l *ledger) take() []sds.Lookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := slices.Clone(l.entries)
	l.entries = nil
	return taken
}

// results are those of what was recorded since the last time, with "stale " before those
// of values used beyond their time.
func (l *ledger) results() []string {
	var all []string
	for _, one := range l.take() {
		text := one.Result
		if one.Stale {
			text = "stale " + text
		}
		all = append(all, text)
	}
	return all
}

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// scene is a directory with its ledger and its clock.
type scene struct {
	*sds.Directory
	ledger ledger
	clock  clock
}

// open makes a directory with the times of the defaults, except that it is waited for.
func open(t testing.TB, change func(*sds.Options)) *scene {
	t.Helper()
	s := &scene{clock: clock{now: time.Now()}}
	o := sds.Options{
		Organisation: "YES", Interaction: cpisQuery,
		Fresh: 15 * time.Minute, Stale: 24 * time.Hour, Patience: 10 * time.Second, Retry: 30 * time.Second, Author: 5 * time.Minute,
		Record: s.ledger.record, Now: s.clock.Now,
	}
	change(&o)
	d, err := sds.New(o)
	must(t, err)
	s.Directory = d
	t.Cleanup(d.Close)
	return s
}

// resultOf is that of an error of the directory, Found if there is none.
func resultOf(t testing.TB, err error) sds.Result {
	t.Helper()
	if err == nil {
		return sds.Found
	}
	var e *sds.Error
	if !errors.As(err, &e) {
		t.Fatalf("not an error of the directory: %v", err)
	}
	return e.Result
}

func replacements(to string) map[string]*url.URL {
	u, err := url.Parse(to)
	if err != nil {
		panic(err)
	}
	return map[string]*url.URL{endpoint: u}
}

func refuseAll(o *sds.Options) {
	o.Accept = func(*url.URL) error { return errors.New("not here") }
}
