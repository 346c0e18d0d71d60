//go:build ldap

package sds_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/slapdtest"
)

// impatient makes what hangs end soon.
func impatient(o *sds.Options) {
	o.Patience, o.LDAP.ConnectTimeout, o.LDAP.SearchTimeout = 100*time.Millisecond, 2*time.Second, 2*time.Second
}

// WRD-SPN-15: a directory that is stopped, hangs, comes back, or stays away.
func TestServiceSurvivesAnOutage(t *testing.T) {
	for name, outage := range map[string]struct{ begin, end func(directory) error }{
		"stopped": {func(d directory) error { return d.Stop() }, func(d directory) error { return d.Resume() }},
		"hung":    {func(d directory) error { return d.Hang() }, func(d directory) error { return d.Continue() }},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
			s := d.open(t, impatient)
			expect := func(when string, result sds.Result, recorded ...string) {
				t.Helper()
				began := time.Now()
				got, err := s.Service(t.Context())
				if resultOf(t, err) != result || result == sds.Found && got.Endpoint.String() != endpoint {
					t.Fatalf("%s: %v, want %q", when, err, result)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("%s: it took %s", when, took)
				}
				if diff := cmp.Diff(recorded, s.ledger.results()); diff != "" {
					t.Errorf("%s: recorded (-want +got):\n%s", when, diff)
				}
			}
			settle := func() { // the look-up, which goes on behind those who no longer wait for it
				for began := time.Now(); !slices.Contains(s.ledger.results(), "not available"); time.Sleep(10 * time.Millisecond) {
					if time.Since(began) > 20*time.Second {
						t.Fatal("the look-up that failed was never recorded")
					}
				}
			}
			expect("at first", sds.Found, "found")
			must(t, outage.begin(d))
			expect("while fresh", sds.Found)
			s.clock.forward(16 * time.Minute)
			_, err := s.Service(t.Context()) // stale at once, or after the failure
			must(t, err)
			settle()
			expect("soon after", sds.Found, "stale found")
			s.clock.forward(24 * time.Hour)
			expect("beyond the bound", sds.Unavailable, "not available")
			expect("soon after that", sds.Unavailable)
			must(t, outage.end(d))
			expect("back, but too soon to ask", sds.Unavailable)
			s.clock.forward(31 * time.Second)
			expect("back", sds.Found, "found")
		})
	}
}

// A stale value whose use cannot be recorded is not used; neither is a fresh one.
func TestUnrecordedIsNotUsed(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, []slapdtest.Person{nurse}))
	s := d.open(t)
	s.ledger.fail(errFull)
	_, err := s.Service(t.Context())
	if !errors.Is(err, errFull) {
		t.Errorf("a service: %v", err)
	}
	refusal, err := s.Author(t.Context(), nurse.UserID, nurse.RoleProfile, "RXX", "R0260")
	if !errors.Is(err, errFull) {
		t.Errorf("an author: %q, %v", refusal, err)
	}
	s.ledger.fail(nil)
	_, err = s.Service(t.Context())
	must(t, err)
	must(t, d.Stop())
	s.clock.forward(16 * time.Minute)
	_, err = s.Service(t.Context())
	must(t, err)
	s.ledger.fail(errFull)
	got, err := s.Service(t.Context())
	if !errors.Is(err, errFull) || got.Endpoint != nil {
		t.Errorf("a stale service: %v", err)
	}
}

// A definite answer that there is no such service ends the use of what was said before.
func TestARemovedServiceIsNotUsed(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
	s := d.open(t)
	_, err := s.Service(t.Context())
	must(t, err)
	must(t, d.Replace(""))
	s.clock.forward(16 * time.Minute)
	_, err = s.Service(t.Context())
	if resultOf(t, err) != sds.NoRecord {
		t.Error(err)
	}
	must(t, d.Stop())
	s.clock.forward(time.Minute)
	_, err = s.Service(t.Context())
	if resultOf(t, err) != sds.Unavailable {
		t.Error(err)
	}
}

