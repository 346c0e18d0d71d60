package platform

import (
	"net/http"
	"strconv"
)

// serve makes the handler of one service. Each request is described, meets
// what the script or its number says, is answered, and counted before the
// reply leaves.
func (p *Platform) serve(s Service, method string, handle func(*http.Request) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		seen := p.describe(s, r)
		step := p.next(s, r)
		b := catalogue()[step.Behaviour]
		var a answer
		switch {
		case method != "" && r.Method != method:
			b = behaviour{}
			a = failure(s, http.StatusMethodNotAllowed, "The service is asked by "+method+".")
			a.header("Allow", method)
		case b.replace != nil:
			a = b.replace(s, step)
		default:
			a = handle(r)
		}
		if b.change != nil {
			b.change(&a)
		}
		seen.Behaviour, seen.Status = step.Behaviour, a.status
		p.evidence.record(seen)
		p.deliver(w, r, a, b, step)
	}
}

// next is the step for a request: the script's, else the one bound to the
// person's number.
func (p *Platform) next(s Service, r *http.Request) Step {
	key := r.PathValue("key")
	if s == CRL {
		key = listName(r)
	}
	step, scripted := p.scripts.take(s, key)
	if scripted {
		return step
	}
	bound := AsHeld
	if s == Patient {
		bound = p.register.behaviour(key)
	}
	return Step{Behaviour: bound}
}

// nowhere answers what is sent to a path that the platform does not have.
func nowhere(*http.Request) answer {
	return failure(Other, http.StatusNotFound, "There is no such service.")
}

func statusText(status int) string { return strconv.Itoa(status) }
