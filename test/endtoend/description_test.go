package endtoend_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

// WRD-MSG-26: a registered client reads the description over mutual TLS, with every
// schema that it refers to, on one connection. Nothing is asked, and nothing stands
// in the audit log but in the operational one.
func TestDescriptionIsServed(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	before := len(w.entries(t))
	client := w.dial(t, w.tls)
	reference := regexp.MustCompile(`schemaLocation="([^"]+)"`)
	base, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	read := []string{"/smsp/cpis?wsdl"}
	for i := 0; i < len(read); i++ {
		client.send(t, head("GET "+read[i]+" HTTP/1.1"))
		a := client.read(t)
		if a.StatusCode != http.StatusOK || a.Close || a.Header.Get("Content-Type") != "text/xml; charset=utf-8" || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: status %d, header %v", read[i], a.StatusCode, a.Header)
		}
		if i == 0 && !strings.Contains(a.body, `<soap:address location="`+w.URL+`"/>`) {
			t.Error("the WSDL does not give the configured address")
		}
		for _, match := range reference.FindAllStringSubmatch(a.body, -1) {
			target, err := base.Parse(match[1])
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(read, target.RequestURI()) {
				read = append(read, target.RequestURI())
			}
		}
	}
	if len(read) < 6 {
		t.Errorf("only %v are read", read)
	}
	w.nothingAsked(t)
	if entries := w.entries(t)[before:]; len(entries) != 0 {
		t.Errorf("audit entries %+v", entries)
	}
	if lines := w.logged(t, "description.served", len(read)); len(lines) != len(read) || lines[0]["client"] != stage.ClientName {
		t.Errorf("log lines %v", lines)
	}
}

// WRD-RC-16: reading the description counts against the agreed rate like anything
// else that a client sends.
func TestDescriptionIsWithinTheRate(t *testing.T) {
	t.Parallel()
	w := set(t, stage.Options{})
	rate := "asid = \"" + stage.ClientASID + "\"\nper_second = 100000\nburst = 100000\n"
	w.configure(t, rate, strings.Replace(rate, "per_second = 100000\nburst = 100000\n", "per_second = 0.001\nburst = 2\n", 1))
	w.start(t)
	client := w.dial(t, w.tls)
	for range 2 {
		client.send(t, head("GET /smsp/cpis?wsdl HTTP/1.1"))
		if a := client.read(t); a.StatusCode != http.StatusOK {
			t.Fatalf("status %d", a.StatusCode)
		}
	}
	client.send(t, head("GET /smsp/cpis?wsdl HTTP/1.1"))
	w.turnedAway(t, client, "over the client's rate")
	w.nothingAsked(t)
}
