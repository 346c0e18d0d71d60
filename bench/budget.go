package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The budget. What one core does is compared by processor time.
const (
	budgetReverseProxy = 1.0
	budgetNginx        = 0.75
	budgetRequest      = 25 * time.Microsecond
	budgetAllocations  = 40
	budgetReply        = 120 * time.Microsecond
	budgetEntries      = 5000 // durable ones a second
	budgetStart        = 200 * time.Millisecond
	budgetConnections  = 10_000
	budgetMemory       = 500e6 // bytes, with so many idle connections
	budgetQuestions    = 1000  // a second on two cores (WRD-PERF-02)
)

// promise is one line of the budget: met is nil if it was not measured.
type promise struct {
	budget, measured string
	met              *bool
}

func (r *report) writeBudget(w *strings.Builder) {
	fmt.Fprintf(w, "## Budget\n\n")
	var rows [][]string
	for _, p := range r.promises() {
		met := "not measured"
		if p.met != nil {
			met = map[bool]string{true: "yes", false: "**no**"}[*p.met]
		}
		rows = append(rows, []string{p.budget, p.measured, met})
	}
	table(w, []string{"budget", "measured", "met?"}, rows)
}

func judged(budget, measured string, met bool) promise {
	return promise{budget: budget, measured: measured, met: &met}
}

func (r *report) promises() []promise {
	all := append(r.servicePromises(), r.codecPromises()...)
	longest := r.starts.times[len(r.starts.times)-1]
	all = append(all, judged("serving within 200 ms of the start", milli(longest)+" at the longest", longest <= budgetStart))
	kind := "measured"
	if r.idle.connections != budgetConnections {
		kind = fmt.Sprintf("extrapolated from %d", r.idle.connections)
	}
	memory := r.idle.extrapolated()
	all = append(all, judged("10,000 idle mutual-TLS connections under 500 MB", fmt.Sprintf("%.0f MB, %s", memory/1e6, kind), memory <= budgetMemory))
	return append(all,
		r.readerPromise(),
		promise{budget: "cost of an entry independent of the log's length up to 10 million"},
		promise{budget: "no growth over a soak"},
	)
}

func (r *report) servicePromises() []promise {
	var all []promise
	for _, p := range []struct {
		other  string
		budget float64
	}{{nameReverseProxy, budgetReverseProxy}, {nameNginx, budgetNginx}} {
		wall, ok := r.ratio(p.other, byWall)
		if !ok {
			continue
		}
		processor, _ := r.ratio(p.other, byProcessor)
		text := fmt.Sprintf("at least %.2f of %s, by ", p.budget, p.other)
		all = append(all,
			judged(text+"questions a second", wall.String(), wall.median >= p.budget),
			judged(text+"processor time", processor.String(), processor.median >= p.budget))
	}
	ward := r.find(nameWard).perSecond()
	return append(all, judged("1,000 fully audited questions a second on two cores, with simulator and load generator on them too",
		short(ward.median), ward.median >= budgetQuestions))
}

func (r *report) codecPromises() []promise {
	if r.codecs == nil {
		return nil
	}
	request, reply := r.codecs.request, r.codecs.reply25
	time := func(ns int64) string { return fmt.Sprintf("%.1f µs", float64(ns)/1000) }
	all := []promise{
		judged("request decoded and validated within 25 µs", time(request.NsPerOp()), request.NsPerOp() <= budgetRequest.Nanoseconds()),
		judged("and 40 allocations", fmt.Sprint(request.AllocsPerOp()), request.AllocsPerOp() <= budgetAllocations),
		judged("reply with 25 accesses decoded and response encoded within 120 µs", time(reply.NsPerOp()), reply.NsPerOp() <= budgetReply.Nanoseconds()),
	}
	for _, b := range r.benchmarks {
		entries, err := strconv.ParseFloat(b.metrics["entries/s"], 64)
		if err == nil && b.pkg == "audit" && strings.HasPrefix(b.name, "Append/64") {
			all = append(all, judged("5,000 durable log entries a second", fmt.Sprintf("%.0f, with 64 at a time", entries), entries >= budgetEntries))
		}
	}
	return all
}

func (r *report) writeCaveats(w *strings.Builder) {
	fmt.Fprintf(w, `## What to know before believing it

- The proxies do less than Ward in every respect: no XML, no log, no audit, and they carry fewer bytes on the client's side. That is the point of the comparison.
- Ward writes one line of its operational log for each answer, to a file; nginx's access log is off and ReverseProxy has none.
- Ward makes two entries of its audit log durable for each question, one before the Spine hears and one before the client does. The kernel's own threads for the disc are in nobody's processor time.
- The closed loop measures latency at saturation: with as many connections as this, most of it is queueing. It is not the time that Ward adds at a rate of every day.
- Simulator and load generator are written for speed but take their part of the machine; where they use all of their core, the fastest contender is held up by them.
- Loopback has no network: no loss, no distance, large segments.
`)
}
