package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is everything that was measured.
type report struct {
	options      options
	quick        bool
	began, ended time.Time
	machine      machine
	pinning      cores
	benchmarks   []benchmark
	codecs       *codecs
	readings     []reading
	results      []result
	sizes        sizes
	starts       starts
	idle         idle
	verified     string
	patterns     *patterns // all there is beside the machine, if it is there
	loadAfter    string
}

// sizes are lengths in bytes: of requests whole, of answers without HTTP header.
type sizes struct{ question, passed, ward5, ward25, spine5, spine25 int }

// result is what one contender did in all rounds.
type result struct {
	name    string
	samples []sample
}

// figure is the median of the rounds, and the lowest and highest of them.
type figure struct{ median, low, high float64 }

func (f figure) String() string {
	return fmt.Sprintf("%s (%s–%s)", short(f.median), short(f.low), short(f.high))
}

func short(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (r result) figure(of func(sample) float64) figure {
	var all []float64
	for _, s := range r.samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return figure{median: middle(all), low: all[0], high: all[len(all)-1]}
}

// middle is the median of sorted values.
func middle[T float64 | time.Duration](sorted []T) T {
	n := len(sorted)
	if n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

func (r result) perSecond() figure { return r.figure(sample.perSecond) }

func (r result) processor() figure {
	return r.figure(func(s sample) float64 { return s.perQuestion(s.contender) })
}

func (r result) latency(p float64) figure {
	return r.figure(func(s sample) float64 { return s.percentile(p).Seconds() * 1000 })
}

func (r *report) markdown() string {
	w := &strings.Builder{}
	fmt.Fprintf(w, "# Performance of Ward\n\n")
	if r.quick {
		fmt.Fprintf(w, "**A smoke test, ten times shorter than a measurement: its figures mean nothing.**\n\n")
	}
	r.writeMachine(w)
	if r.patterns != nil {
		r.patterns.write(w, r)
		return w.String()
	}
	r.writeService(w)
	r.writeRatios(w)
	r.writeCodecs(w)
	r.writeStart(w)
	r.writeBudget(w)
	r.writeCaveats(w)
	return w.String()
}

func (r *report) writeMachine(w *strings.Builder) {
	m := r.machine
	kind := "physical"
	if m.virtual {
		kind = "virtual"
	}
	fmt.Fprintf(w, "## The machine\n\n")
	table(w, []string{"", ""}, [][]string{
		{"when", r.began.UTC().Format("2006-01-02 15:04") + " to " + r.ended.UTC().Format("15:04 MST")},
		{"processor", fmt.Sprintf("%s, %d cores, %s machine, %s", m.processor, m.cores, kind, m.memory)},
		{"system", fmt.Sprintf("%s, Linux %s", m.system, m.kernel)},
		{"Go, nginx", m.goVersion + "; " + m.nginx},
		{"build of Ward", m.revision},
		{"load average", m.load + " before, " + r.loadAfter + " after, the bench's own included"},
		{"audit log", fmt.Sprintf("SQLite on %s (%s); 4 KiB and fsync take %s at the median, %s at the 99th percentile", m.fileSystem, m.device,
			micro(middle(m.fsync)), micro(m.fsync[len(m.fsync)*99/100]))},
		{"fsync", m.durability()},
		{"cores", r.pinning.String()},
	})
}

func (r *report) writeService(w *strings.Builder) {
	o, z, first := r.options, r.sizes, r.results[0].samples[0]
	fmt.Fprintf(w, "## The whole service\n\n")
	fmt.Fprintf(w, "One process each, on loopback: load generator → contender → simulator of the Spine. %d kept connections, one question at a time on each (closed loop); "+
		"%s of warm-up and %s measured for each contender in each of %d rounds, in turn. %s with %s on every leg, certificates of ECDSA P-256, both ends verified on both legs.\n\n",
		o.connections, o.warm, o.seconds, o.rounds, first.tlsVersion, first.cipher)
	fmt.Fprintf(w, "%d synthetic children, asked about in turn: three of four with %d accesses in their history, the fourth with %d, the most there are. "+
		"Ward receives the ITK request (%d bytes with its HTTP header) and answers with %d or %d bytes; it asks the Spine with %d bytes and is answered with %d or %d. "+
		"The proxies receive the very bytes that Ward sends to the Spine, with new ids and NHS numbers written over the old ones. "+
		"Every answer is looked into: one that is not a record found ends the run.\n\n",
		childCount, fewAccess, mostAccess, z.question, z.ward5, z.ward25, z.passed, z.spine5, z.spine25)
	fmt.Fprintf(w, "Median of the rounds (lowest–highest).\n\n")
	var rows [][]string
	for _, c := range r.results {
		last := c.samples[len(c.samples)-1].memory
		rows = append(rows, []string{c.name, c.perSecond().String(), c.latency(50).String(), c.latency(90).String(), c.latency(99).String(),
			c.processor().String(), c.busy(), megabytes(last.now) + ", " + megabytes(last.highest)})
	}
	table(w, []string{"", "questions a second", "p50 ms", "p90 ms", "p99 ms", "processor µs a question", "of its core(s) used", "memory now, highest MB"}, rows)
	rows = nil
	for _, c := range r.results {
		rows = append(rows, []string{c.name,
			c.figure(func(s sample) float64 { return s.perQuestion(s.simulator) }).String(),
			c.figure(func(s sample) float64 { return s.perQuestion(s.generator) }).String(),
			fmt.Sprintf("%.0f %%", 100*c.figure(func(s sample) float64 { return (s.simulator + s.generator).Seconds() / s.elapsed.Seconds() }).median),
			c.figure(func(s sample) float64 { return float64(s.bodyBytes) / float64(s.questions) }).String()})
	}
	fmt.Fprintf(w, "What the others used meanwhile:\n\n")
	table(w, []string{"under load of", "simulator µs a question", "load generator µs a question", "both, of one core", "bytes of body an answer"}, rows)
	fmt.Fprintf(w, "After all of it:\n\n    %s\n\n", strings.ReplaceAll(r.verified, "\n", "\n    "))
}

// busy is the part of the contender's cores that it used.
func (r result) busy() string {
	f := r.figure(func(s sample) float64 { return 100 * s.contender.Seconds() / s.elapsed.Seconds() })
	return fmt.Sprintf("%.0f %%", f.median)
}

// ratio compares Ward with another contender, round by round; above 1 Ward is
// better. ok is false if one of them did not run.
func (r *report) ratio(other string, of func(ward, other sample) float64) (figure, bool) {
	ward, rival := r.find(nameWard), r.find(other)
	if ward == nil || rival == nil {
		return figure{}, false
	}
	var all []float64
	for i := range ward.samples {
		all = append(all, of(ward.samples[i], rival.samples[i]))
	}
	slices.Sort(all)
	return figure{median: middle(all), low: all[0], high: all[len(all)-1]}, true
}

func (r *report) find(name string) *result {
	for i := range r.results {
		if r.results[i].name == name {
			return &r.results[i]
		}
	}
	return nil
}

func byWall(ward, other sample) float64 { return ward.perSecond() / other.perSecond() }

func byProcessor(ward, other sample) float64 {
	return other.perQuestion(other.contender) / ward.perQuestion(ward.contender)
}

func (r *report) writeRatios(w *strings.Builder) {
	var rows [][]string
	for _, other := range []string{nameReverseProxy, nameNginx} {
		wall, ok := r.ratio(other, byWall)
		if !ok {
			continue
		}
		processor, _ := r.ratio(other, byProcessor)
		rows = append(rows, []string{"Ward beside " + other, wall.String(), processor.String()})
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "Ratios, above 1 where Ward is ahead:\n\n")
	table(w, []string{"", "by questions a second", "by processor time"}, rows)
	fmt.Fprintf(w, "*By questions a second* is what a client sees here. It depends on whatever was the bottleneck: where a contender did not use its whole core, "+
		"the simulator, the load generator or the disc held it up, and its figure is a lower bound. "+
		"*By processor time* compares what one question costs each process, in user and kernel mode; its inverse is what one core could answer if nothing else were in the way. "+
		"It is the fairer measure on a machine that everybody shares, but leaves out waiting for the disc and what kernel threads do on a process's behalf.\n\n")
}

func (r *report) writeCodecs(w *strings.Builder) {
	if r.codecs == nil {
		return
	}
	fmt.Fprintf(w, "## Codecs and log\n\nWith the bytes of this run, one goroutine:\n\n")
	var rows [][]string
	for _, line := range []struct {
		name, budget string
		result       interface {
			NsPerOp() int64
			AllocsPerOp() int64
			AllocedBytesPerOp() int64
		}
	}{
		{"request: decode and validate", "25 µs, 40 allocations", r.codecs.request},
		{fmt.Sprintf("reply with %d accesses: decode, judge, encode the response", fewAccess), "", r.codecs.reply5},
		{fmt.Sprintf("reply with %d accesses: decode, judge, encode the response", mostAccess), "120 µs", r.codecs.reply25},
	} {
		rows = append(rows, []string{line.name, fmt.Sprint(line.result.NsPerOp()), fmt.Sprint(line.result.AllocedBytesPerOp()), fmt.Sprint(line.result.AllocsPerOp()), line.budget})
	}
	table(w, []string{"", "ns/op", "B/op", "allocs/op", "budget"}, rows)
	r.writeReaders(w)
	fmt.Fprintf(w, "The packages' own benchmarks:\n\n")
	rows = nil
	for _, b := range r.benchmarks {
		if b.failure != "" {
			rows = append(rows, []string{b.pkg, b.failure, "", "", "", ""})
			continue
		}
		other := cmp.Or(join(b.metrics["entries/s"], "entries/s"), join(b.metrics["MB/s"], "MB/s"))
		rows = append(rows, []string{b.pkg, b.name, b.metrics["ns/op"], b.metrics["B/op"], b.metrics["allocs/op"], other})
	}
	table(w, []string{"package", "benchmark", "ns/op", "B/op", "allocs/op", ""}, rows)
}

func join(value, unit string) string {
	if value == "" {
		return ""
	}
	return value + " " + unit
}

func (r *report) writeStart(w *strings.Builder) {
	fmt.Fprintf(w, "## Start and idle connections\n\n")
	last := len(r.starts.times) - 1
	fmt.Fprintf(w, "From starting the process to the first completed mutual-TLS handshake, %d starts over the log that the load left (%s MB): median %s, longest %s.\n\n",
		last+1, megabytes(r.starts.log), milli(middle(r.starts.times)), milli(r.starts.times[last]))
	fmt.Fprintf(w, "A fresh Ward with one connection holds %s MB resident; with %d idle connections, each of which has asked one question, %s MB (highest %s MB).",
		megabytes(r.idle.before.now), r.idle.connections, megabytes(r.idle.after.now), megabytes(r.idle.after.highest))
	if r.idle.connections != budgetConnections {
		fmt.Fprintf(w, " Extrapolated in proportion, not measured: %.0f MB with %d.", r.idle.extrapolated()/1e6, budgetConnections)
	}
	fmt.Fprintf(w, "\n\n")
}

// extrapolated is the memory of as many idle connections as the budget has, in
// bytes.
func (m idle) extrapolated() float64 {
	each := float64(m.after.now-m.before.now) / float64(m.connections)
	return float64(m.before.now) + each*budgetConnections
}

// table writes a table of Markdown.
func table(w *strings.Builder, head []string, rows [][]string) {
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = "---"
	}
	for _, row := range append([][]string{head, rule}, rows...) {
		w.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	w.WriteString("\n")
}

func micro(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }
func milli(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

func megabytes(n int64) string { return fmt.Sprintf("%.0f", float64(n)/1e6) }
