package spinesim

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
)

// strangerNumber is a child whom nobody asked about: the one of the cast whose
// situation is "no record in CP-IS".
const strangerNumber = "9990000034"

func more(n, change int) string { return strconv.Itoa(n + change) }

func systemFailure(status int) func(*call) response {
	return fault(status, "Server", "200", "Not Supported", "System failure to process message - default")
}

func withStatus(status int, compose func(*call) response) func(*call) response {
	return func(c *call) response {
		r := compose(c)
		r.status = status
		return r
	}
}

// emptySuccess is a success without a record whose history holds the asker alone.
func emptySuccess(recordTotal string) func(*call) response {
	return func(c *call) response {
		e := c.envelope()
		a := newAnswer(c.m, c.stamp()+"+0000", nil, withAccess(nil, c.now, c.m))
		a.recordTotal = recordTotal
		return e.write(c.buf, nil, func(w *xmlWriter) { a.write(w, e.sender) })
	}
}

// previousAnswer replies to the query before this one. The first query of all
// is answered under the name of a message that never was.
func previousAnswer(c *call) response {
	if c.previous == nil {
		return found(func(e *envelope, _ *answer) { e.relatesTo = "uuid:" + derivedID("another message") })(c)
	}
	before := *c
	asked := *c.previous
	asked.ebxml = c.m.ebxml // the reply is in the pattern of this query
	before.m = &asked
	before.records, before.history = c.sim.store.look(c.previous.nhsNumber)
	return asStored(&before)
}

// rewritten changes the last occurrence of a piece of the document.
func rewritten(compose func(*call) response, old, replacement string) func(*call) response {
	return func(c *call) response {
		r := compose(c)
		at := bytes.LastIndex(r.body, []byte(old))
		if at >= 0 {
			r.body = append(append(bytes.Clone(r.body[:at]), replacement...), r.body[at+len(old):]...)
		}
		return r
	}
}

func halved(compose func(*call) response) func(*call) response {
	return func(c *call) response {
		r := compose(c)
		r.body = r.body[:len(r.body)/2]
		return r
	}
}

// page is what proxies and load balancers say.
func page(status int) func(*call) response {
	body := fmt.Sprintf("<!DOCTYPE html>\n<html><head><title>%d</title></head><body><h1>%s</h1></body></html>\n", status, http.StatusText(status))
	return func(*call) response {
		return response{status: status, contentType: "text/html", body: []byte(body)}
	}
}

// url is where the query was sent.
func (c *call) url() string {
	if c.m.ebxml != nil {
		return c.sim.AsyncURL()
	}
	return c.sim.URL()
}

func redirect(c *call) response {
	return response{status: 302, contentType: "text/html", location: c.url() + "?moved", body: []byte("<html><body>Moved</body></html>\n")}
}
