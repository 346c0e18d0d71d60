package providers

import "strings"

// namesAccepted is namespaces and prefixes in every style (L3).
func namesAccepted() []trial {
	style := func(id, title string, changes ...change) trial {
		return accepted("L3-"+id, title, "WRD-MSG-16", changes...)
	}
	return []trial{
		style("prefixes", "Every prefix is another one than usual.", finally(renamed("SOAP-ENV", "a", "s", "u", "ns2"))),
		style("short-prefixes", "Every prefix is a single letter.", finally(renamed("s", "w", "e", "t", "k"))),
		style("exchanged-prefixes", "The prefixes are those usual for other namespaces.", finally(renamed("itk", "soap", "wsu", "wsse", "wsa"))),
		style("envelope-default", "The DistributionEnvelope is in a default namespace.", finally(func(doc string) string {
			return strings.NewReplacer("xmlns:itk=", "xmlns=", "<itk:", "<", "</itk:", "</").Replace(doc)
		})),
		style("soap-default", "The SOAP envelope is in a default namespace.", finally(func(doc string) string {
			return strings.NewReplacer("xmlns:soap=", "xmlns=", "<soap:", "<", "</soap:", "</").Replace(doc)
		})),
		style("payload-prefix", "The HL7 payload has a prefix.", func(d *draft) {
			prefixed := strings.NewReplacer("</npfitlc:", "</npfitlc:", "<npfitlc:", "<npfitlc:", "</", "</hl7:", "<", "<hl7:", "xmlns=", "xmlns:hl7=").Replace(d.payload())
			// The parts of the name are filled in later.
			d.edits = append(d.edits, edit{d.payload(), strings.ReplaceAll(prefixed, "{name}", "<hl7:given>Casey</hl7:given><hl7:family>Thornbeck</hl7:family>")})
		}),
		style("all-on-root", "Every namespace is declared on the root.", finally(func(doc string) string {
			const declared = ` xmlns:itk="` + nsITK + `"`
			const local = ` xmlns:npfitlc="` + nsLocal + `"`
			return strings.Replace(strings.NewReplacer(declared, "", local, "").Replace(doc), `<soap:Envelope`, `<soap:Envelope`+declared+local, 1)
		})),
		style("declared-again", "Namespaces are declared again where they already hold.", replace(`<wsse:Security>`, `<wsse:Security xmlns:wsse="`+nsSecurity+`" xmlns:wsu="`+nsUtility+`">`)),
		style("declared-late", "A namespace is declared on the element that uses it.", func(d *draft) {
			d.to = `<addr:To xmlns:addr="` + nsAddressing + `">{to}</addr:To>`
		}),
		style("unused", "Namespaces are declared that nothing uses.", func(d *draft) {
			d.namespaces += ` xmlns:xsi="` + nsInstance + `" xmlns:xsd="http://www.w3.org/2001/XMLSchema"`
		}),
	}
}

// renamed replaces the prefixes soap, wsa, wsse, wsu and itk.
func renamed(prefixes ...string) func(string) string {
	var oldnew []string
	for i, old := range []string{"soap", "wsa", "wsse", "wsu", "itk"} {
		for _, around := range []string{"<", "</", "xmlns:", " "} {
			end := ":"
			if around == "xmlns:" {
				end = "="
			}
			oldnew = append(oldnew, around+old+end, around+prefixes[i]+end)
		}
	}
	return strings.NewReplacer(oldnew...).Replace
}

