package server_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/server"
)

// meter writes down what it is told.
type meter struct {
	mu       sync.Mutex
	underWay int
	told     []string
}

func (m *meter) note(add int, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.underWay += add
	if format != "" {
		m.told = append(m.told, fmt.Sprintf(format, args...))
	}
}

func (m *meter) Entered(string) { m.note(1, "") }
func (m *meter) Left(string)    { m.note(-1, "") }
func (m *meter) Answered(client string, o cpis.Outcome, n cpis.Notified, took time.Duration) {
	m.note(0, "%s %s %s %t", client, o, n, took > 0)
}
func (m *meter) TurnedAway(client string, class server.Class) { m.note(0, "%s %s", client, class) }

// heard fails unless the meter was told this, and nothing is under way any more.
func (m *meter) heard(t *testing.T, told ...string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		m.mu.Lock()
		done := m.underWay == 0 && len(m.told) == len(told)
		m.mu.Unlock()
		if done {
			break
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if diff := cmp.Diff(told, m.told); diff != "" || m.underWay != 0 {
		t.Errorf("%d under way; (-want +got):\n%s", m.underWay, diff)
	}
}

// busy sends the header of a request and not its body, and reads how it is turned away.
func (r *rig) busy(t *testing.T, reason string) {
	t.Helper()
	conn, err := tls.Dial("tcp", r.address, r.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience)) // shorter than the time that a body has
	_, err = io.WriteString(conn, "POST "+server.Path+" HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 4000\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || !strings.Contains(string(text), "Nothing was asked") {
		t.Errorf("%s, %v: %q", response.Status, err, text)
	}
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	e := r.book.entries[len(r.book.entries)-1]
	if e.Kind != audit.Refused || e.Reason != reason || e.Outcome != "overloaded" || e.Notified != "no" || e.Code != "HTTP 503" {
		t.Errorf("the log has %+v", e)
	}
}

// WRD-OPS-19, WRD-RC-16: where no place on the way to the Spine is free, a question is
// turned away before it is read, and costs nothing of a budget.
func TestNoPlaceForTheSpine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.place = func() (func(), bool) { return nil, false }
	r.spend = func(*clients.Client) bool { t.Error("spent"); return true }
	r.busy(t, "too many questions wait for the Spine")
	r.asked(t, 0, audit.Refused)
	r.meter.heard(t, "ed spine_busy")
}

// TOM-DE-03b: over the budget of an ASID a question is turned away before it is read,
// and nothing reaches the Spine. Its places are free again.
func TestBudgetSpent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	places := 0
	r.place = func() (func(), bool) { places++; return func() { places-- }, true }
	r.spend = func(c *clients.Client) bool { return c.Name != "ed" }
	for range 10 { // more than the client may have under way
		r.busy(t, "over the agreed rate of an ASID")
	}
	if places != 0 {
		t.Errorf("%d places are still taken", places)
	}
	r.spend = func(*clients.Client) bool { return true }
	if got := r.ask(t); got.Answer.Outcome() != cpis.Found {
		t.Errorf("told %s", got.Answer.Outcome())
	}
}

// WRD-OPS-09: each request is counted once, under what became of it.
func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		prepare func(r *rig)
		ask     func(t *testing.T, r *rig)
		want    string
	}{
		"found":                         {ask: func(t *testing.T, r *rig) { r.ask(t) }, want: "ed found yes true"},
		"not sent":                      {func(r *rig) { r.spine.ask = func(cpis.Query) cpis.Answer { return cpis.Failed(cpis.NotSent, "x") } }, func(t *testing.T, r *rig) { r.ask(t) }, "ed not_sent no true"},
		"the intent cannot be recorded": {func(r *rig) { r.book.fails = audit.Intent }, func(t *testing.T, r *rig) { r.ask(t) }, "ed not_recorded"},
		"the outcome cannot":            {func(r *rig) { r.book.fails = audit.Outcome }, func(t *testing.T, r *rig) { r.ask(t) }, "ed audit_failed_after yes true"},
		"no message":                    {ask: func(t *testing.T, r *rig) { r.post(t, "<a/>") }, want: "ed message"},
		"no such path":                  {ask: func(t *testing.T, r *rig) { r.get(t, "/elsewhere") }, want: "ed http"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.prepare != nil {
				c.prepare(r)
			}
			c.ask(t, r)
			r.meter.heard(t, c.want)
		})
	}
}

func (r *rig) post(t *testing.T, body string) { r.request(t, http.MethodPost, server.Path, body) }
func (r *rig) get(t *testing.T, path string)  { r.request(t, http.MethodGet, path, "") }

func (r *rig) request(t *testing.T, method, path, body string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: r.tls}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+r.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/xml")
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}