// Those who ask the same at the same time share one look-up, which goes on when the first
// of them leaves.
func TestOneLookupForAll(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, []slapdtest.Person{nurse}))
	s := d.open(t)
	before := d.searches(t)
	must(t, d.Hang())
	gone, leave := context.WithCancel(t.Context())
	var first, all sync.WaitGroup
	failures := make(chan error, 201)
	first.Go(func() {
		_, err := s.Service(gone)
		if resultOf(t, err) != sds.Unavailable {
			failures <- fmt.Errorf("who left: %w", err)
		}
	})
	time.Sleep(50 * time.Millisecond)
	for range 100 {
		all.Go(func() {
			_, err := s.Service(t.Context())
			failures <- err
			refusal, err := s.Author(t.Context(), nurse.UserID, nurse.RoleProfile, "RXX", "R0260")
			if refusal != "" {
				err = errors.New(refusal)
			}
			failures <- err
		})
	}
	time.Sleep(100 * time.Millisecond)
	leave()
	first.Wait()
	must(t, d.Continue())
	all.Wait()
	close(failures)
	for err := range failures {
		must(t, err)
	}
	if n := d.searches(t) - before; n != 4 {
		t.Errorf("%d searches, want 2 for the service and 2 for the author", n)
	}
	if diff := cmp.Diff([]string{"found", "found"}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// A question has no more time than its context, whatever the directory does, and an
// outage does not cost each question its time.
func TestDeadlinesAreKept(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, []slapdtest.Person{nurse}))
	s := d.open(t, impatient)
	must(t, d.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Service(ctx)
	if resultOf(t, err) != sds.Unavailable || !strings.Contains(err.Error(), "in the time that the question had") {
		t.Errorf("with 50ms to answer in: %v", err)
	}
	began := time.Now()
	_, err = s.Service(t.Context()) // waits for the end of the same look-up
	if resultOf(t, err) != sds.Unavailable || time.Since(began) > 20*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	began = time.Now()
	for i := range 50 {
		_, err = s.Author(t.Context(), fmt.Sprint(i), nurse.RoleProfile, "RXX", "R0260")
		if resultOf(t, err) != sds.Unavailable {
			t.Fatal(err)
		}
	}
	if time.Since(began) > 10*time.Second { // less than the time of five look-ups that fail
		t.Errorf("50 questions during an outage took %s", time.Since(began))
	}
	if diff := cmp.Diff([]string{"not available"}, s.ledger.results()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	must(t, d.Continue())
}

// Closing ends what is under way.
func TestCloseEndsLookups(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
	s := d.open(t, func(o *sds.Options) { o.LDAP.SearchTimeout = time.Hour })
	_, err := s.Service(t.Context())
	must(t, err)
	must(t, d.Hang())
	s.clock.forward(25 * time.Hour)
	asked := make(chan error)
	go func() {
		_, err := s.Service(t.Context())
		asked <- err
	}()
	time.Sleep(50 * time.Millisecond)
	s.Close()
	if resultOf(t, <-asked) != sds.Unavailable {
		t.Error("a look-up went on after the end")
	}
	must(t, d.Continue())
}

// A connection that is cut only when it is used again is replaced within the same
// look-up.
func TestCutConnectionIsReplaced(t *testing.T) {
	d := start(t, slapdtest.LDIF([]slapdtest.System{slapdtest.Spine(endpoint)}, nil))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	var cut atomic.Bool // the connection over which something comes next
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", d.Address())
			if err != nil {
				client.Close()
				return
			}
			go io.Copy(client, server)
			go func() {
				buffer := make([]byte, 4096)
				for n, err := client.Read(buffer); err == nil && !cut.Swap(false); n, err = client.Read(buffer) {
					server.Write(buffer[:n])
				}
				client.Close()
				server.Close()
			}()
		}
	}()
	s := d.open(t, func(o *sds.Options) { o.LDAP.Address = listener.Addr().String() })
	_, err = s.Service(t.Context())
	must(t, err)
	s.clock.forward(16 * time.Minute)
	cut.Store(true)
	_, err = s.Service(t.Context())
	must(t, err)
	if diff := cmp.Diff([]string{"found", "found"}, s.ledger.results()); diff != "" || cut.Load() {
		t.Errorf("cut %t, recorded (-want +got):\n%s", !cut.Load(), diff)
	}
}
