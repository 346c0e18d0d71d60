package providers_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/providers"
	"github.com/wardsmsp/ward/internal/testpki"
)

// What an endpoint may do instead of answering with a status.
const (
	hangUp = 0  // end the connection
	leave  = -1 // answer with 405, and take no connection any more
)

// serve is a web server with TLS and no service behind it, which answers each request
// with what says returns for whoever asks. Its certificate has the names. The settings
// are those of a tester who is known to it.
func serve(t *testing.T, auth tls.ClientAuthType, says func(known bool, method string) int, names ...string) providers.Settings {
	t.Helper()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	far, err := authority.Issue(testpki.Request{CommonName: "smsp.example.invalid", DNSNames: names, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	near, err := authority.Issue(testpki.Request{CommonName: "ed.example.invalid", DNSNames: []string{"ed.example.invalid"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{far.TLSCertificate()}, ClientAuth: auth, ClientCAs: authority.Pool(), MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer connection.Close()
				connection.SetDeadline(time.Now().Add(30 * time.Second))
				answer(connection.(*tls.Conn), near.Leaf.Raw, says, listener)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	s := providers.Tester(t)
	s.URL, s.Pause = "https://"+listener.Addr().String()+"/x", 1
	s.TLS = &tls.Config{Certificates: []tls.Certificate{near.TLSCertificate()}, RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12}
	return s
}

func answer(connection *tls.Conn, tester []byte, says func(known bool, method string) int, listener net.Listener) {
	request, err := http.ReadRequest(bufio.NewReader(connection))
	if err != nil {
		return
	}
	io.Copy(io.Discard, request.Body)
	shown := connection.ConnectionState().PeerCertificates
	status := says(len(shown) > 0 && string(shown[0].Raw) == string(tester), request.Method)
	if status == leave {
		listener.Close()
		status = 405
	}
	if status != hangUp {
		fmt.Fprintf(connection, "HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status)
	}
}

// always is an endpoint that says one thing to everybody.
func always(status int) func(bool, string) int { return func(bool, string) int { return status } }

func try(t *testing.T, s providers.Settings, only string) (conform.Report, error) {
	t.Helper()
	suite, err := providers.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return suite.Run(t.Context(), only, func(conform.Result) {})
}

// WRD-IAM-01: that others are not let in shows something only if the tester is. Where
// the endpoint cannot be reached or verified, or does not let the tester in, there is
// no run. WRD-SAF-02: nor is there with a service of the NHS, by whatever address.
func TestNoRunWithoutATester(t *testing.T) {
	sound := serve(t, tls.RequireAndVerifyClientCert, always(405), "smsp.example.invalid")
	other := serve(t, tls.RequireAndVerifyClientCert, always(405), "smsp.example.invalid")
	closes, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			connection, err := closes.Accept()
			if err != nil {
				return
			}
			connection.Close()
		}
	})
	t.Cleanup(func() {
		closes.Close()
		accepting.Wait()
	})
	for name, test := range map[string]struct {
		change func(*providers.Settings)
		says   string
	}{
		"anchors of another authority": {func(s *providers.Settings) { s.TLS.RootCAs = other.TLS.RootCAs }, "could not be verified"},
		"another name":                 {func(s *providers.Settings) { s.TLS.ServerName = "other.example.invalid" }, "could not be verified"},
		"a certificate of nobody":      {func(s *providers.Settings) { s.TLS.Certificates = other.TLS.Certificates }, "refused or ended"},
		"a port that closes":           {func(s *providers.Settings) { s.URL = "https://" + closes.Addr().String() }, "refused or ended"},
		"a port where nobody listens":  {func(s *providers.Settings) { s.URL = "https://127.0.0.1:1/x" }, "no connection could be made"},
		"a certificate of the NHS": {func(s *providers.Settings) {
			*s = serve(t, tls.RequireAndVerifyClientCert, always(405), "smsp.trust.nhs.uk")
		}, "nhs.uk"},
		"a certificate of many machines": {func(s *providers.Settings) {
			*s = serve(t, tls.RequireAndVerifyClientCert, always(405), "lb.example.invalid", "*.trust.nhs.uk")
		}, "nhs.uk"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sound
			s.TLS = s.TLS.Clone()
			test.change(&s)
			report, err := try(t, s, "WRD-IAM-01")
			if err == nil || !strings.Contains(err.Error(), test.says) || len(report.Results) != 0 {
				t.Errorf("%d results, %v", len(report.Results), err)
			}
		})
	}
}

// WRD-IAM-01, WRD-IAM-04: whoever is not known is turned away by TLS, or by a web server
// that has looked for a certificate. To be answered, or refused by a fault, is no refusal.
func TestStrangersAreTurnedAway(t *testing.T) {
	for name, test := range map[string]struct {
		auth tls.ClientAuthType
		says func(known bool, method string) int
		want conform.Status
	}{
		"by TLS":                       {tls.RequireAndVerifyClientCert, always(405), conform.Passed},
		"by HTTP 400":                  {tls.RequestClientCert, unless(400), conform.Passed},
		"by HTTP 403":                  {tls.RequestClientCert, unless(403), conform.Passed},
		"by the end of the connection": {tls.RequestClientCert, unless(hangUp), conform.Passed},
		"not at all":                   {tls.RequestClientCert, always(200), conform.Failed},
		"as if there were no service":  {tls.RequestClientCert, unless(404), conform.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := try(t, serve(t, test.auth, test.says), "WRD-IAM-01")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results[:2] {
				if r.Status != test.want {
					t.Errorf("%s %s: want %s, got %s", r.ID, r.Status, r.Want, r.Got)
				}
			}
		})
	}
}

// unless says to strangers what a status is given for, and 405 to the tester.
func unless(status int) func(bool, string) int {
	return func(known bool, _ string) int {
		if known {
			return 405
		}
		return status
	}
}

// Before the message is looked at any error of HTTP refuses it, but for one that is about
// load: that would be taken at another time.
func TestAnyErrorOfHTTPTurnsAway(t *testing.T) {
	for status, want := range map[int]conform.Status{
		400: conform.Passed, 404: conform.Passed, 405: conform.Passed, 500: conform.Passed, 501: conform.Passed,
		200: conform.Failed, 202: conform.Failed, 302: conform.Failed, 429: conform.Failed, 503: conform.Failed,
	} {
		report, err := try(t, serve(t, tls.RequireAndVerifyClientCert, always(status)), "H-get")
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Results[0]; got.Status != want {
			t.Errorf("HTTP %d: %s, want %s", status, got.Status, want)
		}
	}
}

// What this side does not like is no refusal: neither a certificate that it does not
// know nor bytes that are no HTTP.
func TestAFailureOfOurOwnIsNoRefusal(t *testing.T) {
	silent := serve(t, tls.RequestClientCert, func(known bool, method string) int {
		if method == http.MethodGet {
			return 405
		}
		return 99 // which is no status of HTTP
	})
	report, err := try(t, silent, "T-no-certificate")
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Results[0]; got.Status != conform.Failed {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
}

// What the configuration does not give leaves a case out, with a reason, and sends
// nothing; once nobody listens any more a case fails and the rest is left out.
func TestWhatIsLeftOut(t *testing.T) {
	s := serve(t, tls.RequireAndVerifyClientCert, func(_ bool, method string) int {
		if method == http.MethodGet {
			return 405
		}
		return leave
	})
	s.UserID, s.OtherUsername = "", ""
	delete(s.Children, "SMSP-0002")
	for only, want := range map[string]string{
		"N14-":           "the configuration gives no other_username",
		"A1-person":      "the configuration gives no user",
		"C-SMSP-0002":    "the configuration gives no child with SMSP-0002",
		"N36-smartcard-": "it is for clients whose access method is smartcard",
	} {
		report, err := try(t, s, only)
		if err != nil {
			t.Fatal(err)
		}
		if first := report.Results[0]; first.Got != want || first.Status != conform.NotRun {
			t.Errorf("%s: %s, %q", only, first.Status, first.Got)
		}
	}
	suite, err := providers.New(s)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := suite.Run(ended, "N4-", func(conform.Result) {})
	if err != nil || report.Results[0].Status != conform.NotRun || report.Results[0].Got != "the run was stopped" {
		t.Errorf("%+v, %v", report.Results[0], err)
	}
	report, err = try(t, s, "N32-")
	if err != nil {
		t.Fatal(err)
	}
	r := report.Results
	if r[0].Status != conform.Differs || r[1].Status != conform.Failed || r[1].Got != "message 1: no connection could be made" || r[2].Got != "the endpoint could no longer be reached" {
		t.Errorf("%+v", r[:3])
	}
}
