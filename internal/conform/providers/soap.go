package providers

import "strings"

const mustUnderstand = ` soap:mustUnderstand="1"`

// soapRefused is what is no SOAP 1.1 message of one DistributionEnvelope (N1, N2, N30).
func soapRefused() []trial {
	mismatch, understand := fault("VersionMismatch", "1000"), fault("MustUnderstand", "1000")
	return []trial{
		one("N1-soap12", "The message is a SOAP 1.2 envelope.", "WRD-VAL-02", mismatch, replace(`"`+nsSOAP+`"`, `"`+nsSOAP12+`"`)),
		one("N1-soap12-media-type", "The message is a SOAP 1.2 envelope with the media type of SOAP 1.2.", "WRD-VAL-02", mismatch,
			replace(`"`+nsSOAP+`"`, `"`+nsSOAP12+`"`), carried(func(h *draftHTTP) { h.contentType = "application/soap+xml; charset=utf-8" })),
		one("N1-no-namespace", "The root is an Envelope without a namespace.", "WRD-VAL-02 WRD-MSG-16", mismatch,
			replace(`<soap:Envelope`, `<Envelope`, `</soap:Envelope>`, `</Envelope>`)),
		one("N1-other-element", "The root is another element of the SOAP namespace.", "WRD-VAL-02", mismatch, replace("soap:Envelope", "soap:Message")),
		one("N1-bare-payload", "The payload is sent without any envelope.", "WRD-VAL-02", mismatch, alone((*draft).payload)),
		one("N1-bare-envelope", "The DistributionEnvelope is sent without SOAP.", "WRD-VAL-02", mismatch, alone((*draft).envelope)),

		one("N2-foreign", "A foreign header block must be understood.", "WRD-MSG-18", understand, more(`<x:Local xmlns:x="urn:example:local"`+mustUnderstand+`>1</x:Local>`)),
		one("N2-foreign-true", "A foreign header block must be understood, said as true.", "WRD-MSG-18", understand,
			more(`<x:Local xmlns:x="urn:example:local" soap:mustUnderstand="true">1</x:Local>`)),
		one("N2-edition-2004", "A header block of the 2004 edition of WS-Addressing must be understood.", "WRD-MSG-18", understand,
			more(`<a:To xmlns:a="`+nsAddressed4+`"`+mustUnderstand+`>{to}</a:To>`)),
		one("N2-no-namespace", "A header block without a namespace must be understood.", "WRD-MSG-18 WRD-MSG-16", understand, more(`<Security`+mustUnderstand+`>1</Security>`)),
		one("N2-one-of-two", "Of two foreign header blocks the second must be understood.", "WRD-MSG-18", understand,
			more(`<x:A xmlns:x="urn:example:local" soap:mustUnderstand="0">1</x:A><x:B xmlns:x="urn:example:local"`+mustUnderstand+`>1</x:B>`)),

		refused("N30-no-body", "There is no Body.", "WRD-VAL-03", finally(func(doc string) string {
			return doc[:strings.Index(doc, "<soap:Body>")] + "</soap:Envelope>"
		})),
		refused("N30-two-bodies", "There are two Bodies.", "WRD-VAL-03", replace(`</soap:Envelope>`, `<soap:Body/></soap:Envelope>`)),
		refused("N30-empty-body", "The Body is empty.", "WRD-VAL-03", finally(func(doc string) string {
			return doc[:strings.Index(doc, "<itk:Dist")] + doc[strings.Index(doc, "</soap:Body>"):]
		})),
		refused("N30-body-first", "The Body comes before the Header.", "WRD-VAL-03", finally(func(doc string) string {
			header := doc[strings.Index(doc, "<soap:Header>"):strings.Index(doc, "<soap:Body>")]
			return strings.NewReplacer(header, "", "</soap:Body>", "</soap:Body>"+header).Replace(doc)
		})),
		refused("N30-two-headers", "There are two Headers.", "WRD-VAL-03", replace(`<soap:Body>`, `<soap:Header/><soap:Body>`)),
		refused("N30-two-envelopes", "The Body holds two DistributionEnvelopes.", "WRD-VAL-03", replace(`<soap:Body>`, `<soap:Body><itk:DistributionEnvelope xmlns:itk="`+nsITK+`"/>`)),
		refused("N30-something-beside", "Something stands beside the DistributionEnvelope.", "WRD-VAL-03", func(d *draft) { d.afterEnvelope = `<x/>` }),
		refused("N30-payload-alone", "The Body holds the payload without a DistributionEnvelope.", "WRD-VAL-03", func(d *draft) {
			d.edits = append(d.edits, edit{d.envelope(), d.payload()})
		}),
		refused("N30-older-envelope", "The DistributionEnvelope is of another edition of the toolkit.", "WRD-VAL-03 WRD-MSG-16", replace(`xmlns:itk="`+nsITK+`"`, `xmlns:itk="urn:nhs-itk:ns:200808"`)),
		refused("N30-fault", "The message is itself a fault.", "WRD-VAL-03", func(d *draft) {
			d.edits = append(d.edits, edit{d.envelope(), `<soap:Fault><faultcode>soap:Client</faultcode><faultstring>x</faultstring></soap:Fault>`})
		}),
	}
}

