package atna_test

import (
	"context"
	"crypto/tls"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/atna"
	"github.com/wardsmsp/ward/internal/audit/event/eventtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record is an entry with so much text that its message has the size given or more.
func record(seq int64, size int) audit.Record {
	return eventtest.Record(seq, audit.Entry{Kind: audit.Configured, Time: time.Unix(1700000000, 0), Detail: []byte(`"` + strings.Repeat("x", size) + `"`)})
}

func send(t *testing.T, s *atna.Sender, from, to int64) {
	t.Helper()
	for seq := from; seq < to; seq++ {
		err := s.Send(t.Context(), record(seq, 10))
		if err != nil {
			t.Fatal(err)
		}
	}
}

var syslogHeader = regexp.MustCompile(`^<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) (\S+) (\S+) (\S+) - (\x{FEFF}?)(<\?xml .*)$`)

// WRD-AUD-15: messages of RFC 5424 in the frames of RFC 5425, with the priorities
// of ITI TF-2 3.20.4.1.2, in order; the end is confirmed.
func TestMessagesAreSentInOrder(t *testing.T) {
	p := newPKI(t)
	c := newCollector(t, p.serverConfig(), all)
	s := newSender(t, p, c.address, nil)
	samples := eventtest.Samples()
	for _, sample := range samples {
		err := s.Send(t.Context(), sample.Record)
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.Resume() != 0 {
		t.Errorf("before the end Resume gives %d", s.Resume())
	}
	err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	if s.Resume() != int64(len(samples)) {
		t.Errorf("after the end Resume gives %d", s.Resume())
	}
	if len(c.messages) != 1 || len(c.messages[0]) != len(samples) || len(c.faults) > 0 {
		t.Fatalf("%d connections, %d messages, faults %q", len(c.messages), len(c.messages[0]), c.faults)
	}
	for i, message := range c.messages[0] {
		sample := samples[i]
		match := syslogHeader.FindStringSubmatch(message)
		if match == nil {
			t.Fatalf("%s: the message is %.100q", sample.Name, message)
		}
		root := parse(t, []byte(match[8]))
		priority := "84"
		if value(child(root, "EventIdentification"), "EventOutcomeIndicator") == "0" {
			priority = "85"
		}
		want := []string{priority, sample.Record.Entry.Time.Format("2006-01-02T15:04:05.000Z"), "ward-1.example.nhs.uk", "ward", "-", atna.MessageDICOM, "\uFEFF"}
		diff := cmp.Diff(want, match[1:8])
		if diff != "" {
			t.Errorf("%s: header (-want +got):\n%s", sample.Name, diff)
		}
	}
}

// Collectors differ in what they want of MSGID and the byte order mark.
func TestTheHeaderCanBeFitted(t *testing.T) {
	p := newPKI(t)
	c := newCollector(t, p.serverConfig(), all)
	s := newSender(t, p, c.address, func(o *atna.Options) {
		o.MessageID, o.OmitBOM, o.App, o.Host = atna.MessageIHE, true, "smsp", ""
	})
	send(t, s, 0, 1)
	err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	match := syslogHeader.FindStringSubmatch(c.messages[0][0])
	if match == nil || match[3] != "-" || match[4] != "smsp" || match[6] != "IHE+RFC-3881" || match[7] != "" {
		t.Errorf("header %q", match)
	}
}

// A collector that hangs up in the middle gets what it may have missed again, in
// order, and nothing is left out.
func TestACollectorThatHangsUpMissesNothing(t *testing.T) {
	p := newPKI(t)
	c := newCollector(t, p.serverConfig(), func(n int) conduct {
		if n < 2 {
			return conduct{read: 5, quiet: n == 0}
		}
		return conduct{read: readAll}
	})
	s := newSender(t, p, c.address, func(o *atna.Options) { o.Attempts = 10 })
	for seq := range int64(40) {
		if (seq == 10 || seq == 20) && len(c.sequences()) < 3 {
			atna.AwaitEnd(s) // of a connection over which the collector read five
		}
		err := s.Send(t.Context(), record(seq, 10))
		if err != nil {
			t.Fatal(err)
		}
	}
	err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	sequences := c.sequences()
	var want []int64
	for seq := range int64(40) {
		want = append(want, seq)
	}
	diff := cmp.Diff([][]int64{want[:5], want[:5], want}, sequences)
	if diff != "" {
		t.Errorf("sequence numbers of each connection (-want +got):\n%s", diff)
	}
	if s.Resume() != 40 {
		t.Errorf("Resume gives %d", s.Resume())
	}
}

// A collector that is gone at the end, says nothing or is late is not taken for one
// that has read everything.
func TestAnEndThatIsNotConfirmedIsAnError(t *testing.T) {
	tests := []struct {
		name string
		how  conduct
		wait time.Duration // for the collector's farewell
	}{
		{"gone without a word", conduct{read: 2, quiet: true}, time.Minute},
		{"gone in order, but before we had said that it was all", conduct{read: 2}, time.Minute},
		{"silent at the end", conduct{read: readAll, quiet: true}, time.Minute},
		{"late", conduct{read: readNone}, 200 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPKI(t)
			c := newCollector(t, p.serverConfig(), func(int) conduct { return test.how })
			s := newSender(t, p, c.address, func(o *atna.Options) { o.WriteTimeout = test.wait })
			send(t, s, 7, 9)
			if test.how.read == 2 {
				atna.AwaitEnd(s)
			}
			for range 2 { // asking again does not make it true
				err := s.Close()
				if !errors.Is(err, atna.ErrUnconfirmed) {
					t.Errorf("Close: %v", err)
				}
			}
			if s.Resume() != 7 {
				t.Errorf("Resume gives %d", s.Resume())
			}
		})
	}
}

// A collector that does not read holds the sender up for the time allowed and no
// longer.
func TestASlowCollectorIsGivenUp(t *testing.T) {
	p := newPKI(t)
	c := newCollector(t, p.serverConfig(), func(int) conduct { return conduct{read: readNone} })
	s := newSender(t, p, c.address, func(o *atna.Options) { o.WriteTimeout, o.Attempts = 100*time.Millisecond, 2 })
	began := time.Now()
	var err error
	seq := int64(100)
	for ; err == nil && seq < 100_000; seq++ {
		err = s.Send(t.Context(), record(seq, 8000))
	}
	if err == nil {
		t.Fatal("the collector read nothing and all was sent")
	}
	if time.Since(began) > time.Minute {
		t.Errorf("it took %s", time.Since(began))
	}
	// All that was written to the socket is kept: the collector read none of it.
	if s.Resume() != 100 {
		t.Errorf("Resume gives %d after failing at %d", s.Resume(), seq-1)
	}
	if strings.Contains(err.Error(), "xxx") {
		t.Errorf("the error quotes the entry: %v", err)
	}
	err = s.Close()
	if !errors.Is(err, atna.ErrUnconfirmed) {
		t.Errorf("Close: %v", err)
	}
}

// What is kept to be sent again has a limit.
func TestWhatIsKeptIsBounded(t *testing.T) {
	p := newPKI(t)
	c := newCollector(t, p.serverConfig(), all)
	s := newSender(t, p, c.address, nil)
	const n = 1000 // of about 12 KiB each
	for seq := range int64(n) {
		err := s.Send(t.Context(), record(seq, 8000))
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.Resume() == 0 || s.Resume() > n-100 {
		t.Errorf("Resume gives %d of %d", s.Resume(), n)
	}
	err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.sequences(); len(got) != 1 || len(got[0]) != n || !slices.IsSorted(got[0]) {
		t.Errorf("%d connections", len(got))
	}
}

// The connection is always TLS 1.2 or later, with a collector that is known.
func TestCollectorsThatAreRefused(t *testing.T) {
	p, stranger := newPKI(t), newPKI(t)
	mutual := p.serverConfig()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, p.authority.Pool()
	mutual12 := mutual.Clone()
	mutual12.MaxVersion = tls.VersionTLS12
	old := p.serverConfig()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	tests := []struct {
		name   string
		server *tls.Config
		change func(*atna.Options)
		sent   bool
	}{
		{"a good one", p.serverConfig(), nil, true},
		{"of another authority", stranger.serverConfig(), nil, false},
		{"of another name", p.serverConfig(), func(o *atna.Options) { o.ServerName = "other.example" }, false},
		{"without TLS", nil, nil, false},
		{"of TLS 1.1", old, nil, false},
		{"which asks for a certificate and gets one", mutual, func(o *atna.Options) { o.Certificate = &p.client }, true},
		{"which asks for a certificate and gets none", mutual, nil, false},
		{"which asks for a certificate and gets none, TLS 1.2", mutual12, nil, false},
		{"which gets the certificate of a stranger", mutual, func(o *atna.Options) { o.Certificate = &stranger.client }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCollector(t, test.server, all)
			s := newSender(t, p, c.address, test.change)
			if !test.sent {
				atna.AwaitRefusal(s, 20*time.Second) // it comes much sooner, as a rule
			}
			err := s.Send(t.Context(), record(12, 10))
			if (err == nil) != test.sent {
				t.Fatalf("Send: %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "entry 12 ") {
				t.Errorf("the error does not say which entry: %v", err)
			}
			err = s.Close()
			if err != nil {
				t.Errorf("Close: %v", err)
			}
			got := 0
			for _, numbers := range c.sequences() {
				got += len(numbers)
			}
			if (got == 1) != test.sent {
				t.Errorf("%d messages arrived", got)
			}
		})
	}
}

// A sender goes on after it had given up.
func TestSendCanBeTriedAgain(t *testing.T) {
	p := newPKI(t)
	good := p.serverConfig()
	stranger := newPKI(t).serverConfig()
	tries := 0
	c := newCollector(t, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		tries++
		if tries <= 3 {
			return stranger, nil
		}
		return good, nil
	}}, all)
	s := newSender(t, p, c.address, nil)
	err := s.Send(t.Context(), record(3, 10))
	if err == nil {
		t.Fatal("sent to a stranger")
	}
	send(t, s, 3, 5)
	err = s.Close()
	if err != nil {
		t.Fatal(err)
	}
	last := c.sequences()
	if diff := cmp.Diff([]int64{3, 4}, last[len(last)-1]); diff != "" {
		t.Error(diff)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	p := newPKI(t)
	c := newCollector(t, p.serverConfig(), func(int) conduct { return conduct{read: readNone} })
	s := newSender(t, p, c.address, func(o *atna.Options) {
		o.WriteTimeout, o.Backoff, o.MaxBackoff = 5*time.Minute, 5*time.Minute, 5*time.Minute
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	var err error
	for seq := int64(0); err == nil; seq++ {
		err = s.Send(ctx, record(seq, 8000))
	}
	if time.Since(began) > time.Minute {
		t.Errorf("it took %s: %v", time.Since(began), err)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	p := newPKI(t)
	good := atna.Options{Address: "logs.example:6514", Roots: p.authority.Pool()}
	tests := []struct {
		name   string
		change func(*atna.Options)
		want   string
	}{
		{"no port", func(o *atna.Options) { o.Address = "logs.example" }, "a host and a port"},
		{"no authority", func(o *atna.Options) { o.Roots = nil }, "certificate authority"},
		{"a space in the host name", func(o *atna.Options) { o.Host = "a b" }, "host name"},
		{"a long application's name", func(o *atna.Options) { o.App = strings.Repeat("a", 49) }, "longer than 48"},
		{"a message id that is not ASCII", func(o *atna.Options) { o.MessageID = "é" }, "message id"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := good
			test.change(&o)
			_, err := atna.NewSender(o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("NewSender: %v", err)
			}
		})
	}
}

// The entry that cannot be written is named; nothing is sent for it.
func TestAKindThatIsNotKnownIsNotSent(t *testing.T) {
	p := newPKI(t)
	s := newSender(t, p, "127.0.0.1:1", nil)
	err := s.Send(t.Context(), eventtest.Record(9, audit.Entry{Kind: "other"}))
	if err == nil || !strings.Contains(err.Error(), "entry 9 ") {
		t.Errorf("Send: %v", err)
	}
}
