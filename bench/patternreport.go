package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// between compares two results round by round.
func (p pair) between(of func(sync, async sample) float64) figure {
	var all []float64
	for i := range p.results[0].samples {
		all = append(all, of(p.results[0].samples[i], p.results[1].samples[i]))
	}
	slices.Sort(all)
	return figure{median: middle(all), low: all[0], high: all[len(all)-1]}
}

// added is how much longer the asynchronous pattern takes, in milliseconds.
func (p pair) added(percent float64) figure {
	return p.between(func(sync, async sample) float64 {
		return (async.percentile(percent) - sync.percentile(percent)).Seconds() * 1000
	})
}

// times is how many times of the synchronous pattern's the asynchronous one takes.
func (p pair) times(of func(sample) float64) figure {
	return p.between(func(sync, async sample) float64 { return of(async) / of(sync) })
}

func (p *patterns) write(w *strings.Builder, r *report) {
	o, first := r.options, p.slow.results[0].samples[0]
	fmt.Fprintf(w, "## The asynchronous pattern\n\n")
	fmt.Fprintf(w, "Each pattern has a provider and a simulator of its own, all of them processes of their own, which are measured in turn: %s of warm-up and %s measured for each in each of %d rounds. "+
		"One question at a time on each connection of the load generator (closed loop). %s with %s on every leg. The simulator posts each asynchronous reply over a connection of its own. "+
		"Every answer is looked into: one that is not a record found ends the run, or is counted as failed where the Spine is slow. Median of the rounds (lowest–highest).\n\n",
		o.warm, o.seconds, o.rounds, first.tlsVersion, first.cipher)
	p.writeQuick(w)
	p.writeSlow(w, o)
	for i, name := range []string{"synchronous", "asynchronous"} {
		fmt.Fprintf(w, "After all of it, %s:\n\n    %s\n\n", name, strings.ReplaceAll(p.checks[i], "\n", "\n    "))
	}
}

var percents = []float64{50, 95, 99}

// latencies are three percentiles.
func latencies(of func(percent float64) figure) []string {
	var all []string
	for _, percent := range percents {
		all = append(all, of(percent).String())
	}
	return all
}

func (p *patterns) writeQuick(w *strings.Builder) {
	fmt.Fprintf(w, "The Spine answers at once:\n\n")
	var rows [][]string
	for _, one := range p.quick {
		for _, result := range one.results {
			row := append([]string{fmt.Sprint(one.connections), result.name}, latencies(result.latency)...)
			rows = append(rows, append(row, result.perSecond().String(), result.processor().String(), result.busy(), others(result)))
		}
		rows = append(rows, append(append([]string{"", "asynchronous adds"}, latencies(one.added)...), "", "", "", ""))
		row := append([]string{"", "asynchronous in times of synchronous"}, latencies(func(percent float64) figure {
			return one.times(func(s sample) float64 { return s.percentile(percent).Seconds() })
		})...)
		rows = append(rows, append(row, one.times(sample.perSecond).String(), one.times(costs).String(), "", ""))
	}
	table(w, []string{"connections", "", "p50 ms", "p95 ms", "p99 ms", "questions a second", "Ward's processor µs a question", "of its core(s) used", "simulator and load generator, of one core"}, rows)
}

// costs is the provider's processor time for each question.
func costs(s sample) float64 { return s.perQuestion(s.contender) }

// others is what simulator and load generator used together.
func others(r result) string {
	f := r.figure(func(s sample) float64 { return 100 * (s.simulator + s.generator).Seconds() / s.elapsed.Seconds() })
	return fmt.Sprintf("%.0f %%", f.median)
}

func (p *patterns) writeSlow(w *strings.Builder, o options) {
	most := float64(o.flight) / slowSpine.Seconds()
	fmt.Fprintf(w, "The Spine answers after %s, and %d questions are in flight, which is %.0f a second at most:\n\n", slowSpine, o.flight, most)
	var rows, mostSeen [][]string
	for i, result := range p.slow.results {
		row := append([]string{result.name, result.perSecond().String(), fmt.Sprintf("%.0f %%", 100*result.perSecond().median/most)}, latencies(result.latency)...)
		rows = append(rows, append(row, failures(result), result.processor().String(), result.busy(), others(result)))
		memory := result.samples[len(result.samples)-1].memory
		var highest peak
		for _, seen := range p.peaks[i] {
			highest.raise(seen)
		}
		mostSeen = append(mostSeen, []string{result.name, megabytes(memory.highest), megabytes(highest.heap), fmt.Sprint(highest.goroutines),
			fmt.Sprint(highest.fromClients), fmt.Sprint(highest.toSpine), fmt.Sprint(highest.replies),
			result.figure(func(s sample) float64 { return s.perQuestion(s.simulator) }).String(),
			result.figure(func(s sample) float64 { return s.perQuestion(s.generator) }).String()})
	}
	row := append([]string{"asynchronous in times of synchronous", p.slow.times(sample.perSecond).String(), ""}, latencies(func(percent float64) figure {
		return p.slow.times(func(s sample) float64 { return s.percentile(percent).Seconds() })
	})...)
	rows = append(rows, append(row, "", p.slow.times(costs).String(), "", ""))
	table(w, []string{"", "questions a second", "of the most", "p50 ms", "p95 ms", "p99 ms", "failed", "Ward's processor µs a question", "of its core(s) used", "simulator and load generator, of one core"}, rows)
	fmt.Fprintf(w, "The most that was seen of the provider, and what the others used:\n\n")
	table(w, []string{"", "resident MB", "Go heap in use MB", "goroutines", "connections of clients", "to the Spine", "for replies", "simulator µs a question", "load generator µs a question"}, mostSeen)
}

// failures says how many questions failed in all rounds, and how.
func failures(r result) string {
	all := map[string]int{}
	for _, s := range r.samples {
		for what, n := range s.failed {
			all[what] += n
		}
	}
	var list []string
	for _, what := range slices.Sorted(maps.Keys(all)) {
		list = append(list, fmt.Sprintf("%d × %s", all[what], what))
	}
	return cmp.Or(strings.Join(list, ", "), "none")
}
