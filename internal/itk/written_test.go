//go:build oracle || reference

package itk_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
)

var (
	odsCodes = rapid.StringMatching(`[A-Z0-9]{3,8}`)
	uuids    = rapid.StringMatching(`[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}`)
)

// writtenAnswers are one answer for each code and notification state, and many that
// differ in ids and organisations.
func writtenAnswers(t testing.TB) []string {
	var documents []string
	for _, o := range cpis.Outcomes() {
		code := (cpis.Codes{}).Of(o)
		if code == "" {
			continue
		}
		for _, state := range []*cpis.Notified{nil, new(cpis.Notified), ptr(cpis.NotifiedNo), ptr(cpis.NotifiedYes)} {
			r := answer(code, without(findings()))
			if code == cpis.CodeSuccess {
				r = answer(code, findings())
			}
			r.Remarks.Notified = state
			documents = append(documents, responseDocument(t, r))
		}
	}
	r := answer(cpis.CodeInputInvalid, without(findings()))
	r.Remarks = itk.RemarksOf(cpis.Superseded(number("9990000026")).WithVerification(cpis.Unverified), cpis.Codes{})
	documents = append(documents, responseDocument(t, r))
	for i := range 100 {
		r := answer(cpis.CodeSuccess, findings())
		r.Client, r.Provider = odsCodes.Example(i), odsCodes.Example(i+1000)
		r.MessageID, r.TrackingID, r.PayloadID = uuids.Example(i), uuids.Example(i+1000), uuids.Example(i+2000)
		documents = append(documents, responseDocument(t, r))
	}
	return documents
}

func ptr(n cpis.Notified) *cpis.Notified { return &n }

// writtenRequests differ in author, ids and organisations.
func writtenRequests(t testing.TB) []string {
	var documents []string
	for i := range 100 {
		q := question(nadia())
		if i%2 == 0 {
			q = question(hazelbrook())
		}
		q.AuditIdentities = append(q.AuditIdentities, cpis.AuditIdentity{Type: cpis.OIDUserID, URI: "999000111222"})
		q.TrackingID, q.PayloadID, q.Organisation, q.Provider = uuids.Example(i+3000), uuids.Example(i+4000), odsCodes.Example(i+2000), odsCodes.Example(i+3000)
		if i%3 == 0 {
			q.BirthDate = "2019-02-28"
		}
		documents = append(documents, requestDocument(t, q))
	}
	return documents
}

var (
	attributeOf = regexp.MustCompile(` [a-z0-9]+="[^"]*"`)
	tagOf       = regexp.MustCompile(`</?itk:[A-Za-z]+`)
)

// damaged are requests whose envelope has one change or two by chance, the same on
// every run.
func damaged(tries int) []string {
	random := rand.New(rand.NewPCG(3, 5))
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	values := []string{"1", "2", "true", "0", "x", "text/xml", "a b", "urn:nhs-uk:identity:ods:RZZ99", "urn:nhs-uk:addressing:ods:RZZ99", payloadID, trackingID, itk.IdentityType, "urn:x"}
	names := []string{"type", "uri", "key", "value", "count", "id", "mimetype", "profileid", "metadata", "base64", "filename", "service", "trackingid", "a"}
	elements := []string{
		`<itk:id uri="urn:nhs-uk:identity:ods:RZZ99"/>`, `<itk:address uri="urn:x"/>`, `<itk:spec key="urn:y" value="z"/>`, `<itk:spec key="urn:y"/>`, `<itk:addresslist><itk:address uri="urn:x"/></itk:addresslist>`,
		`<itk:payload id="uuid_x"/>`, `<itk:senderAddress uri="urn:nhs-uk:addressing:ods:RZZ99"/>`, `<x/>`, `<!-- c -->`, `text`, `<![CDATA[ ]]>`,
	}
	envelope := systemRequest().envelope()
	header := strings.Index(envelope, "<CP-ISQueryStub")
	damage := func(s string) string {
		attributes, tags := attributeOf.FindAllStringIndex(s, -1), tagOf.FindAllStringIndex(s, -1)
		if len(attributes) == 0 || len(tags) == 0 {
			return s
		}
		at, tag := attributes[random.IntN(len(attributes))], tags[random.IntN(len(tags))]
		name, _, _ := strings.Cut(s[at[0]:at[1]], "=")
		switch random.IntN(4) {
		case 0:
			return s[:at[0]] + s[at[1]:]
		case 1:
			return s[:at[0]] + name + `="` + pick(values) + `"` + s[at[1]:]
		case 2:
			return s[:at[0]] + ` ` + pick(names) + `="` + pick(values) + `"` + s[at[0]:]
		default:
			return s[:tag[0]] + pick(elements) + s[tag[0]:]
		}
	}
	list := make([]string, tries)
	for i := range list {
		changed := damage(envelope[:header])
		if random.IntN(3) == 0 {
			changed = damage(changed)
		}
		list[i] = with(systemRequest().String(), envelope, changed+envelope[header:])
	}
	return list
}
