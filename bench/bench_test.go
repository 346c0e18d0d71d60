//go:build bench

package main

import (
	"strings"
	"testing"
	"time"
)

// The harness runs, and its report holds a figure for everything that it
// measured. The figures themselves are not judged here: a busy machine is no
// failure. The proxies are left to real runs: ReverseProxy now and then cuts an
// answer off by closing its connection to the simulator while it copies the body.
func TestHarness(t *testing.T) {
	o := options{
		seconds: 400 * time.Millisecond, warm: 100 * time.Millisecond, rounds: 2, connections: 4, idle: 20, starts: 1,
		tls: "1.3", dir: t.TempDir(), contenders: []string{nameWard}, codecs: true,
	}
	r, err := measure(t.Context(), o, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.results {
		for i, s := range c.samples {
			if s.questions == 0 || s.contender == 0 || s.simulator == 0 || s.generator == 0 || s.memory.now == 0 || s.percentile(99) < s.percentile(50) {
				t.Errorf("round %d of %s has an empty figure: %d questions, processor times %v, %v and %v, memory %v, p50 %v, p99 %v",
					i, c.name, s.questions, s.contender, s.simulator, s.generator, s.memory.now, s.percentile(50), s.percentile(99))
			}
			if s.tlsVersion != "TLS 1.3" {
				t.Errorf("%s speaks %s where TLS 1.3 was asked for", c.name, s.tlsVersion)
			}
		}
	}
	z := r.sizes
	if z.ward25 <= z.ward5 || z.spine25 <= z.spine5 {
		t.Errorf("an answer with %d accesses is not longer than one with %d: %+v", mostAccess, fewAccess, z)
	}
	if r.idle.after.now <= r.idle.before.now {
		t.Errorf("20 connections take no memory: %+v", r.idle)
	}
	text := r.markdown()
	for _, want := range []string{"## The machine", "| Ward |", "The audit log verifies", "| request: decode and validate |", "| answer with 25 accesses, "} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}

// The request's ids are new each time, in every place where one stands, and nothing
// else in it changes but the NHS number.
func TestFormIsFilledInPlace(t *testing.T) {
	id, other := formID(1), formID(2)
	f, err := newForm([]byte("a "+id+" b 9990500009 c "+other+" d "+id), []string{id, other}, "9990500009")
	if err != nil {
		t.Fatal(err)
	}
	got := string(f.copyFor().fill(0xABC, "9990500017"))
	newID, newOther := id[:len(id)-3]+"ABC", other[:len(other)-3]+"ABC"
	want := "a " + newID + " b 9990500017 c " + newOther + " d " + newID
	if got != want {
		t.Errorf("filled form is %q, want %q", got, want)
	}
}

func TestFormRefusesARequestWithoutItsIDs(t *testing.T) {
	id := formID(1)
	for name, content := range map[string]string{"no id": "9990500009", "no NHS number": id} {
		_, err := newForm([]byte(content), []string{id}, "9990500009")
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBenchmarkLines(t *testing.T) {
	const said = "goos: linux\nBenchmarkReadRequest/person-2 \t   27540\t     43210 ns/op\t 120.50 MB/s\t   12345 B/op\t     78 allocs/op\nPASS\n"
	got := parseBenchmarks("itk", said)
	if len(got) != 1 || got[0].name != "ReadRequest/person-2" || got[0].metrics["ns/op"] != "43210" ||
		got[0].metrics["allocs/op"] != "78" || got[0].metrics["MB/s"] != "120.50" {
		t.Errorf("parsed as %+v", got)
	}
}

// Ratios are above 1 where Ward is ahead.
func TestRatios(t *testing.T) {
	ward := sample{questions: 100, elapsed: time.Second, contender: 50 * time.Millisecond}
	other := sample{questions: 50, elapsed: time.Second, contender: 50 * time.Millisecond}
	r := report{results: []result{{nameWard, []sample{ward}}, {nameNginx, []sample{other}}}}
	wall, _ := r.ratio(nameNginx, byWall)
	processor, ok := r.ratio(nameNginx, byProcessor)
	if !ok || wall.median != 2 || processor.median != 2 {
		t.Errorf("twice the questions for the same processor time are ratios of %v and %v, want 2 and 2", wall.median, processor.median)
	}
}
