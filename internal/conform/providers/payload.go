package providers

import "strings"

const queryStart = `<cP-ISNHSQuery>`

// payloadRefused is a payload of another kind (N33), and a query that is not as it
// must be (N34) but for its author and its number.
func payloadRefused() []trial {
	other := func(id, title, payload string) trial {
		return refused("N33-"+id, title, "WRD-MSG-05", func(d *draft) { d.edits = append(d.edits, edit{d.payload(), payload}) })
	}
	broken := func(id, title string, changes ...change) trial {
		return invalid("N34-"+id, title, "WRD-VAL-13 WRD-RC-04", changes...)
	}
	time := func(value string) change {
		return func(d *draft) { d.effectiveTime = `<effectiveTime value="` + value + `"/>` }
	}
	event := func(value string) change { return func(d *draft) { d.eventID = `<id root="` + value + `"/>` } }
	return []trial{
		other("other-root", "The payload is another HL7 message.", `<CP-ISQuery xmlns="`+nsHL7+`"/>`),
		other("other-case", "The name of the payload is in other letters.", `<cp-isquerystub xmlns="`+nsHL7+`"/>`),
		other("other-namespace", "The payload is of another namespace.", `<CP-ISQueryStub xmlns="urn:example:other"/>`),
		other("no-namespace", "The payload has no namespace.", `<CP-ISQueryStub xmlns=""/>`),
		other("response", "The payload is a response.", `<CP-ISNHSQueryResponse xmlns="`+nsHL7+`"/>`),
		refused("N33-interaction", "The payload is the interaction of the Spine around the query.", "WRD-MSG-05", func(d *draft) {
			d.edits = append(d.edits, edit{d.payload(), `<QUPC_IN000006GB01 xmlns="` + nsHL7 + `">` + d.payload() + `</QUPC_IN000006GB01>`})
		}),

		broken("empty", "The payload has no query.", func(d *draft) {
			d.edits = append(d.edits, edit{d.payload(), `<CP-ISQueryStub xmlns="` + nsHL7 + `"/>`})
		}),
		broken("two-queries", "The payload has two queries.", replace(`</cP-ISNHSQuery>`, `</cP-ISNHSQuery><cP-ISNHSQuery/>`)),
		broken("query-case", "The name of the query is in other letters.", replace(`cP-ISNHSQuery>`, `CP-ISNHSQuery>`)),
		broken("time-missing", "effectiveTime is missing.", func(d *draft) { d.effectiveTime = "" }),
		broken("time-twice", "There are two effectiveTimes.", func(d *draft) { d.effectiveTime += d.effectiveTime }),
		broken("time-no-value", "effectiveTime has no value.", func(d *draft) { d.effectiveTime = `<effectiveTime/>` }),
		broken("time-no-zone", "effectiveTime has hours and no zone.", time("{at 0s 20060102150405}")),
		broken("time-iso", "effectiveTime is written as XML writes times.", time("{at 0s 2006-01-02T15:04:05}Z")),
		broken("time-no-such-day", "effectiveTime is the 30th of February.", time("20250230120000+0000")),
		broken("time-word", "effectiveTime is a word.", time("today")),
		broken("time-content", "effectiveTime has its time as content.", func(d *draft) { d.effectiveTime = `<effectiveTime>{at 0s 20060102150405}+0000</effectiveTime>` }),
		broken("id-missing", "The id of the query is missing.", func(d *draft) { d.eventID = "" }),
		broken("id-twice", "The query has two ids.", func(d *draft) { d.eventID += d.eventID }),
		broken("id-no-uuid", "The id of the query is no UUID.", event("42")),
		broken("id-prefix", "The id of the query has a prefix.", event("uuid_{event}")),
		broken("id-extension", "The id of the query has an extension.", func(d *draft) { d.eventID = `<id root="{event}" extension="1"/>` }),
		broken("id-reference", "The id of the query is written with a character reference.", event("{event by reference}")),
		broken("parameter-missing", "The query has no parameter.", func(d *draft) { d.parameter = "" }),
		broken("parameter-twice", "The query has two parameters.", func(d *draft) { d.parameter += d.parameter }),
		broken("order-time-id", "The id comes before effectiveTime.", func(d *draft) { d.effectiveTime, d.eventID = d.eventID, d.effectiveTime }),
		broken("order-author", "The parameter comes before the author.", func(d *draft) { d.author, d.parameter = d.parameter, d.author }),
		broken("foreign-element", "A foreign element stands in the query.", replace(queryStart, queryStart+`<x:y xmlns:x="urn:example:local"/>`)),
		broken("unknown-element", "An unknown HL7 element stands in the query.", replace(queryStart, queryStart+`<code code="1"/>`)),
		broken("text", "Text stands between the elements of the query.", replace(queryStart, queryStart+"x")),
		broken("attribute", "The query has an attribute that has no place.", replace(queryStart, `<cP-ISNHSQuery note="1">`)),
		broken("wrong-structure", "A structural attribute has another than its fixed value.", replace(queryStart, `<cP-ISNHSQuery classCode="OBS">`)),
		broken("namespace-below", "An element within the query is of another namespace.", func(d *draft) {
			d.eventID = strings.Replace(d.eventID, "<id ", `<id xmlns="urn:example:other" `, 1)
		}),
		broken("semantics", "The semanticsText of the parameter is another than its fixed text.", replace(`<person.NHSnumber>`, `<person.NHSnumber><semanticsText>NHS number</semanticsText>`)),
		broken("silent", "The query asks not to be recorded as an access.", func(d *draft) { d.afterQuery = `<accessEventType value="false"/>` }),
		broken("after", "Something stands after the parameter.", func(d *draft) { d.afterQuery = `<subject/>` }),
	}
}