// alone sends a part of the message as the whole document.
func alone(part func(*draft) string) change {
	return func(d *draft) {
		whole, err := d.text()
		if err == nil {
			d.edits = append(d.edits, edit{whole, d.declaration + part(d)})
		}
	}
}

func more(blocks string) change { return func(d *draft) { d.more += blocks } }

const (
	toBlock      = `<wsa:To>{to}</wsa:To>`
	actionBlock  = `<wsa:Action>` + requestService + `</wsa:Action>`
	replyAddress = `<wsa:Address>` + anonymous + `</wsa:Address>`
)

func to(address string) change {
	return func(d *draft) { d.to = `<wsa:To>` + address + `</wsa:To>` }
}

func replyTo(content string) change {
	return func(d *draft) { d.replyTo = `<wsa:ReplyTo>` + content + `</wsa:ReplyTo>` }
}

// addressingRefused is wsa:Action, To, ReplyTo and From (N15, N16, N20 to N22, N25).
func addressingRefused() []trial {
	action := func(value string) change {
		return func(d *draft) { d.action = `<wsa:Action>` + value + `</wsa:Action>` }
	}
	service := func(value string) change {
		return replace(`service="`+requestService+`"`, `service="`+value+`"`)
	}
	const other = "urn:nhs-itk:services:201005:getPatientDetails-v1-0"
	return []trial{
		refused("N15-service", "The service of the envelope is not the wsa:Action.", "WRD-VAL-06", service(other)),
		refused("N15-service-longer", "The service of the envelope only begins as the wsa:Action does.", "WRD-VAL-06", service(requestService+"2")),
		refused("N15-service-case", "The service of the envelope is the wsa:Action in other letters.", "WRD-VAL-06", service(strings.ToUpper(requestService))),
		refused("N15-action", "The wsa:Action is that of the response.", "WRD-VAL-06", action(responseService)),
		refused("N15-action-missing", "The wsa:Action is missing.", "WRD-VAL-06", func(d *draft) { d.action = "" }),
		refused("N15-action-empty", "The wsa:Action is empty.", "WRD-VAL-06", action("")),
		refused("N15-action-twice", "There are two wsa:Actions.", "WRD-VAL-06", func(d *draft) { d.action += d.action }),
		refused("N15-action-split", "The wsa:Action is interrupted by a comment.", "WRD-VAL-06 WRD-VAL-20", action("urn:nhs-itk:services:<!-- -->201005:sendRecvDistEnvelope")),
		refused("N16-other-service", "Action and service are those of another mini service.", "WRD-MSG-02", action(other), service(other), noSOAPAction),
		refused("N16-response", "Action and service are those of the response.", "WRD-MSG-02", action(responseService), service(responseService), noSOAPAction),

		refused("N20-missing", "The wsa:To is missing.", "WRD-VAL-05", func(d *draft) { d.to = "" }),
		refused("N20-empty", "The wsa:To is empty.", "WRD-VAL-05", to("")),
		refused("N20-twice", "There are two wsa:To.", "WRD-VAL-05", func(d *draft) { d.to += d.to }),
		refused("N20-edition-2004", "The wsa:To is of the 2004 edition of WS-Addressing.", "WRD-VAL-05 WRD-MSG-16", func(d *draft) {
			d.to = `<a:To xmlns:a="` + nsAddressed4 + `">{to}</a:To>`
		}),
		refused("N21-other-host", "The wsa:To names another host.", "WRD-VAL-05", to("https://smsp.other.example.invalid/smsp/cpis")),
		refused("N21-other-scheme", "The wsa:To is without TLS.", "WRD-VAL-05", to("{to in plain HTTP}")),
		refused("N21-longer-path", "The wsa:To goes on after ours.", "WRD-VAL-05", to("{to}/other")),
		refused("N21-other-end", "The wsa:To ends in other letters than ours.", "WRD-VAL-05", to("{to}2")),
		refused("N21-query", "The wsa:To has a query.", "WRD-VAL-05", to("{to}?a=b")),
		refused("N21-fragment", "The wsa:To has a fragment.", "WRD-VAL-05", to("{to}#a")),
		refused("N21-no-url", "The wsa:To is no address at all.", "WRD-VAL-05", to("://%")),
		refused("N21-other-urn", "The wsa:To is a URN that is not ours.", "WRD-VAL-05", to("urn:nhs-uk:addressing:ods:ZZ999")),
		refused("N21-anonymous", "The wsa:To is the anonymous address.", "WRD-VAL-05", to(anonymous)),
		refused("N21-two-in-one", "The wsa:To holds two addresses.", "WRD-VAL-05", to("{to} {to}")),

		refused("N22-other", "Replies are wanted at another address.", "WRD-VAL-11", replyTo(`<wsa:Address>https://ed.example.invalid/replies</wsa:Address>`)),
		refused("N22-edition-2004", "Replies are wanted at the anonymous address of the 2004 edition.", "WRD-VAL-11",
			replyTo(`<wsa:Address>`+nsAddressed4+`/role/anonymous</wsa:Address>`)),
		refused("N22-none", "Replies are wanted nowhere, by the address that means none.", "WRD-VAL-11", replyTo(`<wsa:Address>`+nsAddressing+`/none</wsa:Address>`)),
		refused("N22-no-address", "The wsa:ReplyTo has no address.", "WRD-VAL-11", replyTo("")),
		refused("N22-two-addresses", "The wsa:ReplyTo has two addresses.", "WRD-VAL-11", replyTo(replyAddress+replyAddress)),
		refused("N22-twice", "There are two wsa:ReplyTo.", "WRD-VAL-11", func(d *draft) { d.replyTo += d.replyTo }),

		refused("N25-parameters", "The wsa:From holds reference parameters.", "WS-ADR-08", replace(`</wsa:Address></wsa:From>`, `</wsa:Address><wsa:ReferenceParameters/></wsa:From>`)),
		refused("N25-properties", "The wsa:From holds reference properties.", "WS-ADR-08",
			replace(`</wsa:Address></wsa:From>`, `</wsa:Address><x:ReferenceProperties xmlns:x="`+nsAddressed4+`"/></wsa:From>`)),
	}
}

