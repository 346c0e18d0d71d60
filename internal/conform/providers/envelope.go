package providers

import "strings"

const (
	payloadStart = `<itk:payload id="uuid_{payload}">`
	addressItem  = `<itk:address uri="` + addressPrefix + `{provider}"/>`
	senderURI    = `senderAddress uri="` + addressPrefix + `{organisation}"`
)

// manifestRefused is counts, ids and payloads (N3 to N7, N26, N31).
func manifestRefused() []trial {
	flag := func(id, name, value, title string) trial {
		return refused(id, title, "WRD-MSG-21", replace(` mimetype="text/xml"`, ` mimetype="text/xml" `+name+`="`+value+`"`))
	}
	return []trial{
		refused("N3-other-id", "No payload has the id of the manifest item.", "WRD-VAL-08", replace(payloadStart, `<itk:payload id="uuid_{other}">`)),
		refused("N3-no-item", "The manifest is empty.", "WRD-VAL-08", replace(`<itk:manifest count="1">`+manifestItem, `<itk:manifest count="0">`)),
		refused("N3-no-manifest", "There is no manifest.", "WRD-VAL-08", func(d *draft) { d.manifest = "" }),
		refused("N3-no-payload", "There is no payload.", "WRD-VAL-08", finally(func(doc string) string {
			return doc[:strings.Index(doc, "<itk:payload id")] + doc[strings.Index(doc, "</itk:payloads>"):]
		})),
		refused("N4-more", "The manifest counts more items than it has.", "WRD-VAL-08", replace(`manifest count="1"`, `manifest count="2"`)),
		refused("N4-none", "The manifest counts no item, but has one.", "WRD-VAL-08", replace(`manifest count="1"`, `manifest count="0"`)),
		refused("N4-missing", "The manifest has no count.", "WRD-VAL-08", replace(`manifest count="1"`, `manifest`)),
		refused("N4-word", "The count of the manifest is a word.", "WRD-VAL-08", replace(`manifest count="1"`, `manifest count="one"`)),
		refused("N4-negative", "The count of the manifest is negative.", "WRD-VAL-08", replace(`manifest count="1"`, `manifest count="-1"`)),
		refused("N5-more", "More payloads are counted than there are.", "WRD-VAL-08", replace(`payloads count="1"`, `payloads count="2"`)),
		refused("N5-missing", "The payloads have no count.", "WRD-VAL-08", replace(`payloads count="1"`, `payloads`)),
		refused("N5-word", "The count of the payloads is a word.", "WRD-VAL-08", replace(`payloads count="1"`, `payloads count="one"`)),
		refused("N6-differ", "There are two payloads and one manifest item.", "WRD-VAL-08",
			replace(`payloads count="1"`, `payloads count="2"`), func(d *draft) { d.afterPayload = `<itk:payload id="uuid_{other}"><x/></itk:payload>` }),
		refused("N6-items-differ", "There are two manifest items and one payload.", "WRD-VAL-08", replace(`manifest count="1"`, `manifest count="2"`, manifestItem, manifestItem+secondItem)),
		refused("N7-missing", "The payload has no id.", "WRD-VAL-08", replace(payloadStart, `<itk:payload>`)),
		refused("N7-empty", "The id of the payload is empty.", "WRD-VAL-08", replace(payloadStart, `<itk:payload id="">`)),
		refused("N26-json", "The manifest item is JSON.", "WRD-VAL-03", replace(`mimetype="text/xml"`, `mimetype="application/json"`)),
		refused("N26-other-xml", "The manifest item is of another XML type.", "WRD-VAL-03", replace(`mimetype="text/xml"`, `mimetype="application/hl7+xml"`)),
		flag("N31-base64", "base64", "true", "The payload is marked as base64."),
		flag("N31-base64-1", "base64", "1", "The payload is marked as base64, by a 1."),
		flag("N31-compressed", "compressed", "true", "The payload is marked as compressed."),
		flag("N31-encrypted", "encrypted", "true", "The payload is marked as encrypted."),
		refused("N31-two-payloads", "There are two payloads, rightly counted.", "WRD-MSG-20", func(d *draft) {
			d.afterPayload = `<itk:payload id="uuid_{other}">` + d.payload() + `</itk:payload>`
		}, replace(`manifest count="1"`, `manifest count="2"`, `payloads count="1"`, `payloads count="2"`, manifestItem, manifestItem+secondItem)),
	}
}

