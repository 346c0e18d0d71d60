//go:build oracle

package itk_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/wsdl/wsdltest"
)

// WRD-MSG-26: every request, answer and fault that can be written fits the schemas
// that clients are given, in all its parts.
func TestWrittenMessagesFitOurSchemas(t *testing.T) {
	messages := append(writtenAnswers(t), writtenRequests(t)...)
	for _, fault := range everyFault(t) {
		messages = append(messages, faultDocument(t, fault))
	}
	wsdltest.MustValidateMessages(t, messages...)
}

// What is accepted fits the schemas too, but for leniencies that are not described
// to clients.
func TestAcceptedMessagesFitOurSchemas(t *testing.T) {
	undescribed := map[string]bool{
		"L4 attributes on Security":                         true,
		"L18 fixed attributes":                              true,
		"L18 root on the number":                            true,
		"L19 event id in lower case":                        true,
		"WRD-MSG-22 signature recorded":                     true,
		"attribute of the envelope's namespace on the item": true,
	}
	var names, messages []string
	for _, l := range leniencies() {
		names = append(names, l.name)
		messages = append(messages, l.document())
	}
	for i, verdict := range wsdltest.ValidateMessages(t, messages...) {
		if (verdict != "") != undescribed[names[i]] {
			t.Errorf("%s: %q", names[i], verdict)
		}
	}
	wsdltest.MustValidateMessages(t, systemRequest().String(), personRequest().String())
}

// However a request is damaged, if it is accepted it fits.
func TestAcceptedEnvelopesFitOurSchemas(t *testing.T) {
	var accepted []string
	for _, doc := range damaged(8000) {
		_, err := read(doc)
		if err == nil {
			accepted = append(accepted, doc)
		}
	}
	if len(accepted) < 80 {
		t.Fatalf("%d damaged requests are accepted: too few to prove anything", len(accepted))
	}
	wsdltest.MustValidateMessages(t, accepted...)
}

// N19: what is refused as a violation of the schema is one of ours too.
func TestEnvelopeRuleAgainstOurSchema(t *testing.T) {
	tested := 0
	for _, test := range refusals {
		p := systemRequest()
		if test.change != nil {
			test.change(&p)
		}
		doc := p.String()
		if test.doc != nil {
			doc = test.doc(doc)
		}
		if test.rule != "N19" || strings.Contains(test.name, "reference") {
			continue
		}
		tested++
		if wsdltest.ValidateMessages(t, doc)[0] == "" {
			t.Errorf("%s: our schema accepts what is refused", test.name)
		}
	}
	if tested < 15 {
		t.Errorf("only %d violations of the schema are tested", tested)
	}
}
