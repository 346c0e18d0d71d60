package platform

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// stallLimit is how long a stall lasts at most, unless its step says otherwise.
const stallLimit = time.Minute

// answer is a reply before it is put on the wire: a JSON document, or raw
// bytes, which come first.
type answer struct {
	status    int
	mediaType string
	headers   http.Header
	document  object
	raw       []byte
	previous  []byte // of a revocation list, the one before it
}

func (a *answer) header(name, value string) {
	if a.headers == nil {
		a.headers = http.Header{}
	}
	a.headers.Set(name, value)
}

func (a *answer) bytes() []byte {
	if a.raw != nil || a.document == nil {
		return a.raw
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(a.document) // maps of strings and numbers: cannot fail
	return b.Bytes()
}

// delivery is an answer on its way to the client.
type delivery struct {
	p    *Platform
	w    http.ResponseWriter
	r    *http.Request
	a    answer
	step Step
}

// deliver puts an answer on the wire, by the behaviour's way or properly.
func (p *Platform) deliver(w http.ResponseWriter, r *http.Request, a answer, b behaviour, step Step) {
	d := &delivery{p: p, w: w, r: r, a: a, step: step}
	if b.deliver != nil {
		b.deliver(d)
		return
	}
	if d.pause(step.Delay) {
		d.write()
	}
}

// head sends the status and the headers, which promise the whole body.
func (d *delivery) head(body []byte) {
	h := d.w.Header()
	for name, values := range d.a.headers {
		h[name] = values
	}
	for _, name := range []string{"X-Request-ID", "X-Correlation-ID"} {
		id := d.r.Header.Get(name)
		if id != "" {
			h.Set(name, id)
		}
	}
	h.Set(spinesim.SimulatorHeader, simulatorValue)
	h.Set("Content-Type", d.a.mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	d.w.WriteHeader(d.a.status)
}

const simulatorValue = "not real information"

func (d *delivery) write() {
	body := d.a.bytes()
	d.head(body)
	_, _ = d.w.Write(body) // the client may have gone
}

// begin sends the headers and a part of the body.
func (d *delivery) begin(part func(body []byte) []byte) {
	body := d.a.bytes()
	d.head(body)
	_, _ = d.w.Write(part(body))
	_ = http.NewResponseController(d.w).Flush()
}

func half(body []byte) []byte { return body[:len(body)/2] }
func nothing(_ []byte) []byte { return nil }
func (d *delivery) breakOff() { panic(http.ErrAbortHandler) } // net/http closes the connection

// pause waits; false when the platform closes or the client leaves meanwhile.
func (d *delivery) pause(wait time.Duration) bool {
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-d.p.done:
	case <-d.r.Context().Done():
	}
	return false
}

// hold keeps the connection without a byte until the client leaves, the time
// is over or the platform closes, and then breaks it off.
func (d *delivery) hold() {
	d.pause(cmp.Or(d.step.Delay, stallLimit))
	d.breakOff()
}

// reset ends the connection by a TCP reset.
func (d *delivery) reset() {
	raw, _, err := http.NewResponseController(d.w).Hijack()
	if err != nil {
		d.breakOff()
	}
	inner, wrapped := raw.(interface{ NetConn() net.Conn })
	if wrapped {
		raw = inner.NetConn()
	}
	tcp, ok := raw.(*net.TCPConn)
	if ok {
		tcp.SetLinger(0)
	}
	raw.Close()
}

// dripped sends 64 bytes every quarter of a second, or as often as the step says.
func (d *delivery) dripped() {
	body := d.a.bytes()
	d.head(body)
	for len(body) > 0 {
		n := min(64, len(body))
		_, err := d.w.Write(body[:n])
		if err != nil || !d.pause(cmp.Or(d.step.Delay, 250*time.Millisecond)) {
			d.breakOff()
		}
		_ = http.NewResponseController(d.w).Flush()
		body = body[n:]
	}
}

// addDeliveries: replies that do not come, or not in time.
func addDeliveries(add func(behaviour, Behaviour, string, ...Service)) {
	way := func(deliver func(*delivery)) behaviour { return behaviour{deliver: deliver} }
	add(way(func(d *delivery) {
		if d.pause(cmp.Or(d.step.Delay, 2*time.Second)) {
			d.write()
		}
	}), "slow", "the answer after two seconds, or the step's delay")
	add(way((*delivery).dripped), "slow-drip", "the answer, 64 bytes every quarter of a second or the step's delay")
	add(way((*delivery).hold), "hang", "the request is read and nothing is sent")
	add(way(func(d *delivery) { d.begin(nothing); d.hold() }), "stall-after-headers", "the headers of the answer, then nothing")
	add(way(func(d *delivery) { d.begin(half); d.hold() }), "stall-in-body", "half of the answer, then nothing")
	add(way(func(d *delivery) { d.begin(half); d.breakOff() }), "cut", "the headers and half of the answer, then the connection is closed")
	add(way(func(d *delivery) { d.pause(d.step.Delay); d.breakOff() }), "close-without-reply", "the request is read and the connection closed in good order")
	add(way(func(d *delivery) { d.pause(d.step.Delay); d.reset() }), "reset", "the request is read and the connection reset")
}
