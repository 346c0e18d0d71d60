package itk_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/itk"
)

const (
	faultID = "96B3E4C5-D7A8-4304-95B6-F8E9D6C5B54A"
	errorID = "A7C4F5D6-E8B9-4415-86C7-09FAE7D6C65B"
)

func faultDocument(t rapid.TB, f *itk.Fault) string {
	t.Helper()
	doc, err := itk.WriteFault(f, faultID, errorID)
	if err != nil {
		t.Fatalf("the fault cannot be written: %v", err)
	}
	return string(doc)
}

// everyFault is each fault that requests are refused with, and the server's own.
func everyFault(t testing.TB) map[string]*itk.Fault {
	t.Helper()
	faults := map[string]*itk.Fault{"unavailable": itk.Unavailable(), "internal": itk.Internal()}
	for _, test := range refusals {
		p, expect := systemRequest(), expectations()
		if test.change != nil {
			test.change(&p)
		}
		doc := p.String()
		if test.doc != nil {
			doc = test.doc(doc)
		}
		if test.expect != nil {
			test.expect(&expect)
		}
		_, err := itk.ReadRequest(doc, maxSize, "", expect)
		var fault *itk.Fault
		if !errors.As(err, &fault) {
			t.Fatalf("%s: %v", test.name, err)
		}
		faults[test.name] = fault
	}
	return faults
}

func TestFaultRendered(t *testing.T) { // WRD-VAL-01
	fault := &itk.Fault{Code: itk.Client, ErrorCode: itk.InvalidMessage, Text: "For <users> & others.", Diagnostic: "For engineers.", Rule: "N1"}
	want := `<?xml version="1.0" encoding="UTF-8"?>` +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://www.w3.org/2005/08/addressing">` +
		`<soap:Header><wsa:MessageID>` + faultID + `</wsa:MessageID><wsa:Action>http://www.w3.org/2005/08/addressing/soap/fault</wsa:Action></soap:Header>` +
		`<soap:Body><soap:Fault><faultcode>soap:Client</faultcode><faultstring>The message was not accepted. See the detail.</faultstring>` +
		`<detail><itk:ToolkitErrorInfo xmlns:itk="urn:nhs-itk:ns:201005"><itk:ErrorID>` + errorID + `</itk:ErrorID>` +
		`<itk:ErrorCode codeSystem="2.16.840.1.113883.2.1.3.2.4.17.268">1000</itk:ErrorCode>` +
		`<itk:ErrorText>For &lt;users&gt; &amp; others.</itk:ErrorText><itk:ErrorDiagnosticText>For engineers.</itk:ErrorDiagnosticText>` +
		`</itk:ToolkitErrorInfo></detail></soap:Fault></soap:Body></soap:Envelope>`
	if got := faultDocument(t, fault); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	fault.Diagnostic = ""
	if strings.Contains(faultDocument(t, fault), "ErrorDiagnosticText") {
		t.Error("an empty diagnostic text is written")
	}
	if !strings.Contains(fault.Error(), "N1") || strings.Contains(faultDocument(t, fault), "N1") {
		t.Error("the rule belongs in the log and not in the message")
	}
}

func TestOwnFaults(t *testing.T) {
	if f := itk.Unavailable(); f.Code != itk.Server || f.ErrorCode != 2100 || f.Rule != "N37" || f.Text == "" {
		t.Errorf("Unavailable = %+v", f)
	}
	if f := itk.Internal(); f.Code != itk.Server || f.ErrorCode != 2200 || f.Text == "" {
		t.Errorf("Internal = %+v", f)
	}
}

// Every fault is read back by a client as it was meant.
func TestFaultsAreReadBack(t *testing.T) {
	for name, fault := range everyFault(t) {
		t.Run(name, func(t *testing.T) {
			_, err := itk.ReadReply(faultDocument(t, fault), maxSize)
			var got *itk.ProviderFault
			if !errors.As(err, &got) {
				t.Fatalf("read as %v", err)
			}
			want := &itk.ProviderFault{Code: string(fault.Code), ErrorCode: fault.ErrorCode, ErrorID: errorID, Text: fault.Text, Diagnosis: fault.Diagnostic}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-sent +read):\n%s", diff)
			}
			if !strings.Contains(fault.Text, "Nothing was asked of CP-IS") {
				t.Errorf("the user is not told that nothing was asked: %q", fault.Text)
			}
		})
	}
}

