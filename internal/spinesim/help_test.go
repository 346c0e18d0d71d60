package spinesim_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/testpki"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// pki is made once: keys are the slow part of a test.
var pki = sync.OnceValue(func() (p struct {
	authority, stranger *testpki.Authority
	server, client      testpki.Pair
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	p.authority, err = testpki.New(time.Now())
	must(err)
	p.stranger, err = testpki.New(time.Now())
	must(err)
	p.server, err = p.authority.Issue(testpki.Request{CommonName: "spine.test", DNSNames: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true})
	must(err)
	p.client, err = p.authority.Issue(clientRequest())
	must(err)
	return p
})

func clientRequest() testpki.Request {
	return testpki.Request{CommonName: "ward.test", Client: true}
}

// testConfig is a configuration that starts.
func testConfig() spinesim.Config {
	return spinesim.Config{
		Certificate: pki().server.TLSCertificate(),
		ClientCAs:   pki().authority.RootPEM(),
	}
}

// start runs a simulator until the test ends.
func start(t testing.TB, change func(*spinesim.Config)) *spinesim.Simulator {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	s, err := spinesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		err := s.Close(ctx)
		if err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func clientTLS() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{pki().client.TLSCertificate()},
		RootCAs:      pki().authority.Pool(),
	}
}

// newClient is an HTTP client over mutual TLS that follows no redirect.
func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{TLSClientConfig: clientTLS(), MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       2 * patient,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// query is what a request is built from. Zero fields have good values.
type query struct {
	number  string
	hl7ID   string
	queryID string
	time    string

	person     string // user id; empty for a system author
	profile    string
	asid       string
	ods, place string
	replyTo    string
}

var idCounter struct {
	sync.Mutex
	n int
}

// newID is an upper-case UUID that no other call returned.
func newID() string {
	idCounter.Lock()
	defer idCounter.Unlock()
	idCounter.n++
	return fmt.Sprintf("00000000-0000-4000-8000-%012X", idCounter.n)
}

func (q query) withDefaults() query {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&q.number, "9990000018")
	def(&q.hl7ID, newID())
	def(&q.queryID, newID())
	def(&q.time, time.Now().UTC().Format("20060102150405")+"+0000")
	def(&q.profile, q.person+"9")
	def(&q.asid, "200000000183")
	def(&q.ods, "RXX")
	def(&q.place, "TESTING NHS TRUST")
	def(&q.replyTo, "https://ward.test/reply")
	return q
}

func (q query) author() string {
	if q.person != "" {
		return `<npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145102GB01#AssignedAuthor"/>` +
			`<COCT_TP145102GB01.AssignedAuthor><code code="R0260" displayName="General Medical Practitioner" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.196"/>` +
			`<id root="1.2.826.0.1285.0.2.0.65" extension="` + q.person + `"/><id root="1.2.826.0.1285.0.2.0.67" extension="` + q.profile + `"/>` +
			`<assignedAuthorPerson><name use="L"><prefix>Dr</prefix><given>Ada</given><family>Tester</family></name></assignedAuthorPerson>` +
			`<representedOrganization><id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="` + q.ods + `"/><name>` + q.place + `</name></representedOrganization>` +
			`</COCT_TP145102GB01.AssignedAuthor>`
	}
	return `<npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145104GB01#System"/>` +
		`<COCT_TP145104GB01.System><id root="1.2.826.0.1285.0.2.0.107" extension="` + q.asid + `"/>` +
		`<indirectAuthority><superiorAssignedEntity><code code="R0580" displayName="Nurse Manager" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.196"/>` +
		`<assignedPerson><name><prefix>Ms</prefix><given>Una</given><family>Lead</family></name></assignedPerson></superiorAssignedEntity></indirectAuthority>` +
		`<maintainingOrganization><id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="` + q.ods + `"/><name>` + q.place + `</name></maintainingOrganization>` +
		`</COCT_TP145104GB01.System>`
}

