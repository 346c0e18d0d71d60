package conformance_test

import (
	"compress/gzip"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/providers"
)

// broken is a provider with one fault, and the cases that must catch it.
type broken struct {
	name string
	breakage
	only   string   // the conversations that are tried
	caught []string // ids of all cases that fail or differ; "*" at the end stands for any rest
}

// TestBrokenProvidersAreCaught: each fault of a provider is found by the cases that
// are there to find it, and by no other.
func TestBrokenProvidersAreCaught(t *testing.T) {
	t.Parallel()
	w := start(t)
	p := newProxy(t, w)
	settings := behind(p)
	for _, b := range brokenProviders() {
		t.Run(b.name, func(t *testing.T) {
			p.breakWith(b.breakage)
			report := run(t, settings, b.only, func(conform.Result) {})
			checkCaught(t, report, b.caught)
		})
	}
}

// A history that is dropped and counted as none cannot be told from one that there is
// not: it shows nothing of histories.
func TestADroppedHistoryShowsNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	p := newProxy(t, w)
	p.breakWith(tells(`(?s)(AccessRecords><value value=")\d+(.*?)<pertinentInformation13>.*</pertinentInformation13>`, `${1}0${2}`))
	results := byID(run(t, behind(p), "C-SMSP-0000", func(conform.Result) {}))
	for _, id := range []string{"found-history", "found-history-bounded"} {
		if got := results[id]; got.Status != conform.NotRun {
			t.Errorf("%s %s: %s", id, got.Status, got.Got)
		}
	}
	if got := results["answer-totals"]; got.Status != conform.Passed {
		t.Errorf("%s: %s", got.Status, got.Got)
	}
}

// A provider behind a proxy that changes nothing fails nothing.
func TestSoundProviderBehindTheProxy(t *testing.T) {
	t.Parallel()
	w := start(t)
	run(t, behind(newProxy(t, w)), "", func(r conform.Result) {
		if r.Status != conform.Passed && r.ID != unreachable && !strings.HasPrefix(r.ID, forSmartcards) {
			t.Errorf("%s %s: want %s, got %s", r.ID, r.Status, r.Want, r.Got)
		}
	})
}

// behind are the settings of Ward, reached through the proxy.
func behind(p *proxy) providers.Settings {
	s := p.ward.settings
	s.To = p.ward.URL
	s.URL = "https://" + p.address + "/smsp/cpis"
	return s
}

func checkCaught(t *testing.T, report conform.Report, caught []string) {
	t.Helper()
	unseen := map[string]bool{}
	for _, pattern := range caught {
		unseen[pattern] = true
	}
	for _, r := range report.Results {
		if r.Status != conform.Failed && r.Status != conform.Differs {
			continue
		}
		if (r.Status == conform.Differs) != r.Own {
			t.Errorf("%s %s, and its level is %s", r.ID, r.Status, r.Level())
		}
		expected := false
		for _, pattern := range caught {
			prefix, open := strings.CutSuffix(pattern, "*")
			if r.ID == pattern || open && strings.HasPrefix(r.ID, prefix) {
				expected = true
				delete(unseen, pattern)
			}
		}
		if !expected {
			t.Errorf("%s failed as well: want %s, got %s", r.ID, r.Want, r.Got)
		}
	}
	for pattern := range unseen {
		t.Errorf("%s did not fail", pattern)
	}
}

// takes is a provider that takes a request for another one.
func takes(pattern, replacement string) breakage {
	re := regexp.MustCompile(pattern)
	return breakage{request: func(x *passage) { x.request = re.ReplaceAllString(x.request, replacement) }}
}

// tells is a provider that writes something else into its replies.
func tells(pattern, replacement string) breakage {
	re := regexp.MustCompile(pattern)
	return breakage{reply: func(x *passage) { x.reply = re.ReplaceAllString(x.reply, replacement) }}
}

func replies(change func(*passage)) breakage { return breakage{reply: change} }

const uuid = `[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}`

func brokenProviders() []broken {
	return append(credulous(), untruthful()...)
}

