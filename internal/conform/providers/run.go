package providers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/conform"
)

// Run tries the cases that Selected lists, one after the other, and calls done after
// each. When ctx ends, what is left is not run. The error says in a sentence why there
// can be no run: the endpoint does not let the tester in, or is one of the NHS.
func (s *Suite) Run(ctx context.Context, only string, done func(conform.Result)) (conform.Report, error) {
	err := s.enter(ctx)
	if err != nil && ctx.Err() == nil {
		return conform.Report{}, fmt.Errorf("the run could not be made: %s", failure(err))
	}
	report := conform.Report{Suite: "provider", Subject: s.settings.URL, Tool: s.settings.Tool, Started: time.Now()}
	tell := func(r conform.Result) {
		report.Results = append(report.Results, r)
		done(r)
	}
	w := newWatch()
	lost := false
	for _, t := range trials() {
		switch {
		case !t.Case().matches(only):
		case lost:
			r := result(t.Case())
			r.Got = "the endpoint could no longer be reached"
			tell(r)
		default:
			var r conform.Result
			r, lost = s.try(ctx, t, w)
			tell(r)
			pause(ctx, s.settings.Pause)
		}
	}
	for _, r := range w.results() {
		tell(r)
	}
	report.Finished = time.Now()
	return report, nil
}

// enter connects as the tester and sends a GET, which asks nothing: whether a
// certificate is taken shows in TLS 1.3 only when something comes back. Without it a
// refusal of others would show nothing.
func (s *Suite) enter(ctx context.Context) error {
	line, err := s.settings.dial(ctx, s.endpoint, nil)
	if err != nil {
		return err
	}
	defer line.close()
	head := "GET " + s.endpoint.RequestURI() + " HTTP/1.1\r\nHost: " + s.endpoint.Host + "\r\nConnection: close\r\n\r\n"
	_, err = line.exchange(message{head: head}, s.settings.Timeout)
	return err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// try has one conversation. It reports the endpoint as lost if there was not even a
// connection.
func (s *Suite) try(ctx context.Context, t trial, w *watch) (r conform.Result, lost bool) {
	r = result(t.Case())
	if t.method != "" && t.method != s.settings.AccessMethod {
		r.Got = "it is for clients whose access method is " + t.method
		return r, false
	}
	began := time.Now()
	c := conversation{suite: s, watch: w, id: t.id}
	defer c.end()
	for i, step := range t.steps {
		r.Want = numbered(i, len(t.steps), step.want.String())
		if !t.together {
			c.end()
		}
		told, ok, err := c.take(ctx, step)
		r.Got = numbered(i, len(t.steps), told)
		switch {
		case ctx.Err() != nil:
			r.Status, r.Got = conform.NotRun, "the run was stopped"
		case errors.Is(err, errNotConfigured):
			r.Status, r.Got = conform.NotRun, err.Error()
		case err != nil:
			r.Status, r.Got = conform.Failed, "the case itself is at fault: "+err.Error()
		case ok:
			r.Status = conform.Passed
		case c.lost:
			r.Status = conform.Failed
		default:
			r.Status = notAsWanted(r)
		}
		if r.Status != conform.Passed {
			break
		}
	}
	r.Elapsed = time.Since(began)
	return r, r.Status == conform.Failed && c.lost
}

func result(c Case) conform.Result {
	return conform.Result{ID: c.ID, Group: c.Group, Title: c.Title, Requirements: c.Requirements, Own: c.Own}
}

// notAsWanted is the status of a case in which something else happened.
func notAsWanted(r conform.Result) conform.Status {
	if r.Own {
		return conform.Differs
	}
	return conform.Failed
}

// numbered says which of several messages a text is about.
func numbered(i, n int, text string) string {
	if n == 1 {
		return text
	}
	return fmt.Sprintf("message %d: %s", i+1, text)
}

// conversation is one trial under way.
type conversation struct {
	suite *Suite
	watch *watch
	id    string
	line  *line
	first *slots // of the first message
	lost  bool   // no connection could be made
}

func (c *conversation) end() {
	if c.line != nil {
		c.line.close()
		c.line = nil
	}
}

// take sends one message. An error means that it could not be sent as it was meant;
// otherwise told says what came back, and ok whether that is what was wanted.
func (c *conversation) take(ctx context.Context, s step) (told string, ok bool, err error) {
	settings := c.suite.settings
	d := newDraft()
	if settings.ASID == "" {
		asPerson(d)
	}
	s.change(d)
	number, err := settings.child(s.want.child)
	if err != nil {
		return "", false, err
	}
	fill := settings.newSlots(number)
	if c.first == nil {
		c.first = &fill
	}
	for _, name := range []string{"message", "message in lower case", "tracking"} {
		fill.values["first "+name] = c.first.values[name]
	}
	m, err := d.write(c.suite.endpoint, fill)
	if err != nil {
		return "", false, err
	}
	answer, err := c.send(ctx, d, m)
	if err != nil {
		c.lost = errors.Is(err, errUnreachable)
		return failure(err), s.want.noAnswer && isRefusal(err), nil
	}
	r := read(answer)
	c.watch.see(exchange{trial: c.id, sent: sentOf(m, fill, settings), reply: r})
	return r.told(), s.want.holds(r), nil
}

func (c *conversation) send(ctx context.Context, d *draft, m message) (received, error) {
	if c.line == nil {
		l, err := c.suite.settings.dial(ctx, c.suite.endpoint, d.http.tls)
		if err != nil {
			return received{}, err
		}
		c.line = l
	}
	stop := context.AfterFunc(ctx, c.line.close)
	defer stop()
	answer, err := c.line.exchange(m, c.suite.settings.Timeout)
	if err != nil || answer.closing {
		c.end()
	}
	return answer, err
}

// failure says why there is no HTTP answer.
func failure(err error) string {
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errNHS):
		return errNHS.Error()
	case errors.As(err, &unverified):
		return "the certificate of the endpoint could not be verified"
	case errors.Is(err, errUnreachable):
		return "no connection could be made"
	case isTimeout(err):
		return "no answer in time"
	case isRefusal(err):
		return "no HTTP answer: the connection was refused or ended"
	default:
		return "the exchange failed on this side, or what came back is no HTTP"
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// isRefusal reports whether the other side has ended the connection, by an alert of TLS
// or by closing it. What this side did not like is no refusal.
func isRefusal(err error) bool {
	var alert *net.OpError
	if errors.As(err, &alert) && alert.Op == "remote error" {
		return true
	}
	return slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE}, func(end error) bool { return errors.Is(err, end) })
}

