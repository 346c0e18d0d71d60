package providers

import (
	"fmt"
	"strings"

	"github.com/wardsmsp/ward/internal/conform"
)

// exchange is a message and what came back.
type exchange struct {
	trial string // id
	sent  sent
	reply *reply
	seen  map[string]bool // ids of the replies before this one
}

// subject says of which replies something must hold.
type subject uint8

const (
	everyHTTP    subject = iota // whatever came over HTTP
	everySOAP                   // whatever came under the status of an answer or a fault
	everyFault                  // SOAP faults
	everyAnswer                 // answers in a DistributionEnvelope
	everyFound                  // those with SMSP-0000
	everyHistory                // those of them that bring an access
)

func (s subject) covers(r *reply) bool {
	switch s {
	case everySOAP:
		return r.content != "" && (r.status == 200 || r.status == 500)
	case everyFault:
		return r.isFault()
	case everyAnswer:
		return r.isAnswer()
	case everyFound:
		return r.isAnswer() && r.code() == "SMSP-0000"
	case everyHistory:
		return everyFound.covers(r) && len(accesses(r.response)) > 0
	default:
		return true
	}
}

func (s subject) String() string {
	switch s {
	case everySOAP:
		return "Every reply"
	case everyFault:
		return "Every fault"
	case everyAnswer:
		return "Every answer"
	case everyFound:
		return "Every answer with a record"
	case everyHistory:
		return "Every answer with a history"
	default:
		return "Every HTTP response"
	}
}

// invariant is what must hold of every reply of a kind.
type invariant struct {
	id, title    string
	requirements string
	of           subject
	// broken says in words how a reply breaks it, "" if it does not. The words quote
	// nothing of the reply.
	broken func(exchange) string
}

// Case is the invariant as a list shows it.
func (i invariant) Case() Case {
	return Case{ID: i.id, Group: i.of.String(), Title: i.title, Requirements: strings.Fields(i.requirements), Own: isOwn(i.id)}
}

// invariants is all that is held against every reply.
func invariants() []invariant {
	var list []invariant
	for _, some := range [][]invariant{ofHTTP(), ofSOAP(), ofFaults(), ofAnswers(), ofEnvelopes(), ofFindings()} {
		list = append(list, some...)
	}
	return list
}

// watch holds every reply of a run against the invariants.
type watch struct {
	invariants []invariant
	covered    []int
	broken     []int
	first      []string // how each was broken first
	seen       map[string]bool
}

func newWatch() *watch {
	all := invariants()
	return &watch{invariants: all, covered: make([]int, len(all)), broken: make([]int, len(all)), first: make([]string, len(all)), seen: map[string]bool{}}
}

func (w *watch) see(x exchange) {
	x.seen = w.seen
	for i, inv := range w.invariants {
		if !inv.of.covers(x.reply) {
			continue
		}
		w.covered[i]++
		how := inv.broken(x)
		if how == "" {
			continue
		}
		if w.broken[i] == 0 {
			w.first[i] = fmt.Sprintf("%s (first in %s)", how, x.trial)
		}
		w.broken[i]++
	}
	for _, id := range x.reply.ids() {
		w.seen[id] = true
	}
}

func (w *watch) results() []conform.Result {
	var list []conform.Result
	for i, inv := range w.invariants {
		r := result(inv.Case())
		r.Want = "to hold of " + strings.ToLower(inv.of.String()[:1]) + inv.of.String()[1:]
		switch {
		case w.covered[i] == 0:
			r.Status, r.Got = conform.NotRun, "no reply of this run is of that kind"
		case w.broken[i] == 0:
			r.Status, r.Got = conform.Passed, fmt.Sprintf("held in %d replies", w.covered[i])
		default:
			r.Status, r.Got = notAsWanted(r), fmt.Sprintf("broken in %d of %d replies: %s", w.broken[i], w.covered[i], w.first[i])
		}
		list = append(list, r)
	}
	return list
}
