package clients

import "github.com/wardsmsp/ward/cpis"

// Situation is a situation as the tests see it.
type Situation struct {
	ID, Number, Title string
	Outcome           cpis.Outcome
}

// Situations is the list of situations.
func Situations() []Situation {
	var all []Situation
	for _, s := range situations() {
		all = append(all, Situation{s.id, s.number, s.title, s.outcome})
	}
	return all
}

// Demands are the ids of the rules that have a demand.
func Demands() []string {
	var ids []string
	for id := range demands {
		ids = append(ids, id)
	}
	return ids
}

// UnderWay says how many requests a run is answering.
func (r *Run) UnderWay() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.underWay
}

// Known says how many ids of messages a run remembers: those of a message stand there
// once it was read.
func (r *Run) Known() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.used)
}
