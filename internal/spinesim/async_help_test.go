package spinesim_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/testpki"
)

// poster is the certificate under which the simulator posts replies.
var poster = sync.OnceValue(func() testpki.Pair {
	pair, err := pki().authority.Issue(testpki.Request{CommonName: "poster.spine.test", Client: true})
	if err != nil {
		panic(err)
	}
	return pair
})

// posted is one POST as it arrived at an inbox.
type posted struct {
	header http.Header
	host   string
	client string // common name of its certificate
	body   string
	err    error // of reading the body
}

// inbox is a client's own endpoint for replies.
type inbox struct {
	server *httptest.Server
	answer func(n int, p posted, w http.ResponseWriter) // nil for 202; n counts from 1
	got    chan posted

	mu  sync.Mutex
	all []posted
}

func newInbox(t testing.TB) *inbox {
	t.Helper()
	b := &inbox{got: make(chan posted, 10_000)}
	b.server = httptest.NewUnstartedServer(b)
	b.server.TLS = &tls.Config{
		Certificates: []tls.Certificate{pki().server.TLSCertificate()},
		ClientCAs:    pki().authority.Pool(),
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}
	b.server.StartTLS()
	t.Cleanup(b.server.Close)
	return b
}

func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	p := posted{header: r.Header, host: r.Host, client: r.TLS.PeerCertificates[0].Subject.CommonName, body: string(body), err: err}
	b.mu.Lock()
	b.all = append(b.all, p)
	n := len(b.all)
	b.mu.Unlock()
	if b.answer != nil {
		b.answer(n, p, w)
	} else {
		w.WriteHeader(202)
	}
	b.got <- p
}

func (b *inbox) url() string { return b.server.URL + "/responsehandler/" }

// next waits for a POST.
func (b *inbox) next(t testing.TB) posted {
	t.Helper()
	select {
	case p := <-b.got:
		return p
	case <-time.After(patient):
		t.Fatal("no reply was posted")
		return posted{}
	}
}

func (b *inbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all)
}

// startAsync runs a simulator that posts to the inboxes.
func startAsync(t testing.TB, change func(*spinesim.Config), boxes ...*inbox) *spinesim.Simulator {
	t.Helper()
	return start(t, func(c *spinesim.Config) {
		c.ReplyCertificate = poster().TLSCertificate()
		for _, b := range boxes {
			c.ReplyURLs = append(c.ReplyURLs, b.url())
		}
		if change != nil {
			change(c)
		}
	})
}

// settle waits until no reply is on its way.
func settle(t testing.TB, s *spinesim.Simulator) {
	t.Helper()
	for end := time.Now().Add(patient); s.PendingReplies() > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d replies are still on their way", s.PendingReplies())
		}
	}
}

// ebRequest is an ebXML message around a query. Zero fields have good values.
type ebRequest struct {
	query
	messageID, conversation string
	inMessageHeader         string // elements beside those that every message has
	inHeader                string
	rewrite                 func(message string) string // of the whole body
	contentType             string
	soapAction              string
}

const (
	syncReplyElement = `<eb:SyncReply eb:version="2.0" SOAP:mustUnderstand="1" SOAP:actor="http://schemas.xmlsoap.org/soap/actor/next"/>`
	ackElement       = `<eb:AckRequested eb:version="2.0" SOAP:mustUnderstand="1" SOAP:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH" eb:signed="false"/>`
	eliminateElement = `<eb:DuplicateElimination/>`
	ebContentType    = `multipart/related; boundary="--=_MIME-Boundary"; type="text/xml"; start="<ebXMLHeader@spine.nhs.uk>"`
)

func (r ebRequest) withDefaults() ebRequest {
	r.query = r.query.withDefaults()
	if r.messageID == "" {
		r.messageID = newID()
	}
	if r.conversation == "" {
		r.conversation = newID()
	}
	if r.inHeader == "" {
		r.inHeader = syncReplyElement
	}
	if r.contentType == "" {
		r.contentType = ebContentType
	}
	if r.soapAction == "" {
		r.soapAction = queryAction
	}
	return r
}

