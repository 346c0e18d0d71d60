package wsdl_test

import (
	"encoding/xml"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/wsdl"
)

const (
	endpoint = "/smsp/cpis"
	address  = "https://smsp.ward.example/smsp/cpis?a=1&b=<2>"
)

func documents(t *testing.T) map[string][]byte {
	t.Helper()
	served, err := wsdl.Documents(endpoint, address)
	if err != nil {
		t.Fatal(err)
	}
	return served
}

// attributes are the values of one attribute of the elements of that local name.
func attributes(t *testing.T, document []byte, element, attribute string) []string {
	t.Helper()
	var values []string
	decoder := xml.NewDecoder(strings.NewReader(string(document)))
	for {
		token, err := decoder.Token()
		if err != nil {
			return values
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != element {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local == attribute {
				values = append(values, a.Value)
			}
		}
	}
}

func references(t *testing.T, document []byte) []string {
	t.Helper()
	return append(attributes(t, document, "import", "schemaLocation"), attributes(t, document, "include", "schemaLocation")...)
}

// WRD-MSG-26: whoever starts at ?wsdl finds every schema by following references,
// by URL. Only the schema for writing WS-Addressing oneself is apart.
func TestReferencesLeadToDocuments(t *testing.T) {
	served := documents(t)
	base, err := url.Parse("https://smsp.ward.example" + endpoint + "?wsdl")
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{"xsd=addressing.xsd": true}
	var follow func(query string)
	follow = func(query string) {
		if reached[query] {
			return
		}
		reached[query] = true
		if served[query] == nil {
			t.Fatalf("nothing is served under %s", query)
		}
		for _, location := range references(t, served[query]) {
			target, err := base.Parse(location)
			if err != nil || target.Path != endpoint || target.Host != base.Host {
				t.Fatalf("%s refers to %s", query, location)
			}
			follow(target.RawQuery)
		}
	}
	follow("wsdl")
	for query := range served {
		if !reached[query] {
			t.Errorf("nothing refers to %s", query)
		}
	}
}

// On disk the schemas find each other as files, for tools that are given one.
func TestReferencesLeadToFiles(t *testing.T) {
	names, err := fs.Glob(wsdl.Files(), "*.*")
	if err != nil || len(names) != len(documents(t)) {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		file, err := fs.ReadFile(wsdl.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, location := range references(t, file) {
			_, err := fs.Stat(wsdl.Files(), location)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestAddressOfTheProvider(t *testing.T) {
	found := attributes(t, documents(t)["wsdl"], "address", "location")
	if !slices.Equal(found, []string{address}) {
		t.Errorf("the addresses are %q", found)
	}
}

// The description and the program name the same things.
func TestNamesAreThoseOfTheWire(t *testing.T) {
	served := documents(t)
	if got := attributes(t, served["wsdl"], "operation", "soapAction"); !slices.Equal(got, []string{itk.RequestService}) {
		t.Errorf("SOAPAction %q", got)
	}
	for element, action := range map[string]string{"input": itk.RequestService, "output": itk.ResponseService, "fault": soap.FaultAction} {
		if got := attributes(t, served["wsdl"], element, "Action"); !slices.Equal(got, []string{action}) {
			t.Errorf("the action of the %s is %q", element, got)
		}
	}
	namespaces := append(attributes(t, served["xsd=itk.xsd"], "schema", "targetNamespace"), attributes(t, served["xsd=hl7.xsd"], "schema", "targetNamespace")...)
	if !slices.Equal(namespaces, []string{itk.Namespace, hl7.Namespace}) {
		t.Errorf("namespaces %q", namespaces)
	}
	for _, value := range []string{itk.InteractionKey, itk.NotificationKey, itk.OutcomeKey, itk.ReplacementKey, itk.DemographicsKey, itk.BirthDateKey, itk.RequestInteraction, itk.ResponseInteraction, itk.RequestProfile, itk.ResponseProfile, itk.AddressType, itk.IdentityType} {
		if !strings.Contains(string(served["xsd=itk.xsd"]), value) {
			t.Errorf("itk.xsd does not tell of %s", value)
		}
	}
}

// WRD-SUP-07: every code that can be sent is in the lists, with its meaning.
func TestListsHaveEveryCode(t *testing.T) {
	served := documents(t)
	listed := attributes(t, served["xsd=hl7.xsd"], "enumeration", "value")
	for _, o := range cpis.Outcomes() {
		code := string((cpis.Codes{}).Of(o))
		if code != "" && !slices.Contains(listed, code) {
			t.Errorf("hl7.xsd does not list %s", code)
		}
	}
	for _, code := range []int{itk.InvalidMessage, itk.Retryable, itk.NotRetryable, itk.AccessDenied} {
		entry := fmt.Sprintf("<xs:enumeration value=\"%d\">\n        <xs:annotation><xs:documentation>", code)
		if !strings.Contains(string(served["xsd=itk.xsd"]), entry) {
			t.Errorf("itk.xsd does not explain %d", code)
		}
	}
}

// No text of the description lets "no record" pass for safety, or asking for a
// look-up (hazards H-01, H-03).
func TestWordsAboutMeaning(t *testing.T) {
	served := documents(t)
	for query, phrases := range map[string][]string{
		"wsdl":        {"notifies the responsible local", "turn off retries", "only a person may decide", "Nothing is asked by reading it"},
		"xsd=hl7.xsd": {"Asking is not looking something up", "That does not mean that there is no", "treat it as an unknown outcome", "Never keep an answer"},
	} {
		for _, phrase := range phrases {
			if !strings.Contains(string(served[query]), phrase) {
				t.Errorf("%s does not say %q", query, phrase)
			}
		}
	}
}