func messageID(value string) change {
	return func(d *draft) { d.messageID = `<wsa:MessageID>` + value + `</wsa:MessageID>` }
}

// idsRefused is the wsa:MessageID and what ids must not share (N23, N24).
func idsRefused() []trial {
	return []trial{
		refused("N23-missing", "The wsa:MessageID is missing.", "WS-ADR-01a", func(d *draft) { d.messageID = "" }),
		refused("N23-empty", "The wsa:MessageID is empty.", "WS-ADR-01a", messageID("")),
		refused("N23-no-uuid", "The wsa:MessageID holds no UUID.", "WS-ADR-01a", messageID("urn:message:{at 0s 20060102150405.000000000}")),
		refused("N23-short", "The UUID of the wsa:MessageID lacks its last digit.", "WS-ADR-01a", messageID("{message, its last digit missing}")),
		refused("N23-no-hyphens", "The UUID of the wsa:MessageID has no hyphens.", "WS-ADR-01a", messageID("{message, without hyphens}")),
		refused("N23-no-hex", "The UUID of the wsa:MessageID has a letter that is no hexadecimal digit.", "WS-ADR-01a", messageID("{message, a letter G in it}")),
		refused("N23-braces", "The UUID of the wsa:MessageID stands in brackets.", "WS-ADR-01a", messageID("[{message}]")),
		refused("N23-text-after", "Text follows the UUID in the wsa:MessageID.", "WS-ADR-01a", messageID("{message}-2")),
		refused("N23-digits-before", "A digit stands before the UUID in the wsa:MessageID.", "WS-ADR-01a", messageID("1:{message}")),
		refused("N23-twice", "There are two wsa:MessageIDs.", "WS-ADR-01a", func(d *draft) { d.messageID += d.messageID }),
		refused("N23-comment", "A comment stands in the wsa:MessageID.", "WRD-VAL-20", messageID("{message, a comment in it}")),
		refused("N23-cdata", "The wsa:MessageID is a CDATA section.", "WRD-VAL-20", messageID("<![CDATA[{message}]]>")),
		refused("N23-reference", "The wsa:MessageID is written with a character reference.", "WRD-VAL-20", messageID("{message by reference}")),
		refused("N23-element", "The wsa:MessageID holds an element.", "WS-ADR-01a", messageID("{message}<x/>")),
		refused("N23-edition-2004", "The MessageID is of the 2004 edition of WS-Addressing.", "WS-ADR-01a WRD-MSG-16", func(d *draft) {
			d.messageID = `<a:MessageID xmlns:a="` + nsAddressed4 + `">{message}</a:MessageID>`
		}),
		refused("N23-no-header", "There is no SOAP Header at all.", "WS-ADR-01a WRD-VAL-10", func(d *draft) { d.edits = append(d.edits, edit{d.header(), ""}) }),

		refused("N24-message-tracking", "The wsa:MessageID is the tracking id.", "WS-ADR-01a", messageID("{tracking}")),
		refused("N24-message-tracking-other-form", "The wsa:MessageID is the tracking id, with a prefix and in lower case.", "WS-ADR-01a", messageID("urn:uuid:{tracking in lower case}")),
		refused("N24-message-payload", "The wsa:MessageID is the payload id.", "WS-ADR-01a", messageID("{payload}")),
		refused("N24-message-stamp", "The wsa:MessageID is the id of the timestamp.", "WS-ADR-01a", messageID("{stamp}")),
		refused("N24-stamp-payload", "The id of the timestamp is the payload id.", "WRD-VAL-03", replace(`wsu:Id="uuid_{stamp}"`, `wsu:Id="uuid_{payload}"`)),
		refused("N24-stamp-tracking", "The id of the timestamp is the tracking id.", "WRD-VAL-03", replace(`wsu:Id="uuid_{stamp}"`, `wsu:Id="{tracking}"`)),
		refused("N24-tracking-payload", "The tracking id is the payload id.", "WRD-VAL-03", replace(`trackingid="{tracking}"`, `trackingid="{payload}"`)),
		refused("N24-item-not-payload", "The id of the manifest item is not that of the payload.", "WRD-VAL-08", replace(`manifestitem id="uuid_{payload}"`, `manifestitem id="uuid_{other}"`)),
	}
}