// body is the message, its lines ended as MIME wants it.
func (r ebRequest) body() string {
	soap := r.query.xml()
	_, hl7, _ := strings.Cut(soap, "<s:Body>")
	hl7, _, _ = strings.Cut(hl7, "</s:Body>")
	message := strings.Join([]string{
		"----=_MIME-Boundary",
		"Content-Id: <ebXMLHeader@spine.nhs.uk>",
		"Content-Type: text/xml; charset=UTF-8",
		"Content-Transfer-Encoding: 8bit",
		"",
		`<?xml version="1.0" encoding="UTF-8"?><SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/" xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:hl7ebxml="urn:hl7-org:transport/ebXML/DSTUv1.0"><SOAP:Header>` +
			`<eb:MessageHeader eb:version="2.0" SOAP:mustUnderstand="1"><eb:From><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">RXX-0000001</eb:PartyId></eb:From>` +
			`<eb:To><eb:PartyId eb:type="urn:nhs:names:partyType:ocs+serviceInstance">YES-0000806</eb:PartyId></eb:To>` +
			`<eb:CPAId>S928942A912345</eb:CPAId><eb:ConversationId>` + r.conversation + `</eb:ConversationId>` +
			`<eb:Service>urn:nhs:names:services:cpisquery</eb:Service><eb:Action>QUPC_IN000006GB01</eb:Action>` +
			`<eb:MessageData><eb:MessageId>` + r.messageID + `</eb:MessageId><eb:Timestamp>2026-03-01T09:30:01Z</eb:Timestamp></eb:MessageData>` +
			r.inMessageHeader + `</eb:MessageHeader>` + r.inHeader + `</SOAP:Header><SOAP:Body>` +
			`<eb:Manifest eb:version="2.0"><eb:Reference xlink:href="cid:` + r.messageID + `@spine.nhs.uk"><eb:Schema eb:location="http://www.nhsia.nhs.uk/schemas/HL7-Message.xsd" eb:version="1.0"/><eb:Description xml:lang="en">HL7</eb:Description><hl7ebxml:Payload style="HL7" encoding="XML" version="3.0"/></eb:Reference></eb:Manifest>` +
			`</SOAP:Body></SOAP:Envelope>`,
		"----=_MIME-Boundary",
		"Content-Id: <" + r.messageID + "@spine.nhs.uk>",
		"Content-Type: application/xml; charset=UTF-8",
		"Content-Transfer-Encoding: 8bit",
		"",
		hl7,
		"----=_MIME-Boundary--",
		"",
	}, "\r\n")
	if r.rewrite != nil {
		message = r.rewrite(message)
	}
	return message
}

// send posts the request and reads the immediate answer to its end.
func (r ebRequest) send(c *http.Client, s *spinesim.Simulator) (*http.Response, []byte, error) {
	r = r.withDefaults()
	request, err := http.NewRequest(http.MethodPost, s.AsyncURL(), strings.NewReader(r.body()))
	if err != nil {
		return nil, nil, err
	}
	request.GetBody = nil // never sent twice
	request.Header["SOAPAction"] = []string{r.soapAction}
	request.Header.Set("Content-Type", r.contentType)
	answer, err := c.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

// askAsync sends the request, whose immediate answer must come.
func askAsync(t testing.TB, s *spinesim.Simulator, c *http.Client, r ebRequest) reply {
	t.Helper()
	answer, body, err := r.send(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return readReply(t, answer, body)
}

// ebReply is a posted reply taken apart by the rules of MIME, by this test alone.
type ebReply struct {
	envelope, payload reply
	partHeads         []string
}

func takeApart(t testing.TB, p posted) ebReply {
	t.Helper()
	if p.err != nil {
		t.Fatal(p.err)
	}
	_, after, found := strings.Cut(p.header.Get("Content-Type"), `boundary="`)
	delimiter, _, _ := strings.Cut(after, `"`)
	pieces := strings.Split("\r\n"+p.body, "\r\n--"+delimiter)
	if !found || len(pieces) != 4 || pieces[0] != "" || strings.TrimRight(pieces[3], "\r\n") != "--" {
		t.Fatalf("not two parts between delimiters of %s: %.300s", p.header.Get("Content-Type"), p.body)
	}
	var r ebReply
	for i, part := range pieces[1:3] {
		head, content, found := strings.Cut(part, "\r\n\r\n")
		if !found {
			t.Fatalf("part %d has no end of its header: %.200s", i+1, part)
		}
		r.partHeads = append(r.partHeads, head)
		x := reply{body: []byte(content)}
		x.xmlErr = strictXML(x.body, &x.root)
		if i == 0 {
			r.envelope = x
		} else {
			r.payload = x
		}
	}
	return r
}