// xml is the request as the Spine wants it.
func (q query) xml() string {
	q = q.withDefaults()
	device := func(asid string) string {
		return `<device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.826.0.1285.0.2.0.107" extension="` + asid + `"/></device>`
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:hl7="urn:hl7-org:v3"><s:Header>` +
		`<wsa:MessageID>uuid:` + q.hl7ID + `</wsa:MessageID>` +
		`<wsa:Action>urn:nhs:names:services:cpisquery/QUPC_IN000006GB01</wsa:Action>` +
		`<wsa:To>https://spine.test/sync-service</wsa:To>` +
		`<wsa:From><wsa:Address>https://ward.test</wsa:Address></wsa:From>` +
		`<hl7:communicationFunctionRcv><hl7:device><hl7:id root="1.2.826.0.1285.0.2.0.107" extension="928942012545"/></hl7:device></hl7:communicationFunctionRcv>` +
		`<hl7:communicationFunctionSnd><hl7:device><hl7:id root="1.2.826.0.1285.0.2.0.107" extension="` + q.asid + `"/></hl7:device></hl7:communicationFunctionSnd>` +
		`<wsa:ReplyTo><wsa:Address>` + q.replyTo + `</wsa:Address></wsa:ReplyTo></s:Header><s:Body>` +
		`<QUPC_IN000006GB01 xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation"><id root="` + q.hl7ID + `"/>` +
		`<creationTime value="20260301093001"/><versionCode code="v3INF_DMSv5.7:FIN"/>` +
		`<interactionId root="2.16.840.1.113883.2.1.3.2.4.12" extension="QUPC_IN000006GB01"/>` +
		`<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="NE"/>` +
		`<communicationFunctionRcv typeCode="RCV">` + device("928942012545") + `</communicationFunctionRcv>` +
		`<communicationFunctionSnd typeCode="SND">` + device(q.asid) + `</communicationFunctionSnd>` +
		`<ControlActEvent classCode="CACT" moodCode="EVN"><author1 typeCode="AUT"><AgentSystemSDS classCode="AGNT"><agentSystemSDS classCode="DEV" determinerCode="INSTANCE"><id root="1.2.826.0.1285.0.2.0.107" extension="` + q.asid + `"/></agentSystemSDS></AgentSystemSDS></author1>` +
		`<subject typeCode="SUBJ"><CP-ISQueryStub><cP-ISNHSQuery><effectiveTime value="` + q.time + `"/><id root="` + q.queryID + `"/><author>` + q.author() + `</author>` +
		`<queryByParameter><person.NHSnumber><value extension="` + q.number + `"/></person.NHSnumber></queryByParameter></cP-ISNHSQuery></CP-ISQueryStub></subject>` +
		`</ControlActEvent></QUPC_IN000006GB01></s:Body></s:Envelope>`
}

const queryAction = "urn:nhs:names:services:cpisquery/QUPC_IN000006GB01"

// post sends a document as a query and reads the reply to its end.
func post(c *http.Client, url, document string) (*http.Response, []byte, error) {
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(document))
	if err != nil {
		return nil, nil, err
	}
	request.GetBody = nil // never sent twice
	request.Header["SOAPAction"] = []string{queryAction}
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	reply, err := c.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	return reply, body, err
}

// ask sends a query and reads its reply, which must come.
func ask(t testing.TB, s *spinesim.Simulator, c *http.Client, q query) reply {
	t.Helper()
	response, body, err := post(c, s.URL(), q.xml())
	if err != nil {
		t.Fatal(err)
	}
	return readReply(t, response, body)
}

// askDocument sends a document instead.
func askDocument(t testing.TB, s *spinesim.Simulator, c *http.Client, document string) reply {
	t.Helper()
	response, body, err := post(c, s.URL(), document)
	if err != nil {
		t.Fatal(err)
	}
	return readReply(t, response, body)
}

func play(t testing.TB, s *spinesim.Simulator, script spinesim.Script) {
	t.Helper()
	err := s.Play(script)
	if err != nil {
		t.Fatal(err)
	}
}

func steps(names ...spinesim.Behaviour) spinesim.Script {
	var script spinesim.Script
	for _, n := range names {
		script.Steps = append(script.Steps, spinesim.Step{Behaviour: n})
	}
	return script
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b))
}
