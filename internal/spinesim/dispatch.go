package spinesim

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Limits of posting.
const (
	maxWaiting      = 10_000    // replies on their way at a time
	maxWaitingBytes = 256 << 20 // of them together
	maxReplyURLs    = 100
	maxPostAnswer   = 64 << 10
	connectTimeout  = 5 * time.Second
	answerTimeout   = 30 * time.Second
	waitAtMost      = time.Hour // by chaos
)

// dispatch posts replies. Each is a goroutine of its own from its composition to its
// end, and a connection of its own. Safe for concurrent use.
type dispatch struct {
	tls *tls.Config
	log func(Reply)     // keeps the evidence
	cut context.Context // ends when what is still under way must end

	mu        sync.Mutex
	targets   []*url.URL
	always    int // 0 for in turn, else the nth
	turn      int
	waiting   int
	bytes     int
	held      []*held
	forgotten chan struct{} // closed and replaced by forget
}

// held is a reply that others overtake.
type held struct {
	left int
	free chan struct{}
}

func newDispatch(cfg Config, authorities *x509.CertPool, cut context.Context, log func(Reply)) *dispatch {
	return &dispatch{
		tls: &tls.Config{
			Certificates:       []tls.Certificate{cfg.ReplyCertificate},
			RootCAs:            authorities,
			MinVersion:         tls.VersionTLS12,
			MaxVersion:         cfg.MaxTLSVersion,
			NextProtos:         []string{"http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(maxReplyURLs),
		},
		log:       log,
		cut:       cut,
		forgotten: make(chan struct{}),
	}
}

// SetReplyURLs replaces the places to which replies are posted from now on, each in
// turn; none is allowed, then replies go nowhere. It returns an error for a URL that is
// not https, is under a domain of the NHS, or is not on this machine unless
// AllowNonLoopback is set, and for more than 100.
func (s *Simulator) SetReplyURLs(urls ...string) error {
	return s.setReplies(urls, 0)
}

func (s *Simulator) setReplies(urls []string, always int) error {
	targets, err := replyTargets(s.cfg, urls)
	if err != nil {
		return err
	}
	if always < 0 || always > len(targets) {
		return fmt.Errorf("there is no reply URL %d", always)
	}
	d := s.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	d.targets, d.always, d.turn = targets, always, 0
	return nil
}

// SetReplyTo sends all replies to the nth URL, or with 0 to each in turn. It returns an
// error if there is no such URL.
func (s *Simulator) SetReplyTo(n int) error {
	d := s.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	if n < 0 || n > len(d.targets) {
		return fmt.Errorf("there is no reply URL %d", n)
	}
	d.always = n
	return nil
}

// ReplyURLs lists the places to which replies are posted.
func (s *Simulator) ReplyURLs() []string {
	s.dispatch.mu.Lock()
	defer s.dispatch.mu.Unlock()
	list := make([]string, 0, len(s.dispatch.targets))
	for _, u := range s.dispatch.targets {
		list = append(list, u.String())
	}
	return list
}

// PendingReplies is how many replies are on their way: kept back, held, or being posted.
func (s *Simulator) PendingReplies() int {
	s.dispatch.mu.Lock()
	defer s.dispatch.mu.Unlock()
	return s.dispatch.waiting
}

// post sends a reply on its way, which begins at release; nil is none.
func (s *Simulator) post(r *reply) (release func()) {
	if r == nil {
		return func() {}
	}
	s.mu.Lock()
	start := !s.closing && s.dispatch.admit(r)
	if start {
		s.running.Add(1)
	}
	s.mu.Unlock()
	if !start {
		r.Fate = Forgotten
		s.evidence.recordReply(r.Reply)
		return func() {}
	}
	return func() {
		go func() {
			defer s.running.Done()
			s.dispatch.carry(r, s.done)
		}()
	}
}

// admit counts a reply in; false if too many are on their way.
func (d *dispatch) admit(r *reply) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting == maxWaiting || d.bytes+len(r.body) > maxWaitingBytes {
		return false
	}
	r.stop = d.forgotten
	d.waiting++
	d.bytes += len(r.body)
	return true
}

// carry is a reply's whole way. It ends early when done is closed, or the dispatch
// forgets.
func (d *dispatch) carry(r *reply, done <-chan struct{}) {
	pause := func(t time.Duration, free <-chan struct{}) bool {
		timer := time.NewTimer(t)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-free:
			return true
		case <-r.stop:
		case <-done:
		}
		return false
	}
	r.Fate = d.deliver(r, pause)
	d.log(r.Reply)
	d.mu.Lock()
	d.waiting--
	d.bytes -= len(r.body)
	d.mu.Unlock()
}

