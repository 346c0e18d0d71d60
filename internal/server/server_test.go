package server_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/gateway"
)

const child = "9990000018"

func TestAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.ask(t)
	if got.Answer.Outcome() != cpis.Found || got.Answer.Notified() != cpis.NotifiedYes {
		t.Fatalf("%s: %v", got.Answer.Outcome(), got.Cause)
	}
	r.asked(t, 1, audit.Intent, audit.Outcome)
}

// MSCA-DQ-03, WRD-PDS-04: the replacement of a number and that it was not verified
// are told to a client that takes our entries, and nobody else. Neither the log line
// nor an entry outside its sealed detail holds the replacement.
func TestRemarks(t *testing.T) {
	t.Parallel()
	replacement, err := cpis.ParseNHSNumber("9990000026")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.spine.ask = func(cpis.Query) cpis.Answer { return cpis.Superseded(replacement) }
	got := r.ask(t)
	if got.Answer.Outcome() != cpis.NumberSuperseded || got.Answer.Replacement() != replacement || got.Code != cpis.CodeInputInvalid {
		t.Errorf("told %s by %s: %s", got.Answer.Outcome(), got.Code, got.Raw)
	}
	for _, e := range r.book.entries {
		kept := strings.Contains(string(e.Detail), "9990000026")
		e.Detail = nil
		if kept != (e.Kind == audit.Outcome) || strings.Contains(fmt.Sprintf("%+v", e), "9990000026") {
			t.Errorf("%s: %+v", e.Kind, e)
		}
	}
	if strings.Contains(r.log.String(), "9990000026") {
		t.Errorf("logged: %s", r.log)
	}
	r.spine.ask, r.finding = foundFor, gateway.Finding{Verification: cpis.Unverified}
	got = r.ask(t)
	if got.Answer.Outcome() != cpis.Found || got.Answer.Verification() != cpis.Unverified {
		t.Errorf("told %s, verification %q", got.Answer.Outcome(), got.Answer.Verification())
	}
	r = newRig(t)
	r.ed.TellNotified = false
	r.spine.ask = func(cpis.Query) cpis.Answer { return cpis.Superseded(replacement).WithVerification(cpis.Unverified) }
	got = r.ask(t)
	if got.Answer.Outcome() != cpis.InputInvalid || strings.Contains(string(got.Raw), "urn:x-cpis-smsp") || strings.Contains(string(got.Raw), "9990000026") {
		t.Errorf("told %s: %s", got.Answer.Outcome(), got.Raw)
	}
}

// WRD-PDS-03: a date of birth that is none makes the question wrong: nothing is asked.
func TestBirthDateThatIsNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	q := question(t)
	q.BirthDate = cpis.Date{Year: 2019, Month: 2, Day: 28}
	m, err := r.client(t).Prepare(q)
	if err != nil {
		t.Fatal(err)
	}
	m.Content = bytes.Replace(m.Content, []byte("2019-02-28"), []byte("2019-02-29"), 1)
	told(t, r.client(t).Send(t.Context(), m), cpis.InputInvalid, cpis.NotifiedNo, `code="SMSP-0001"`)
	r.asked(t, 0, audit.Refused)
	if e := r.book.entries[0]; e.NHSNumber != child || e.Author == nil {
		t.Errorf("the log does not tell who asked about whom: %+v", e)
	}
}

// WRD-AUD-04, N37: fault 2100 says that nothing was asked, and nothing was.
func TestIntentCannotBeRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.fails = audit.Intent
	told(t, r.ask(t), cpis.AuditFailedBefore, cpis.NotifiedNo, ">2100</")
	r.asked(t, 0, audit.Outcome)
}

// WRD-AUD-05: no data without a record, and no claim that nobody was notified.
func TestOutcomeCannotBeRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.fails = audit.Outcome
	got := r.ask(t)
	told(t, got, cpis.InternalAfterSent, cpis.NotifiedYes, `code="SMSP-9999"`)
	if !strings.Contains(string(got.Raw), `value="notified"`) {
		t.Error("what is known of the notification was not told")
	}
	// The client does not wait for the remark about its answer.
	for end := time.Now().Add(patience); len(r.book.kinds()) < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	r.asked(t, 1, audit.Intent, audit.Undelivered)
}