const numberValue = `<value extension="{number}"/>`

// numbersRefused is the NHS number (N35). The numbers in the cases are of the 999
// range or too short, too long or too strange to be any.
func numbersRefused() []trial {
	number := func(id, title, digits string) trial {
		return invalid("N35-"+id, title, "WRD-VAL-14 WRD-RC-04", replace(numberValue, `<value extension="`+digits+`"/>`))
	}
	value := func(id, title, requirements, element string) trial {
		return invalid("N35-"+id, title, requirements, replace(numberValue, element))
	}
	return []trial{
		number("check-digit", "The check digit is wrong.", "9990000019"),
		number("swapped-digits", "Two digits are exchanged, so that the check digit is wrong.", "9990000981"),
		number("check-digit-ten", "The check digit would have to be 10, so that the number is never issued.", "9990000280"),
		number("nine-digits", "The number has nine digits.", "999000001"),
		number("eleven-digits", "The number has eleven digits.", "99900000180"),
		number("zero-before", "A zero stands before the number.", "09990000018"),
		number("grouped", "The number is grouped by spaces.", "999 000 0018"),
		number("hyphens", "The number is grouped by hyphens.", "999-000-0018"),
		number("space-before", "A space stands before the number.", " 9990000018"),
		number("space-after", "A space stands after the number.", "9990000018 "),
		number("line-end", "A line end stands after the number.", "9990000018\n"),
		number("letter", "The last digit is a letter.", "999000001B"),
		number("letter-o", "Letters O stand for zeros.", "999OOOOO18"),
		number("arabic-digits", "The digits are those of Arabic.", "٩٩٩٠٠٠٠٠١٨"),
		number("full-width-digits", "The digits are of full width.", "９９９００００１８０"),
		number("exponent", "The number is written with an exponent.", "9.99000E9"),
		number("word", "The number is a word.", "unknown"),
		number("two", "Two numbers are given in one value.", "9990000018,9990000026"),
		number("reference", "The number is written with a character reference.", "999&#48;000018"),
		value("missing", "The value has no number.", "WRD-VAL-14 WRD-RC-04", `<value/>`),
		value("no-value", "There is no value.", "WRD-VAL-13 WRD-RC-04", ``),
		value("twice", "There are two values.", "WRD-VAL-13 WRD-RC-04", numberValue+numberValue),
		value("other-root", "The number is of another numbering system.", "WRD-VAL-13 WRD-RC-04", `<value root="2.16.840.1.113883.2.1.3.2.4.18.24" extension="{number}"/>`),
		value("as-content", "The number is the content of its element.", "WRD-VAL-13 WRD-RC-04", `<value>{number}</value>`),
		value("with-content", "The element of the number has content too.", "WRD-VAL-13 WRD-VAL-20", `<value extension="{number}">x</value>`),
		value("null", "The number is said to be unknown.", "WRD-VAL-13 WRD-RC-04", `<value nullFlavor="UNK"/>`),
		value("cdata", "A CDATA section stands in the element of the number.", "WRD-VAL-20", `<value extension="{number}"><![CDATA[ ]]></value>`),
		invalid("N35-person-case", "The name of the person's element is in other letters.", "WRD-VAL-13 WRD-RC-04", replace("person.NHSnumber", "person.NHSNumber")),
	}
}