// deliver keeps the reply back as it should be, posts it, and says how it ended.
func (d *dispatch) deliver(r *reply, pause func(time.Duration, <-chan struct{}) bool) Fate {
	if r.Chaos == Lose {
		return Lost
	}
	if r.Delay > 0 && !pause(r.Delay, nil) {
		return Forgotten
	}
	if r.holdFor > 0 && !pause(r.holdAtMost, d.hold(r.holdFor)) {
		return Forgotten
	}
	fate := Nowhere
	for range r.times {
		for attempt := range 1 + r.retries {
			if attempt > 0 && !pause(r.retryInterval, nil) {
				return Forgotten
			}
			target := d.target()
			if target == nil {
				return Nowhere
			}
			p := d.try(r, target, func(t time.Duration) bool { return pause(t, nil) })
			r.Posts = append(r.Posts, p)
			fate = Failed
			if p.Status/100 == 2 && (p.Acknowledged || !r.mustAck) {
				fate = Delivered
				break
			}
		}
	}
	if r.holdFor == 0 {
		d.overtake()
	}
	return fate
}

// target is the next place to post to, nil for none.
func (d *dispatch) target() *url.URL {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(d.targets) == 0:
		return nil
	case d.always > 0:
		return d.targets[d.always-1]
	}
	t := d.targets[d.turn%len(d.targets)]
	d.turn++
	return t
}

// hold returns what is closed once that many replies have gone.
func (d *dispatch) hold(count int) <-chan struct{} {
	h := &held{left: count, free: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = append(d.held, h)
	return h.free
}

// overtake counts a reply that went; those whose count is complete are free.
func (d *dispatch) overtake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	still := d.held[:0]
	for _, h := range d.held {
		h.left--
		if h.left == 0 {
			close(h.free)
			continue
		}
		still = append(still, h)
	}
	clear(d.held[len(still):])
	d.held = still
}

// forget ends all replies that wait.
func (d *dispatch) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.forgotten)
	d.forgotten = make(chan struct{})
	d.held = nil
}

// try posts a reply once, over a connection of its own.
func (d *dispatch) try(r *reply, target *url.URL, pause func(time.Duration) bool) Post {
	p := Post{Time: time.Now().UTC(), URL: target.String()}
	fail := func(doing string, err error) Post {
		p.Error = doing + ": " + err.Error()
		return p
	}
	ctx, cancel := context.WithTimeout(d.cut, connectTimeout)
	defer cancel()
	dialer := tls.Dialer{Config: d.tls}
	raw, err := dialer.DialContext(ctx, "tcp", hostPort(target))
	if err != nil {
		return fail("connect", err)
	}
	defer raw.Close()
	defer context.AfterFunc(d.cut, func() { raw.Close() })()
	c := &line{conn: raw, pause: pause}
	write := r.way
	if write == nil {
		write = writePost
	}
	raw.SetDeadline(time.Now().Add(writeTimeout))
	err = write(c, postHead(r, target), r.body, r.step)
	if err != nil {
		return fail("write", err)
	}
	raw.SetDeadline(time.Now().Add(answerTimeout))
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(raw, maxPostAnswer)), nil)
	if err != nil {
		return fail("read the answer", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fail("read the answer", err)
	}
	p.Status = answer.StatusCode
	p.Acknowledged = acknowledges(answer.Header.Get("Content-Type"), body, r.MessageID)
	return p
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func postHead(r *reply, target *url.URL) []byte {
	head := "POST " + target.RequestURI() + " HTTP/1.1\r\nHost: " + target.Host +
		"\r\n" + SimulatorHeader + ": " + simulatorHeaderValue +
		"\r\nSOAPAction: \"" + service + "/" + r.Action + "\"" +
		"\r\nContent-Type: " + r.contentType +
		"\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(r.body)) + "\r\n\r\n"
	return []byte(head)
}

// line is a connection on which a reply is posted.
type line struct {
	conn  net.Conn
	pause func(time.Duration) bool // false when waiting must end
}

// way puts a POST on the line; an error means that no answer is to be read.
type way func(c *line, head, body []byte, step Step) error

var errOnPurpose = errors.New("cut off on purpose")

// writePost writes a POST as it should be.
func writePost(c *line, head, body []byte, _ Step) error {
	_, err := c.conn.Write(append(head, body...))
	return err
}

// cutPost promises the whole body, sends half of it, and closes.
func cutPost(c *line, head, body []byte, step Step) error {
	err := writePost(c, head, body[:len(body)/2], step)
	return errors.Join(err, errOnPurpose)
}

// stallPostAfterHeaders sends the headers and then nothing.
func stallPostAfterHeaders(c *line, head, _ []byte, step Step) error {
	err := writePost(c, head, nil, step)
	c.pause(orDefault(step.Delay, stallLimit))
	return errors.Join(err, errOnPurpose)
}

// stallPostInBody sends half of the body and then nothing.
func stallPostInBody(c *line, head, body []byte, step Step) error {
	err := writePost(c, head, body[:len(body)/2], step)
	c.pause(orDefault(step.Delay, stallLimit))
	return errors.Join(err, errOnPurpose)
}

// dripPost sends 64 bytes every quarter of a second, or as often as the step says.
func dripPost(c *line, head, body []byte, step Step) error {
	rest := append(head, body...)
	for len(rest) > 0 {
		piece := rest[:min(64, len(rest))]
		rest = rest[len(piece):]
		c.conn.SetDeadline(time.Now().Add(writeTimeout))
		_, err := c.conn.Write(piece)
		if err != nil {
			return err
		}
		if !c.pause(orDefault(step.Delay, 250*time.Millisecond)) {
			return errOnPurpose
		}
	}
	return nil
}