// A refusal that cannot be recorded is answered as a log that cannot be written.
func TestRefusalCannotBeRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.fails = audit.Refused
	m, err := r.client(t).Prepare(question(t))
	if err != nil {
		t.Fatal(err)
	}
	m.Content = bytes.Replace(m.Content, []byte(">ed-system<"), []byte(">nobody<"), 1)
	told(t, r.client(t).Send(t.Context(), m), cpis.AuditFailedBefore, cpis.NotifiedNo, ">2100</")
	m, err = r.client(t).Prepare(question(t))
	if err != nil {
		t.Fatal(err)
	}
	m.Content = bytes.Replace(m.Content, []byte(child), []byte("9990000019"), 1) // SMSP-0001, were it recorded
	told(t, r.client(t).Send(t.Context(), m), cpis.AuditFailedBefore, cpis.NotifiedNo, ">2100</")
	r.asked(t, 0)
}

// WRD-VAL-18: a failure of ours is one reply. Where the question may have been sent
// it is not a fault, which would say that nothing was asked.
func TestFailureOfOurs(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		breaks  func(*rig)
		outcome cpis.Outcome
		told    string
		asked   int
		entries []audit.Kind
	}{
		"before the answer is written": {
			breaks: func(r *rig) {
				n := 0
				r.newID = func() string {
					n++
					if n == 2 {
						panic("no randomness for " + child)
					}
					return newID()
				}
			},
			outcome: cpis.InternalAfterSent, told: `code="SMSP-9999"`, asked: 1, entries: []audit.Kind{audit.Intent, audit.Outcome},
		},
		"at the intent": {
			breaks:  func(r *rig) { r.book.panics = audit.Intent },
			outcome: cpis.InternalAfterSent, told: `code="SMSP-9999"`,
		},
		"while asking": {
			breaks:  func(r *rig) { r.spine.ask = func(cpis.Query) cpis.Answer { panic("broken about " + child) } },
			outcome: cpis.InternalAfterSent, told: `code="SMSP-9999"`, asked: 1, entries: []audit.Kind{audit.Intent, audit.Outcome},
		},
		"at the outcome": {
			breaks:  func(r *rig) { r.book.panics = audit.Outcome },
			outcome: cpis.InternalAfterSent, told: `code="SMSP-9999"`, asked: 1, entries: []audit.Kind{audit.Intent},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.breaks(r)
			told(t, r.ask(t), c.outcome, cpis.NotifiedMaybe, c.told)
			r.asked(t, c.asked, c.entries...)
			if strings.Contains(r.log.String(), child) {
				t.Error("the log holds the NHS number")
			}
		})
	}
}

// A failure before the message was read is a fault that says that nothing was asked.
func TestFailureBeforeTheMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.panics = audit.Refused
	network, err := tls.Dial("tcp", r.address, r.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	io.WriteString(network, "GET /smsp/cpis HTTP/1.1\r\nHost: x\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(network), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), ">2200</") {
		t.Errorf("status %d, %s, %v", response.StatusCode, body, err)
	}
	r.asked(t, 0)
}

// A connection can outlive the certificate with which it was made.
func TestCertificateExpiresDuringAConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	network, err := tls.Dial("tcp", r.address, r.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	reader := bufio.NewReader(network)
	m, err := r.client(t).Prepare(question(t))
	if err != nil {
		t.Fatal(err)
	}
	request := "POST /smsp/cpis HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: " + strconv.Itoa(len(m.Content)) + "\r\n\r\n"
	for _, want := range []int{http.StatusOK, http.StatusForbidden} {
		io.WriteString(network, request+string(m.Content))
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		if response.StatusCode != want {
			t.Errorf("status %d, want %d", response.StatusCode, want)
		}
		r.mu.Lock()
		r.ahead = 400 * 24 * time.Hour
		r.mu.Unlock()
	}
	r.asked(t, 1, audit.Intent, audit.Outcome, audit.Refused)
}

// WRD-OPS-07: one client's questions do not take the places of another's.
func TestQuestionsOfOneClientAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	r.spine.ask = func(q cpis.Query) cpis.Answer {
		begun <- struct{}{}
		<-finish
		return foundFor(q)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { r.ask(t) })
		<-begun
	}
	got := r.ask(t)
	close(finish)
	all.Wait()
	if got.Answer.Outcome() != cpis.Overloaded || got.Answer.Notified() != cpis.NotifiedNo {
		t.Errorf("the ninth of eight: %s, notified %s", got.Answer.Outcome(), got.Answer.Notified())
	}
	// Every place is free again, soon after its answer.
	r.spine.ask = foundFor
	end := time.Now().Add(patience)
	for range 9 {
		got := r.ask(t)
		for got.Answer.Outcome() == cpis.Overloaded && time.Now().Before(end) {
			got = r.ask(t)
		}
		if got.Answer.Outcome() != cpis.Found {
			t.Errorf("afterwards: %s", got.Answer.Outcome())
		}
	}
}