// credulous providers accept what they must refuse, or refuse what they must accept.
func credulous() []broken {
	return []broken{
		{"takes any wsa:To", breakage{request: func(x *passage) {
			x.request = regexp.MustCompile(`<wsa:To>[^<]+</wsa:To>`).ReplaceAllString(x.request, "<wsa:To>"+x.ward.URL+"</wsa:To>")
		}}, "N21-", []string{"N21-*"}},
		{"takes SOAP 1.2", takes("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"), "N1-", []string{"N1-soap12", "N1-soap12-media-type"}},
		{"ignores mustUnderstand", takes(` soap:mustUnderstand="[^"]*"`, ""), "N2-", []string{"N2-*"}},
		{"ignores the times of a message", breakage{request: func(x *passage) {
			now := time.Now().UTC()
			x.request = regexp.MustCompile(`<wsu:Created>.*</wsu:Expires>`).ReplaceAllString(x.request,
				now.Add(-time.Minute).Format("<wsu:Created>2006-01-02T15:04:05Z</wsu:Created>")+now.Add(time.Minute).Format("<wsu:Expires>2006-01-02T15:04:05Z</wsu:Expires>"))
		}}, "N10-", []string{"N10-*"}},
		{"takes a tracking id in lower case", breakage{request: func(x *passage) {
			x.request = regexp.MustCompile(`trackingid="[0-9a-f-]+"`).ReplaceAllStringFunc(x.request, func(s string) string {
				return `trackingid="` + strings.ToUpper(strings.TrimPrefix(s, `trackingid="`))
			})
		}}, "N19-tracking", []string{"N19-tracking-lower-case"}},
		{"takes any profile", takes(`profileid="[^"]+"`, `profileid="urn:nhs-en:profile:CP-ISNHSQuery-v1-0"`), "N17-",
			[]string{"N17-unknown-version", "N17-of-response", "N17-of-another", "N17-case"}},
		{"takes any interaction", takes(`value="urn:[^"]+"`, `value="urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"`), "N28-", []string{"N28-unknown", "N28-unknown-version", "N28-of-response", "N28-case"}},
		{"takes any user name", takes(`<wsse:Username>[^<]*</`, `<wsse:Username>demo-ed-system</`), "WRD-IAM-03", []string{"N14-not-permitted"}},
		{"takes an identity of any organisation", takes(`identity:ods:[A-Z0-9]+:`, `identity:ods:RXX:`), "COR-DEH-04.5", []string{"N18-other-organisation", "N18-organisation-longer", "N18-second-other-organisation"}},
		{"ignores who is to be answered", takes(`<wsa:ReplyTo>.*</wsa:ReplyTo>`, ""), "N22-", []string{"N22-*"}},
		{"joins what a comment interrupts", takes(`<!-- -->`, ""), "N23-comment", []string{"N23-comment", "every-relates-to"}},
		{"joins what a reference or a comment interrupts", breakage{request: func(x *passage) {
			x.request = strings.Replace(x.request, "<!-- -->", "", 1)
			x.request = regexp.MustCompile(`>&#\d+;`).ReplaceAllStringFunc(x.request, html.UnescapeString)
		}}, "N23-", []string{"N23-comment", "N23-reference", "every-relates-to"}},
		{"repairs NHS numbers", breakage{request: func(x *passage) {
			x.request = regexp.MustCompile(`<value extension="[^"]*"`).ReplaceAllStringFunc(x.request,
				strings.NewReplacer("<value extension=", "<value extension=", " ", "", "-", "", "\n", "").Replace)
		}}, "N35-", []string{"N35-grouped", "N35-hyphens", "N35-space-before", "N35-space-after", "N35-line-end", "found-number"}},
		{"reads past a document type", takes(`<!DOCTYPE[^\[>]*>`, ""), "N29-doctype", []string{"N29-doctype", "N29-doctype-external"}},
		{"skips processing instructions", takes(`<\?x y\?>`, ""), "N29-instruction", []string{"N29-instruction", "N29-instruction-number"}},
		{"ignores what it does not know", takes(`<x:y [^>]*>|<itk:more/>`, ""), "N19-", []string{"N19-foreign-element", "N19-unknown-element", "N19-after-payloads"}},
		{"counts for the client", takes(`<itk:manifest( count="[^"]*")?>`, `<itk:manifest count="1">`), "N4-", []string{"N4-*"}},
		{"knows no default type", takes(` type="[^"]*"`, ""), "N18-toolkit-other-type", []string{"N18-toolkit-other-type"}},
		{"strips the prefix of a message id", takes(`>urn:uuid:`, ">"), "L6-", []string{"every-relates-to"}},
		{"refuses structural attributes", takes(`classCode="CACT"`, `classCode="ACT"`), "L18-", []string{"L18-query"}},
		{"knows no byte order mark", takes("^\ufeff", "x"), "L15-", []string{"L15-byte-order-mark"}},
		{"wants the timestamp first", takes(`<wsse:Security><wsse:UsernameToken>.*?</wsse:UsernameToken>`, `<wsse:Security>`), "L4-", []string{"L4-token-first"}},
		{"asks about another child", takes(`<value extension="9990000018"`, `<value extension="9990000042"`), "C-SMSP-0000", []string{"found-number"}},
	}
}