const secondItem = `<itk:manifestitem id="uuid_{other}" mimetype="text/xml" profileid="` + requestProfile + `"/>`

// envelopeRefused is what the schema of the DistributionEnvelope forbids (N19, N27).
func envelopeRefused() []trial {
	schema := func(id, title string, changes ...change) trial {
		return refused("N19-"+id, title, "WRD-VAL-03", changes...)
	}
	tracking := func(id, title, value string) trial {
		return refused("N19-tracking-"+id, title, "WRD-VAL-07", replace(` trackingid="{tracking}"`, value))
	}
	attributeOn := func(id, element string) trial {
		return schema(id, "An attribute that has no place stands on "+strings.TrimPrefix(element, "itk:")+".", replace(`<`+element+` `, `<`+element+` note="1" `))
	}
	sender := func(id, title, uri string) trial {
		return refused("N27-"+id, title, "WRD-VAL-03", replace(senderURI, `senderAddress uri="`+uri+`"`))
	}
	return []trial{
		tracking("lower-case", "The tracking id is in lower case.", ` trackingid="{tracking in lower case}"`),
		tracking("prefix", "The tracking id has a prefix.", ` trackingid="uuid_{tracking}"`),
		tracking("missing", "The tracking id is missing.", ``),
		tracking("no-uuid", "The tracking id is no UUID.", ` trackingid="{at 0s 150405.000000000}"`),
		tracking("reference", "The tracking id is written with a character reference.", ` trackingid="{tracking by reference}"`),
		tracking("space", "White space stands around the tracking id.", ` trackingid=" {tracking} "`),

		attributeOn("attribute-envelope", "itk:DistributionEnvelope"),
		attributeOn("attribute-header", "itk:header"),
		attributeOn("attribute-item", "itk:manifestitem"),
		attributeOn("attribute-manifest", "itk:manifest"),
		attributeOn("attribute-payloads", "itk:payloads"),
		attributeOn("attribute-payload", "itk:payload"),
		attributeOn("attribute-address", "itk:address"),
		attributeOn("attribute-spec", "itk:spec"),

		schema("foreign-element", "A foreign element stands in the header.", func(d *draft) { d.addresslist += `<x:y xmlns:x="urn:example:local"/>` }),
		schema("unknown-element", "An unknown element of the toolkit stands in the header.", func(d *draft) { d.handling += `<itk:more/>` }),
		schema("no-header", "There is no header.", finally(func(doc string) string {
			return doc[:strings.Index(doc, "<itk:header")] + doc[strings.Index(doc, "<itk:payloads"):]
		})),
		schema("two-headers", "There are two headers.", replace(`</itk:header>`, `</itk:header><itk:header/>`)),
		schema("header-last", "The header comes after the payloads.", finally(func(doc string) string {
			header := doc[strings.Index(doc, "<itk:header"):strings.Index(doc, "<itk:payloads")]
			return strings.NewReplacer(header, "", "</itk:payloads>", "</itk:payloads>"+header).Replace(doc)
		})),
		schema("audit-first", "The audit identity comes before the address list.", func(d *draft) { d.addresslist, d.audit = d.audit, d.addresslist }),
		schema("sender-first", "The sender comes before the manifest.", func(d *draft) { d.sender, d.manifest = d.manifest, d.sender }),
		schema("handling-first", "The handling specification comes before the sender.", func(d *draft) { d.sender, d.handling = d.handling, d.sender }),
		schema("two-senders", "There are two senders.", func(d *draft) { d.sender += d.sender }),
		schema("two-manifests", "There are two manifests.", func(d *draft) { d.manifest += d.manifest }),
		schema("after-payloads", "Something stands after the payloads.", replace(`</itk:payloads>`, `</itk:payloads><itk:more/>`)),
		schema("text", "Text stands between header and payloads.", replace(`<itk:payloads`, `x<itk:payloads`)),
		schema("no-address", "The address list is empty.", without(addressItem)),
		schema("address-no-uri", "An address has no URI.", replace(addressItem, `<itk:address/>`)),
		schema("address-content", "An address has content.", replace(addressItem, strings.TrimSuffix(addressItem, "/>")+`>x</itk:address>`)),
		schema("no-spec", "The handling specification is empty.", without(interaction)),
		schema("spec-no-value", "A handling entry has no value.", replace(` value="`+requestInteraction+`"`, ``)),
		schema("flag-no-boolean", "A flag of the manifest item is no truth value.", replace(` mimetype="text/xml"`, ` mimetype="text/xml" base64="no"`)),
		schema("id-no-name", "The payload id begins with a digit, so that it is no XML name.", replace(`"uuid_{payload}"`, `"1_{payload}"`)),
		schema("no-mimetype", "The manifest item has no mimetype.", without(` mimetype="text/xml"`)),
		schema("payload-empty", "The payload is empty.", func(d *draft) { d.edits = append(d.edits, edit{d.payload(), ""}) }),
		schema("payload-two-elements", "The payload holds two elements.", func(d *draft) { d.edits = append(d.edits, edit{d.payload(), d.payload() + `<x/>`}) }),
		schema("payload-text", "The payload holds text beside its element.", replace(payloadStart, payloadStart+"x")),
		schema("payload-cdata", "The payload is a CDATA section.", func(d *draft) { d.edits = append(d.edits, edit{d.payload(), "<![CDATA[" + d.payload() + "]]>"}) }),

		sender("identity", "The sender is an identity instead of an address.", identityPrefix+"{organisation}"),
		sender("url", "The sender is a URL.", "https://ed.example.invalid"),
		sender("prefix-only", "The sender is a prefix without anything after it.", "urn:nhs-uk:addressing:"),
		sender("space", "The sender holds a space.", addressPrefix+"{organisation} ED"),
	}
}