// WRD-VAL-19: whatever is wrong with a request, and wherever a number, a name, a
// path or an address stands in it, no fault repeats it.
func TestFaultsQuoteNothing(t *testing.T) {
	planted := []string{"9990000026", "Robin Testcase", "/srv/ward/secret", "db7.internal.example"}
	places := []string{
		messageID, "sendRecvDistEnvelope</wsa:Action>", ours, "https://ed.hazelbrook.example/cpis", "http://www.w3.org/2005/08/addressing/anonymous", stampID,
		"2026-03-14T09:26:53Z", "hazelbrook-ed", trackingID, "urn:nhs-uk:addressing:ods:Y99", "urn:nhs-uk:identity:ods:RZZ99:triage-7", `count="1"`,
		payloadID, "text/xml", "urn:nhs-en:profile:CP-ISNHSQuery-v1-0", "urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0", "<itk:payloads", "<CP-ISQueryStub", "</soap:Body>", "<soap:Envelope",
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := systemRequest().String()
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			place, plant := rapid.SampledFrom(places).Draw(t, "place"), rapid.SampledFrom(planted).Draw(t, "plant")
			if rapid.Bool().Draw(t, "beside") {
				plant += place
			}
			doc = strings.Replace(doc, place, plant, rapid.IntRange(1, 2).Draw(t, "times"))
		}
		_, err := read(doc)
		var fault *itk.Fault
		if !errors.As(err, &fault) {
			return
		}
		sent := faultDocument(t, fault) + fault.Error()
		for _, plant := range planted {
			if strings.Contains(sent, plant) {
				t.Fatalf("the fault repeats %q: %s", plant, sent)
			}
		}
	})
}

// L20: faults of other providers, also with an unprefixed fault code, without
// detail, or with nothing.
func TestFaultsOfOtherProviders(t *testing.T) {
	fault := func(content string) string {
		return `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>` + content + `</e:Fault></e:Body></e:Envelope>`
	}
	info := `<detail><t:ToolkitErrorInfo xmlns:t="urn:nhs-itk:ns:201005"><t:ErrorID>` + errorID + `</t:ErrorID>` +
		`<t:ErrorCode>2100</t:ErrorCode><t:ErrorText> Try later </t:ErrorText></t:ToolkitErrorInfo></detail>`
	tests := []struct {
		name, doc string
		want      itk.ProviderFault
	}{
		{"unprefixed", fault(`<faultcode>Server</faultcode><faultstring>x</faultstring>` + info), itk.ProviderFault{Code: "Server", ErrorCode: 2100, ErrorID: errorID, Text: "Try later"}},
		{"prefixed", fault(`<faultcode>e:Server</faultcode><faultstring>x</faultstring>` + info), itk.ProviderFault{Code: "Server", ErrorCode: 2100, ErrorID: errorID, Text: "Try later"}},
		{"without detail", fault(`<faultcode>e:Client</faultcode><faultstring>No such service</faultstring>`), itk.ProviderFault{Code: "Client", Text: "No such service"}},
		{"foreign detail", fault(`<faultcode>e:Client</faultcode><faultstring>x</faultstring><detail><y/></detail>`), itk.ProviderFault{Code: "Client", Text: "x"}},
		{"code that is no number", fault(`<faultcode>e:Client</faultcode>` + strings.Replace(info, "2100", "many", 1)), itk.ProviderFault{Code: "Client", ErrorID: errorID, Text: "Try later"}},
		{"empty", fault(``), itk.ProviderFault{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := itk.ReadReply(test.doc, maxSize)
			var got *itk.ProviderFault
			if !errors.As(err, &got) {
				t.Fatalf("read as %v", err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What a provider writes into its fault is not for the log.
func TestProviderFaultQuotesNothing(t *testing.T) {
	fault := &itk.ProviderFault{Code: "Client", ErrorCode: 1000, Text: "9990000026 is wrong", Diagnosis: "Robin Testcase"}
	if text := fault.Error(); strings.Contains(text, "999") || strings.Contains(text, "Robin") || !strings.Contains(text, "1000") {
		t.Errorf("Error = %q", text)
	}
}