// headersAccepted is header blocks in every order and form (L4 to L8, L13).
func headersAccepted() []trial {
	header := func(id, title, requirements string, changes ...change) trial {
		return accepted(id, title, requirements, changes...)
	}
	return []trial{
		header("L4-token-first", "The UsernameToken comes before the Timestamp.", "WRD-MSG-19", replace(timestampBlock+tokenBlock, tokenBlock+timestampBlock)),
		header("L4-security-first", "The Security header comes first.", "WRD-MSG-19", func(d *draft) { d.messageID, d.security = d.security+d.messageID, "" }),
		header("L4-reversed", "The header blocks come in reverse order.", "WRD-MSG-19", func(d *draft) {
			d.messageID, d.action, d.to, d.from, d.replyTo, d.security = d.security, d.replyTo, d.from, d.to, d.action, d.messageID
		}),
		header("L4-expires-first", "Expires comes before Created.", "WRD-MSG-19", replace(createdElement+expiresElement, expiresElement+createdElement)),
		header("L4-attributes", "The Security header has further attributes.", "WRD-MSG-19", replace(`<wsse:Security>`, `<wsse:Security soap:actor="urn:example:x" note="1">`)),
		header("L4-signature", "There is a signature, which is not relied on.", "WRD-MSG-22", replace(`</wsse:Security>`, `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></wsse:Security>`)),
		header("L4-password", "The token has a password, which is not relied on.", "WRD-MSG-19",
			replace(`</wsse:Username>`, `</wsse:Username><wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">secret</wsse:Password>`)),
		header("L5-no-id", "The Timestamp has no id.", "WRD-MSG-19", without(` wsu:Id="uuid_{stamp}"`)),
		header("L5-id-no-uuid", "The id of the Timestamp is no UUID.", "WRD-MSG-19", replace(`uuid_{stamp}`, `TS-7`)),
		header("L5-id-lower-case", "The id of the Timestamp is in lower case.", "WRD-MSG-19", replace(`uuid_{stamp}`, `uuid_{stamp in lower case}`)),
		header("L5-token-id", "The token has an id that is no UUID.", "WRD-MSG-19", replace(`<wsse:UsernameToken>`, `<wsse:UsernameToken wsu:Id="UsernameToken-7">`)),
		header("L6-lower-case", "The wsa:MessageID is in lower case.", "WS-ADR-01b WRD-MSG-14", messageID("{message in lower case}")),
		header("L6-urn-uuid", "The wsa:MessageID has the prefix urn:uuid:.", "WS-ADR-01b WRD-MSG-14", messageID("urn:uuid:{message}")),
		header("L6-urn-uuid-lower-case", "The wsa:MessageID has the prefix urn:uuid: and is in lower case.", "WS-ADR-01b WRD-MSG-14", messageID("urn:uuid:{message in lower case}")),
		header("L6-uuid-colon", "The wsa:MessageID has the prefix uuid:.", "WS-ADR-01b WRD-MSG-14", messageID("uuid:{message}")),
		header("L6-uuid-underscore", "The wsa:MessageID has the prefix uuid_.", "WS-ADR-01b WRD-MSG-14", messageID("uuid_{message}")),
		header("L7-addressing", "Addressing headers must be understood.", "WRD-MSG-18", replace(`<wsa:Action>`, `<wsa:Action soap:mustUnderstand="1">`, `<wsa:To>`, `<wsa:To soap:mustUnderstand="1">`, `<wsa:MessageID>`, `<wsa:MessageID soap:mustUnderstand="1">`)),
		header("L7-addressing-true", "An addressing header must be understood, said as true.", "WRD-MSG-18", replace(`<wsa:To>`, `<wsa:To soap:mustUnderstand="true">`)),
		header("L7-reply-to", "The wsa:ReplyTo must be understood.", "WRD-MSG-18", replace(`<wsa:ReplyTo>`, `<wsa:ReplyTo soap:mustUnderstand="1">`)),
		header("L7-security", "The Security header must be understood.", "WRD-MSG-18", replace(`<wsse:Security>`, `<wsse:Security soap:mustUnderstand="1">`)),
		header("L7-foreign", "A foreign header block need not be understood.", "WRD-MSG-18", more(`<x:Local xmlns:x="urn:example:local" soap:mustUnderstand="0">1</x:Local>`)),
		header("L7-foreign-silent", "A foreign header block says nothing of being understood.", "WRD-MSG-18", more(`<x:Local xmlns:x="urn:example:local">1</x:Local>`)),
		header("L8-no-from", "There is no wsa:From.", "WRD-VAL-11", func(d *draft) { d.from = "" }),
		header("L8-no-reply-to", "There is no wsa:ReplyTo.", "WRD-VAL-11", func(d *draft) { d.replyTo = "" }),
		header("L8-neither", "There is neither a wsa:From nor a wsa:ReplyTo.", "WRD-VAL-11", func(d *draft) { d.from, d.replyTo = "", "" }),
		header("L8-fault-to", "There is a wsa:FaultTo, which is not used.", "WRD-VAL-11", more(`<wsa:FaultTo>`+replyAddress+`</wsa:FaultTo>`)),
		header("L8-from-no-uri", "The wsa:From is no URI.", "WS-ADR-08", replace(`https://ed.example.invalid/cpis`, `Emergency Department`)),
		header("L8-from-empty", "The wsa:From is empty.", "WS-ADR-08", func(d *draft) { d.from = `<wsa:From/>` }),
		header("L8-from-anonymous", "The wsa:From is the anonymous address.", "WS-ADR-08", replace(`https://ed.example.invalid/cpis`, anonymous)),
		header("L13-message-id", "White space stands around the wsa:MessageID.", "WRD-MSG-14", messageID("\n\t{message} \n")),
		header("L13-to", "White space stands around wsa:To and wsa:Action.", "WRD-VAL-05", to(" {to}\n"), replace(actionBlock, `<wsa:Action> `+requestService+"\r\n</wsa:Action>")),
		header("L13-reply-to", "White space stands around the address for replies.", "WRD-VAL-11", replyTo(`<wsa:Address> `+anonymous+` </wsa:Address>`)),
		header("L13-username", "White space stands around the user name.", "WRD-VAL-12", replace(`<wsse:Username>{username}<`, "<wsse:Username>\n {username} <")),
		header("L13-layout", "The whole header is indented, a block on each line.", "WRD-VAL-03", func(d *draft) {
			d.edits = append(d.edits, edit{d.header(), strings.ReplaceAll(d.header(), "><", ">\n    <")})
		}),
		header("P1-to-host-case", "The host of the wsa:To is in upper case.", "WRD-VAL-05", to("{to, its own host}")),
		header("P1-to-slash", "A slash ends the wsa:To.", "WRD-VAL-05", to("{to}/")),
	}
}