// handlingRefused is profile and interaction (N17, N28).
func handlingRefused() []trial {
	profile := func(id, title string, changes ...change) trial {
		w := fault("Client", "1000")
		w.says = []string{"profile"}
		return one("N17-"+id, title, "WRD-VAL-09 WRD-MSG-04", w, changes...)
	}
	handled := func(id, title string, changes ...change) trial {
		return refused("N28-"+id, title, "WRD-MSG-03", changes...)
	}
	other := func(value string) change { return replace(`value="`+requestInteraction+`"`, `value="`+value+`"`) }
	return []trial{
		profile("missing", "The manifest item has no profile id.", without(` profileid="`+requestProfile+`"`)),
		profile("unknown-version", "The profile id is of a version that does not exist.", replace(requestProfile, "urn:nhs-en:profile:CP-ISNHSQuery-v9-0")),
		profile("of-response", "The profile id is that of the response.", replace(requestProfile, responseProfile)),
		profile("of-another", "The profile id is that of another mini service.", replace(requestProfile, "urn:nhs-en:profile:getPatientDetailsRequest-v1-0")),
		profile("case", "The profile id is in other letters.", replace(requestProfile, strings.ToUpper(requestProfile))),
		handled("no-handling", "There is no handling specification.", func(d *draft) { d.handling = "" }),
		handled("missing", "No handling entry names an interaction.", replace(`key="`+interactionKey+`"`, `key="`+nsITK+`:ackrequested"`)),
		handled("unknown", "The interaction is that of another mini service.", other("urn:nhs-itk:interaction:getPatientDetailsRequest-v1-0")),
		handled("unknown-version", "The interaction is of a version that does not exist.", other("urn:nhs-itk:interaction:CP-ISNHSQuery-v9-0")),
		handled("of-response", "The interaction is that of the response.", other(responseInteraction)),
		handled("case", "The interaction is in other letters.", other(strings.ToLower(requestInteraction))),
		handled("two", "Two interactions are named.", replace(interaction, interaction+`<itk:spec key="`+interactionKey+`" value="urn:nhs-itk:interaction:getNHSNumberRequest-v1-0"/>`)),
	}
}