// untruthful providers decide rightly and tell it wrongly.
func untruthful() []broken {
	const faults, answers, found = "N4-", "Answers", "C-SMSP-0000"
	second := func(pattern, replacement string) breakage { return tells("(?s)"+pattern, replacement) }
	return []broken{
		{"sends faults with HTTP 200", replies(func(x *passage) { x.status = 200 }), faults, []string{"N4-*", "every-right-status"}},
		{"sends answers with HTTP 202", replies(func(x *passage) { x.status = 202 }), answers, []string{"C-*", "every-status"}},
		{"sends answers with HTTP 500", replies(func(x *passage) { x.status = 500 }), answers, []string{"C-*", "every-right-status"}},
		{"tells every failure as no record", tells(`code="(SMSP-0002|SMSP-9999|CPIS-9999)" displayName="[^"]*"`, `code="CPIS-0001" displayName="No Match (NRF)"`), answers,
			[]string{"C-SMSP-0002", "C-SMSP-9999", "C-CPIS-9999", "answer-notified"}},
		{"answers from a store", tells(`code="CPIS-9999"`, `code="SMSP-0003"`), answers, []string{"C-CPIS-9999", "answer-known-code"}},
		{"tells no record as success", tells(`code="CPIS-0001"`, `code="SMSP-0000"`), answers, []string{"C-CPIS-0001", "found-record", "found-number", "answer-notified"}},
		{"tells every fault as the server's", tells(`soap:Client<`, `soap:Server<`), faults, []string{"N4-*"}},
		{"tells every fault as a denial", tells(`>1000<`, `>3000<`), faults, []string{"N4-*"}},
		{"says nothing of the profile", tells(`The profile id`, `Something`), "N17-", []string{"N17-*"}},
		{"tells faults with a code of its own", tells(`>1000<`, `>ERR-17<`), faults, []string{"N4-*", "fault-error-code"}},
		{"tells faults with another code system", tells(`2\.16\.840\.1\.113883\.2\.1\.3\.2\.4\.17\.268`, `1.2.3`), faults, []string{"fault-error-code"}},
		{"leaves out the ErrorID", tells(`<itk:ErrorID>[^<]*</itk:ErrorID>`, ""), faults, []string{"fault-error-id", "fault-detail"}},
		{"uses one ErrorID for all faults", tells(`<itk:ErrorID>[^<]*<`, `<itk:ErrorID>0D8A5B3C-4E1F-4A7B-9C2D-6F5E4D3C2B1A<`), faults, []string{"fault-error-id-new"}},
		{"leaves the ErrorText empty", tells(`<itk:ErrorText>[^<]*<`, `<itk:ErrorText><`), faults, []string{"fault-text"}},
		{"leaves out the detail", second(`<detail>.*</detail>`, ""), faults, []string{"N4-*", "fault-shape", "fault-detail", "fault-error-id", "fault-error-code", "fault-text"}},
		{"writes faultcode without a prefix", tells(`<faultcode>soap:`, `<faultcode>`), faults, []string{"fault-code"}},
		{"sends faults under the action of answers", tells(`<wsa:Action>[^<]*<`, `<wsa:Action>urn:nhs-itk:services:201005:sendRecvDistEnvelopeResponse<`), faults, []string{"fault-action"}},
		{"repeats the NHS number in faults", replies(func(x *passage) {
			number := regexp.MustCompile(`<value extension="(\d*)"`).FindStringSubmatch(x.request)
			x.reply = strings.Replace(x.reply, "</itk:ErrorText>", number[1]+"</itk:ErrorText>", 1)
		}), faults, []string{"fault-no-number"}},
		{"repeats a name in faults", replies(func(x *passage) {
			x.reply = strings.Replace(x.reply, "</itk:ErrorText>", " Asked by HARTLEY.</itk:ErrorText>", 1)
		}), faults, []string{"fault-no-name"}},
		{"shows a stack in faults", tells(`</itk:ErrorDiagnosticText>`, " java.lang.NullPointerException at uk.example.Smsp(Smsp.java:17)</itk:ErrorDiagnosticText>"), faults, []string{"fault-no-inside"}},
		{"shows a path in faults", tells(`</itk:ErrorDiagnosticText>`, " in /opt/smsp/lib</itk:ErrorDiagnosticText>"), faults, []string{"fault-no-inside"}},

		{"uses one MessageID for all replies", tells(`<wsa:MessageID>[^<]*<`, `<wsa:MessageID>0D8A5B3C-4E1F-4A7B-9C2D-6F5E4D3C2B1A<`), answers, []string{"every-message-id-new"}},
		{"sends the MessageID of the request back as its own", replies(func(x *passage) {
			id := regexp.MustCompile(`<wsa:MessageID>([^<]*)<`).FindStringSubmatch(x.request)
			x.reply = regexp.MustCompile(`<wsa:MessageID>[^<]*<`).ReplaceAllString(x.reply, "<wsa:MessageID>"+id[1]+"<")
		}), answers, []string{"every-message-id-new"}},
		{"writes a prefix before its MessageID", tells(`<wsa:MessageID>`, `<wsa:MessageID>urn:uuid:`), answers, []string{"every-message-id"}},
		{"relates an answer to another message", tells(`<wsa:RelatesTo>[^<]*<`, `<wsa:RelatesTo>0D8A5B3C-4E1F-4A7B-9C2D-6F5E4D3C2B1A<`), answers, []string{"every-relates-to"}},
		{"uses the 2004 edition of WS-Addressing", tells(`xmlns:wsa="[^"]*"`, `xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"`), answers, []string{"every-edition", "every-message-id", "answer-action"}},
		{"answers in SOAP 1.2", tells(`http://schemas.xmlsoap.org/soap/envelope/`, `http://www.w3.org/2003/05/soap-envelope`), found,
			[]string{"C-*", "every-soap", "every-fault-or-answer", "every-message-id"}},
		{"says that it is ISO-8859-1", replies(func(x *passage) { x.fields.Set("Content-Type", "text/xml; charset=ISO-8859-1") }), answers, []string{"every-media-type"}},
		{"says that it is HTML", replies(func(x *passage) { x.fields.Set("Content-Type", "text/html; charset=utf-8") }), answers, []string{"every-media-type"}},
		{"lets answers be stored", replies(func(x *passage) { x.fields.Set("Cache-Control", "max-age=60") }), answers, []string{"every-not-stored"}},
		{"sends a document type", tells(`<soap:Envelope`, `<!DOCTYPE Envelope><soap:Envelope`), found, []string{"C-*", "every-xml", "every-soap", "every-fault-or-answer", "every-message-id"}},
		{"compresses its answers unasked", replies(compressed), found, []string{"C-*", "every-plain", "every-xml", "every-soap", "every-fault-or-answer", "every-message-id"}},
		{"compresses its answers when asked", replies(compressed), "L16-accept-gzip", nil}, // which it may
		{"names a schema", tells(`<itk:DistributionEnvelope`, `<itk:DistributionEnvelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x x.xsd"`), answers, []string{"every-no-schema"}},
		{"writes empty attributes", tells(`<itk:addresslist>`, `<itk:addresslist note="">`), answers, []string{"every-no-blank"}},

		{"writes its tracking id in lower case", replies(func(x *passage) {
			x.reply = regexp.MustCompile(`trackingid="`+uuid+`"`).ReplaceAllStringFunc(x.reply, strings.ToLower)
		}), answers, []string{"answer-tracking-id"}},
		{"uses one tracking id for all answers", tells(`trackingid="[^"]*"`, `trackingid="0D8A5B3C-4E1F-4A7B-9C2D-6F5E4D3C2B1A"`), answers, []string{"answer-tracking-id-new"}},
		{"uses its MessageID as tracking id", replies(func(x *passage) {
			id := regexp.MustCompile(`<wsa:MessageID>([^<]*)<`).FindStringSubmatch(x.reply)
			x.reply = regexp.MustCompile(`trackingid="[^"]*"`).ReplaceAllString(x.reply, `trackingid="`+id[1]+`"`)
		}), answers, []string{"answer-ids-differ"}},
		{"names the interaction of the request", tells(`SMSP-CP-ISNHSQueryResponse-v1-0"/>`, `CP-ISNHSQuery-v1-0"/>`), answers, []string{"answer-interaction", "answer-profile"}},
		{"names another service", tells(`service="[^"]*"`, `service="urn:nhs-itk:services:201005:getPatientDetailsResponse-v1-0"`), answers, []string{"answer-action"}},
		{"leaves out the address list", second(`<itk:addresslist>.*</itk:addresslist>`, ""), answers, []string{"answer-header", "answer-addressed"}},
		{"writes the sender before the manifest", second(`(<itk:manifest .*</itk:manifest>)(<itk:senderAddress [^>]*>)`, `$2$1`), answers, []string{"answer-header"}},
		{"answers in the name of the client", tells(`identity:ods:Y99`, `identity:ods:RXX`), answers, []string{"answer-sender"}},
		{"counts two payloads", tells(`payloads count="1"`, `payloads count="2"`), answers, []string{"answer-counts"}},
		{"names another payload in the manifest", tells(`manifestitem id="uuid_[^"]*"`, `manifestitem id="uuid_0D8A5B3C-4E1F-4A7B-9C2D-6F5E4D3C2B1A"`), answers, []string{"answer-payload-id"}},
		{"marks its payload as base64", tells(` mimetype=`, ` base64="true" mimetype=`), answers, []string{"answer-plain-payload"}},
		{"says that nobody was notified of a record", tells(`value="notified"`, `value="none"`), answers, []string{"answer-notified"}},

		{"counts a record too many", tells(`(ChildRecords><value value=")`, `${1}1`), answers, []string{"answer-totals", "answer-no-content"}},
		{"drops the history", second(`<pertinentInformation13>.*</pertinentInformation13>`, ""), answers, []string{"answer-totals"}},
		{"drops a record and counts it", second(`^(.*?)<record>.*?</record>`, "$1"), answers, []string{"answer-totals"}},
		{"drops all records", second(`(ChildRecords><value value=")\d+(.*)<pertinentInformation14>.*</pertinentInformation14>`, `${1}0${2}`), found, []string{"found-record"}},
		{"sends two codes", tells(`(<value codeSystem="2.16.840.1.113883.2.1.3.2.4.17.499"[^>]*>)`, `$1$1`), answers, []string{"answer-one-code", "answer-payload", "answer-no-content"}},
		{"sends codes of another system", tells(`4\.17\.499`, `4.17.500`), answers, []string{"answer-one-code"}},
		{"sends codes without a name", tells(` displayName="[^"]*"/><pertinentInformation11>`, `/><pertinentInformation11>`), answers, []string{"answer-one-code"}},
		{"writes the id before the time", tells(`(<effectiveTime value="[^"]*"/>)(<id root="[^"]*"/>)(<value code)`, `$2$1$3`), answers, []string{"answer-payload"}},
		{"writes its time without a zone", tells(`(<effectiveTime value="\d+)\+0000("/><id root="[^"]*"/><value code)`, `$1$2`), answers, []string{"answer-time"}},
		{"writes its id in lower case", replies(func(x *passage) {
			x.reply = regexp.MustCompile(uuid+`"/><value code`).ReplaceAllStringFunc(x.reply, func(s string) string { return strings.ToLower(s[:36]) + s[36:] })
		}), answers, []string{"answer-id"}},
		{"writes structural attributes", tells(`<CP-ISNHSQueryResponse `, `<CP-ISNHSQueryResponse classCode="CACT" `), answers, []string{"answer-no-structure"}},
		{"answers about another child", tells(`(<id root="2\.16\.840\.1\.113883\.2\.1\.4\.1" extension=")9990000018`, `${1}9990000042`), found, []string{"found-number"}},
		{"drops the number for emergencies", tells(`<telecom [^>]*use="EC"/>`, ""), found, []string{"found-authority"}},
		{"exchanges the purposes of the numbers", tells(`use="EC"`, `use="WP"`), found, []string{"found-authority"}},
		{"names another type of plan", tells(`#CPPInformation"`, `#LACInformation"`), found, []string{"found-plans"}},
		{"drops the dates of plans", second(`<component><cPPStartDate>.*?</cPPStartDate></component>`, ""), found, []string{"found-plans"}},
		{"tells of an unborn child without the end of its plan", replies(func(x *passage) {
			x.reply = strings.NewReplacer("CPPInformation", "UCPInformation", "cPPStartDate", "uCPStartDate", "cPPEndDate", "uCPEndDate", "COCT_TP146105GB01", "COCT_TP146104GB01").Replace(x.reply)
			x.reply = regexp.MustCompile(`<component1><uCPEndDate>.*?</uCPEndDate></component1>`).ReplaceAllString(x.reply, "")
		}), found, []string{"found-plans"}},
		{"writes plan dates without a time", tells(`(StartDate><value value="\d{8})\d{4}`, `$1`), found, []string{"found-plans"}},
		{"writes the family name first", tells(`(<given>[^<]*</given>)(<family>[^<]*</family></name></childPerson>)`, `<x/>$2`), found, []string{"found-subjects"}},
		{"drops the authors of the history", second(`<author>.*?</author>`, ""), found, []string{"found-history"}},
	}
}

func compressed(x *passage) {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(x.reply))
	_ = w.Close()
	x.reply = b.String()
	x.fields.Set("Content-Encoding", "gzip")
}
