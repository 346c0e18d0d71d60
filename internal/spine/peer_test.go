package spine_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/spine"
	"github.com/wardsmsp/ward/internal/testpki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pki is made once: keys are the slow part of a test.
var pki = sync.OnceValue(func() (p struct {
	authority      *testpki.Authority
	server, client tls.Certificate
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	p.authority, err = testpki.New(time.Now())
	must(err)
	server, err := p.authority.Issue(testpki.Request{CommonName: "spine.test", DNSNames: []string{"spine.test"}, Server: true})
	must(err)
	client, err := p.authority.Issue(testpki.Request{CommonName: "ward.test", Client: true})
	must(err)
	p.server, p.client = server.TLSCertificate(), client.TLSCertificate()
	return p
})

func serverTLS() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{pki().server},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pki().authority.Pool(),
		MaxVersion:   tls.VersionTLS12,
	}
}

// peer is a Spine of which a test decides every byte.
type peer struct {
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	open     map[net.Conn]bool
	accepted int
	most     int      // open at a time
	ids      []string // of the questions that were read whole
}

// visit is one connection to a peer; n counts from 1.
type visit struct {
	peer     *peer
	n        int
	raw      *net.TCPConn
	gathered *gathering
	tls      *tls.Conn
	reader   *bufio.Reader
}

// patience is a limit that is not reached where all goes well, however slow the machine.
const patience = 30 * time.Second