// envelopesAccepted is what clients may leave out or write out (L9, L10, L13, L17).
func envelopesAccepted() []trial {
	return []trial{
		accepted("L9-no-addresslist", "There is no address list.", "WRD-MSG-01", func(d *draft) { d.addresslist = "" }),
		accepted("L9-no-sender", "There is no sender.", "WRD-MSG-01", func(d *draft) { d.sender = "" }),
		accepted("L9-neither", "There is neither an address list nor a sender.", "WRD-MSG-01", func(d *draft) { d.addresslist, d.sender = "", "" }),
		accepted("L9-types", "The types of addresses and identities are written out.", "WRD-MSG-01", replace(`<itk:address uri`, `<itk:address type="`+oidAddress+`" uri`,
			`<itk:id uri`, `<itk:id type="`+oidIdentity+`" uri`, `<itk:senderAddress uri`, `<itk:senderAddress type="`+oidAddress+`" uri`)),
		accepted("L9-two-addresses", "The address list has two addresses.", "WRD-MSG-01", replace(addressItem, addressItem+`<itk:address uri="`+addressPrefix+`ZZ999"/>`)),
		accepted("L9-sender-longer", "The sender is a part of the organisation.", "WRD-MSG-01", replace(senderURI, `senderAddress uri="`+addressPrefix+`{organisation}:ed-7"`)),
		accepted("L10-flags-false", "The flags of the manifest item are written out as false.", "WRD-MSG-21",
			replace(` mimetype="text/xml"`, ` mimetype="text/xml" metadata="false" compressed="false" base64="false" encrypted="false"`)),
		accepted("L10-flags-zero", "The flags of the manifest item are written out as 0.", "WRD-MSG-21", replace(` mimetype="text/xml"`, ` mimetype="text/xml" compressed="0" base64="0" encrypted="0"`)),
		accepted("L10-filename", "The payload has a file name.", "WRD-MSG-01", replace(payloadStart, strings.TrimSuffix(payloadStart, ">")+` filename="query.xml">`)),
		accepted("L10-mimetype-case", "The mimetype of the manifest item is in other letters.", "WRD-MSG-01", replace(`mimetype="text/xml"`, `mimetype="Text/XML"`)),
		accepted("L13-uris", "White space stands around the URIs of the envelope.", "WRD-MSG-01", replace(`service="`+requestService+`"`, `service=" `+requestService+` "`,
			`profileid="`+requestProfile+`"`, `profileid=" `+requestProfile+` "`, `uri="{identity}"`, `uri=" {identity} "`, senderURI, `senderAddress uri=" `+addressPrefix+`{organisation} "`)),
		accepted("L13-interaction", "White space stands around the interaction.", "WRD-MSG-03", replace(`key="`+interactionKey+`"`, `key=" `+interactionKey+` "`, `value="`+requestInteraction+`"`, `value=" `+requestInteraction+` "`)),
		accepted("L17-more-specs", "Other handling entries stand before and after the interaction.", "WRD-MSG-03", replace(interaction,
			`<itk:spec key="`+nsITK+`:ackrequested" value="true"/>`+interaction+`<itk:spec key="`+nsITK+`:infackrequested" value="false"/>`)),
		accepted("L17-business-response", "A business response is requested by a handling entry.", "WRD-MSG-03", replace(interaction, interaction+`<itk:spec key="`+nsITK+`:busresponserequested" value="true"/>`)),
		accepted("L17-attributes-reversed", "The attributes of the interaction are in the other order.", "WRD-MSG-03", replace(interaction, `<itk:spec value="`+requestInteraction+`" key="`+interactionKey+`"/>`)),
		accepted("L21-shared-uuid", "The id of the query is that of the payload.", "WRD-MSG-05", replace(`<id root="{event}"/>`, `<id root="{payload}"/>`)),
		accepted("P2-profile-v1-1", "The profile id is of version 1.1.", "WRD-MSG-04", replace(requestProfile, "urn:nhs-en:profile:CP-ISNHSQuery-v1-1")),
		accepted("P2-profile-v2-0", "The profile id is of version 2.0.", "WRD-MSG-04", replace(requestProfile, "urn:nhs-en:profile:CP-ISNHSQuery-v2-0")),
		accepted("P2-schema-hint", "A schema is named, which is neither needed nor fetched.", "WS-STD-04",
			replace(`<itk:DistributionEnvelope`, `<itk:DistributionEnvelope xmlns:xsi="`+nsInstance+`" xsi:schemaLocation="`+nsITK+` https://schema.example.invalid/x.xsd"`)),
	}
}