// payloadsAccepted is what real clients write into a payload (L13, L14, L18, L19).
func payloadsAccepted() []trial {
	return []trial{
		accepted("L14-white-space", "White space stands around every element of the payload.", "WRD-MSG-05", func(d *draft) {
			d.edits = append(d.edits, edit{d.payload(), strings.ReplaceAll(d.payload(), "><", ">\n\t<")})
		}),
		accepted("L14-comments", "Comments stand between the elements of the payload.", "WRD-VAL-20", replace(queryStart, ` <!-- a -->`+queryStart+`<!-- b -->`, `</author>`, `</author><!-- c -->`)),
		accepted("L14-envelope-comments", "Comments stand between the elements of the envelope.", "WRD-VAL-20", replace(`<itk:header`, `<!-- a --><itk:header`, `<itk:payloads`, `<!-- b --><itk:payloads`, payloadStart, payloadStart+`<!-- c -->`)),
		accepted("L18-query", "The query has its fixed classCode and moodCode.", "WRD-MSG-05", replace(queryStart, `<cP-ISNHSQuery classCode="CACT" moodCode="EVN">`)),
		accepted("L18-author", "The author has its fixed typeCode.", "WRD-MSG-05", replace(`<author>`, `<author typeCode="AUT">`)),
		accepted("L18-system", "System, authority and organisation have their fixed attributes.", "WRD-MSG-05", asSystem,
			replace(`<COCT_TP145104GB01.System>`, `<COCT_TP145104GB01.System classCode="MNT">`, `<indirectAuthority>`, `<indirectAuthority typeCode="INDAUTH">`,
				`<superiorAssignedEntity>`, `<superiorAssignedEntity classCode="ASSIGNED">`, `<assignedPerson>`, `<assignedPerson classCode="PSN" determinerCode="INSTANCE">`,
				`<maintainingOrganization>`, `<maintainingOrganization classCode="ORG" determinerCode="INSTANCE">`)),
		accepted("L18-person", "Author, person and organisation have their fixed attributes.", "WRD-MSG-05", asPerson,
			replace(`<COCT_TP145102GB01.AssignedAuthor>`, `<COCT_TP145102GB01.AssignedAuthor classCode="ASSIGNED">`,
				`<assignedAuthorPerson>`, `<assignedAuthorPerson classCode="PSN" determinerCode="INSTANCE">`,
				`<representedOrganization>`, `<representedOrganization classCode="ORG" determinerCode="INSTANCE">`)),
		accepted("L18-semantics", "The parameter has its fixed semanticsText.", "WRD-MSG-05", replace(`<person.NHSnumber>`, `<person.NHSnumber><semanticsText>Person.NHSnumber</semanticsText>`)),
		accepted("L18-root", "The NHS number has the root of NHS numbers.", "WRD-MSG-05", replace(numberValue, `<value root="`+oidNHSNumber+`" extension="{number}"/>`)),
		accepted("L19-lower-case", "The id of the query is in lower case.", "WRD-MSG-05", replace(`<id root="{event}"/>`, `<id root="{event in lower case}"/>`)),
		accepted("P3-time-minutes", "effectiveTime goes to the minute.", "WRD-MSG-05", func(d *draft) { d.effectiveTime = `<effectiveTime value="{at 0s 200601021504}+0000"/>` }),
		accepted("P3-time-fraction", "effectiveTime has a fraction of a second.", "WRD-MSG-05", func(d *draft) { d.effectiveTime = `<effectiveTime value="{at 0s 20060102150405}.123+0000"/>` }),
		accepted("P3-time-summer", "effectiveTime is in British Summer Time.", "WRD-MSG-05 MSCA-AUD-07", func(d *draft) { d.effectiveTime = `<effectiveTime value="{at 1h 20060102150405}+0100"/>` }),
		accepted("P3-time-date", "effectiveTime is a date.", "WRD-MSG-05", func(d *draft) { d.effectiveTime = `<effectiveTime value="{at 0s 20060102}"/>` }),
	}
}

// asSystem asks as a system, whoever the tester is.
func asSystem(d *draft) {
	d.author = systemAuthor
	d.audit = `<itk:auditIdentity>` + identityID + `</itk:auditIdentity>`
}