// newPeer runs serve for every connection until the test ends.
func newPeer(t *testing.T, serve func(*visit)) *peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{listener: listener, open: map[net.Conn]bool{}}
	p.running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			v := p.visit(c.(*net.TCPConn))
			p.running.Go(func() {
				defer p.leave(c)
				serve(v)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.mu.Lock()
		for c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p
}

func (p *peer) visit(c *net.TCPConn) *visit {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted++
	p.open[c] = true
	p.most = max(p.most, len(p.open))
	g := &gathering{Conn: c}
	return &visit{peer: p, n: p.accepted, raw: c, gathered: g, tls: tls.Server(g, serverTLS())}
}

func (p *peer) leave(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// seen is how many connections there were, how many at a time, and the ids of the
// questions.
func (p *peer) seen() (accepted, most int, ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted, p.most, append([]string(nil), p.ids...)
}

var messageID = regexp.MustCompile(`<wsa:MessageID>uuid:([0-9A-F-]{36})</wsa:MessageID>`)

// read returns the id of the next question, or "" if none comes whole.
func (v *visit) read() string {
	if v.reader == nil {
		v.reader = bufio.NewReader(v.tls)
	}
	request, err := http.ReadRequest(v.reader)
	if err != nil {
		return ""
	}
	body, err := io.ReadAll(request.Body)
	found := messageID.FindSubmatch(body)
	if err != nil || found == nil {
		return ""
	}
	id := string(found[1])
	v.peer.mu.Lock()
	defer v.peer.mu.Unlock()
	v.peer.ids = append(v.peer.ids, id)
	return id
}

func (v *visit) write(parts ...string) {
	for _, part := range parts {
		io.WriteString(v.tls, part)
	}
}

// answers answers questions until the connection ends.
func (v *visit) answers() {
	for id := v.read(); id != ""; id = v.read() {
		v.write(reply(notFound(id)))
	}
}

// gone waits until the other side has closed.
func (v *visit) gone() { io.Copy(io.Discard, v.raw) }

// notFound is a failed query that means no record, and that says what it answers
// unless id is empty.
func notFound(id string) string {
	header := ""
	if id != "" {
		header = `<e:Header><a:RelatesTo xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">uuid:` + id + `</a:RelatesTo></e:Header>`
	}
	return `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">` + header +
		`<e:Body><QUQI_IN010000UK14 xmlns="urn:hl7-org:v3"><acknowledgement typeCode="AE"/><ControlActEvent><reason>` +
		`<justifyingDetectedIssueEvent><code code="1"/></justifyingDetectedIssueEvent></reason></ControlActEvent>` +
		`</QUQI_IN010000UK14></e:Body></e:Envelope>`
}

// reply is a whole HTTP response around a body.
func reply(body string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// route is the synchronous one to this peer.
func (p *peer) route() spine.Fixed {
	return spine.Fixed{Endpoint: &url.URL{Scheme: "https", Host: p.listener.Addr().String(), Path: "/query"}, ToASID: "999000444666"}
}

// correlation is that of every question.
const correlation = "C0000000-0000-4000-8000-000000000001"

// client asks a peer, within limits that a test may change.
func (p *peer) client(t *testing.T, change func(*spine.Config)) *spine.Client {
	t.Helper()
	config := spine.Config{
		Routes: p.route(),
		TLS: &tls.Config{
			Certificates: []tls.Certificate{pki().client},
			RootCAs:      pki().authority.Pool(),
			ServerName:   "spine.test",
			MinVersion:   tls.VersionTLS12,
		},
		FromASID: "999000444555", VersionCode: "3NPfIT6.2.01",
		Rules:            cpis.DefaultRules(),
		ConnectTimeout:   patience,
		WriteTimeout:     patience,
		FirstByteTimeout: patience,
		IdleTimeout:      time.Minute,
		MaxConnections:   4,
		MaxReply:         64 << 10,
		Now:              time.Now,
	}
	if change != nil {
		change(&config)
	}
	c := spine.New(config)
	t.Cleanup(c.Close)
	return c
}

func newID() string { return strings.ToUpper(uuid.NewString()) }

func question(t *testing.T) cpis.Query {
	t.Helper()
	number, err := cpis.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	return cpis.Query{
		ID:   newID(),
		Time: cpis.Moment{Written: "20260314092653+0000"},
		Author: cpis.System{
			ASID:        "999000444555",
			Maintaining: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RZZ99"}, Name: "Hazelbrook Hospital"},
		},
		Number: number,
	}
}

// asked is how a question ended.
type asked struct {
	Outcome  cpis.Outcome
	Notified cpis.Notified
	Reason   string
	Used     int
}

// ask asks with two ids, so that a second attempt is possible whenever the client
// thinks that it is allowed.
func ask(t *testing.T, c *spine.Client) asked {
	t.Helper()
	return askWithin(t, c, patience)
}

// askUntil asks with time enough, and ends the question when over says so.
func askUntil(t *testing.T, c *spine.Client, over func() bool) asked {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q, answered := question(t), make(chan asked, 1)
	go func() {
		answer, used := c.Ask(ctx, correlation, q, []string{newID(), newID()})
		answered <- asked{answer.Outcome(), answer.Notified(), answer.Reason(), used}
	}()
	for !over() {
		select {
		case got := <-answered:
			return got
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	return <-answered
}

// sent says whether so many questions were read and no more is being sent.
func (p *peer) sent(c *spine.Client, questions int) func() bool {
	return func() bool {
		_, _, ids := p.seen()
		return len(ids) >= questions && c.Load().Connections == 0
	}
}

// never is for questions that end by themselves.
func never() bool { return false }

func askWithin(t *testing.T, c *spine.Client, limit time.Duration) asked {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	answer, used := c.Ask(ctx, correlation, question(t), []string{newID(), newID()})
	return asked{answer.Outcome(), answer.Notified(), answer.Reason(), used}
}

// together sends each part as a TLS record of its own, all of them in one piece.
func (v *visit) together(parts ...string) {
	v.gathered.hold = true
	v.write(parts...)
	v.gathered.hold = false
	v.raw.Write(v.gathered.held)
}

// gathering is a connection that can hold back what is written.
type gathering struct {
	net.Conn
	hold bool
	held []byte
}

func (g *gathering) Write(b []byte) (int, error) {
	if g.hold {
		g.held = append(g.held, b...)
		return len(b), nil
	}
	return g.Conn.Write(b)
}