// child is the number to ask about. What must be refused is, if possible, about a
// child without a record: if it is asked all the same, nobody is notified.
func (s Settings) child(code string) (string, error) {
	wanted := []string{code}
	if code == "" {
		wanted = []string{"CPIS-0001", "SMSP-0000", "SMSP-0002", "SMSP-0004", "SMSP-0005", "SMSP-9999", "CPIS-9999"}
	}
	for _, c := range wanted {
		number, ok := s.Children[cpis.Code(c)]
		if ok {
			return number.Digits(), nil
		}
	}
	if code == "" {
		code = "any code"
	}
	return "", fmt.Errorf("%w child with %s", errNotConfigured, code)
}

// sent is what a reply is compared with.
type sent struct {
	messageID    string // as it was written
	uuid         string // in it, in upper case
	ids          []string
	number       string
	names        []string // words in lower case that no fault may repeat
	organisation string
	provider     string
	takesGzip    bool
}

// words are the words of a text in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
}

var anyUUID = regexp.MustCompile(`(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

var writtenMessageID = regexp.MustCompile(`:?MessageID(?:\s[^>]*)?>\s*([^<]*?)\s*<`)

func sentOf(m message, fill slots, s Settings) sent {
	x := sent{number: fill.values["number"], organisation: s.Organisation, provider: s.Provider, takesGzip: m.takesGzip()}
	written := writtenMessageID.FindStringSubmatch(m.content)
	if written != nil {
		x.messageID = written[1]
		x.uuid = strings.ToUpper(anyUUID.FindString(x.messageID))
	}
	for _, name := range []string{"message", "stamp", "tracking", "payload", "event", "other"} {
		x.ids = append(x.ids, fill.values[name])
	}
	for _, part := range s.Name.Parts {
		if part.Kind != "prefix" && part.Kind != "suffix" {
			x.names = append(x.names, words(part.Text)...)
		}
	}
	return x
}
