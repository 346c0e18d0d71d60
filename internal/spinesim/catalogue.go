package spinesim

// Response codes that a provider should give, in the rows of the catalogue.
const (
	codeFound    = "SMSP-0000"
	codeNoRecord = "CPIS-0001"
	codeUnclear  = "SMSP-0002" // an answer came that cannot be relied on
	codeLost     = "CPIS-9999" // asked, and no usable answer
	codeOurs     = "SMSP-9999" // asked, and the fault is the provider's
)

// successes are answers, and honest "not found"s, in every shape that occurs.
func successes() []row {
	return []row{
		{name: AsStored, processed: true, code: codeFound, summary: "the answer by what the store holds: found, or not found for any number without a record (then CPIS-0001)", compose: asStored},
		{name: "found", number: "9990010013", processed: true, record: true, code: codeFound, summary: "found", compose: found(nil)},
		{name: "found-harness-shape", number: "9990010021", processed: true, record: true, code: codeFound, summary: "found in the shape of Spine's test harness: all accesses in one element, no id in Child, family before given, lower-case authority codes, history times without zone", compose: found(func(_ *envelope, a *answer) { a.harness = true })},
		{name: "found-prefixed", number: "9990010048", processed: true, record: true, code: codeFound, summary: "found with other namespace prefixes: SOAP-ENV, a, hl7", compose: found(func(e *envelope, _ *answer) { e.soap, e.wsa, e.hl7 = "SOAP-ENV", "a", "hl7" })},
		{name: "found-version-code-1", number: "9990010056", processed: true, record: true, code: codeFound, summary: "found with versionCode 1", compose: found(func(e *envelope, _ *answer) { e.versionCode = "1" })},
		{name: "found-empty-to", number: "9990010064", processed: true, record: true, code: codeFound, summary: "found with an empty wsa:To", compose: found(func(e *envelope, _ *answer) { e.to = "" })},
		{name: "found-swapped-asids", number: "9990010072", processed: true, record: true, code: codeFound, summary: "found with the ASIDs of sender and receiver exchanged", compose: found(func(e *envelope, _ *answer) { e.sender, e.receiver = e.receiver, e.sender })},
		{name: "found-bare", number: "9990010080", processed: true, record: true, code: codeFound, summary: "found with the interaction directly in the SOAP body", compose: found(func(e *envelope, _ *answer) { e.wrapped = false })},
		{name: "found-http-500", number: "9990010099", processed: true, record: true, code: codeFound, summary: "found under HTTP status 500", compose: withStatus(500, found(nil))},
		{name: "found-twice", number: "9990010102", processed: true, record: true, code: codeFound, summary: "found, and the same reply once more on the connection, unasked", compose: found(nil), deliver: twice},
		{name: "relates-to-missing", number: "9990010110", processed: true, record: true, code: codeFound, summary: "found without wsa:RelatesTo", compose: found(func(e *envelope, _ *answer) { e.relatesTo = "" })},
		{name: "end-date-nil", number: "9990010129", processed: true, record: true, code: codeFound, summary: "found, the first plan's end date nil", compose: found(func(_ *envelope, a *answer) { a.records[0].plans[0].nilEnd = true })},
		{name: "end-before-start", number: "9990010137", processed: true, record: true, code: codeFound, summary: "found, the first plan ending before it starts", compose: found(func(_ *envelope, a *answer) {
			p := &a.records[0].plans[0]
			p.start, p.end = "202003010000", "202002010000"
		})},
		{name: "plan-unknown-same-form", number: "9990010145", processed: true, record: true, code: codeFound, summary: "found, the first plan of an unknown type in the usual form", compose: found(func(_ *envelope, a *answer) {
			p := &a.records[0].plans[0]
			p.template, p.contentID, p.stem = "COCT_TP146199GB01.FCPInformation", "COCT_TP146199GB01#FCPInformation", "fCP"
		})},
		{name: "delay", number: "9990010153", processed: true, code: codeFound, summary: "the answer by store content after two seconds, or the step's delay", compose: asStored, deliver: delayed},
		{name: "not-found", number: "9990010161", code: codeNoRecord, summary: "not found: QUQI with the reasons 1 and NHSNCC002, wrapped", compose: notFound},
		{name: "not-found-bare", number: "9990010188", code: codeNoRecord, summary: "not found: QUQI directly in the SOAP body, hl7: prefix, no queryAck, ASIDs exchanged", compose: func(c *call) response {
			e := c.envelope()
			e.wrapped, e.hl7, e.to = false, "hl7", ""
			e.sender, e.receiver = e.receiver, e.sender
			return e.failed(c.buf, reasonsNotFound(), "")
		}},
		{name: "zero-records", number: "9990010196", code: codeNoRecord, summary: "a complete success whose record total is an explicit 0, with no record, the asker the only access", compose: emptySuccess("0")},
	}
}

// refusals are Spine saying no.
func refusals() []row {
	notFoundAnd := append(reasonsNotFound(), reason{"17", "NHS Number Superseded", "ER"})
	business := []reason{{"GE002", "Unexpected business error encountered.", "ER"}}
	return []row{
		{name: "not-found-extra-reason", number: "9990010218", lateNumber: "9990020019", code: codeLost, summary: "QUQI with the two reasons of not found and a third, 17", compose: failedWith(notFoundAnd, nil)},
		{name: "not-found-warning-only", number: "9990010226", code: codeLost, summary: "QUQI whose only reason, 1, is a warning (WG)", compose: failedWith([]reason{{"1", "NHS Number Not Found", "WG"}}, nil)},
		{name: "quqi-no-reason", number: "9990010234", lateNumber: "9990020027", code: codeUnclear, summary: "QUQI without any reason", compose: failedWith(nil, nil)},
		{name: "mcci-ae", number: "9990010242", lateNumber: "9990020035", code: codeLost, summary: "MCCI AE with GE002, directly in the SOAP body", compose: acked(false, "AE", business, "", "")},
		{name: "mcci-ae-wrapped", number: "9990010250", code: codeLost, summary: "MCCI AE with GE002, wrapped", compose: acked(true, "AE", business, "", "")},
		{name: "mcci-ar-duplicate", number: "9990010269", lateNumber: "9990020043", code: codeOurs, summary: "MCCI AR 202, duplicate HL7 id, although it is not", compose: duplicate},
		{name: "mcci-ar", number: "9990010277", code: codeLost, summary: "MCCI AR with another code, 205", compose: acked(true, "AR", nil, "205", "Message rejected")},
		{name: "mcci-aa", number: "9990010285", lateNumber: "9990020051", code: codeUnclear, summary: "MCCI AA and nothing else", compose: acked(true, "AA", nil, "", "")},
		{name: "fault-101", number: "9990010293", code: codeLost, summary: "SOAP fault 101, interaction not supported, faultcode Client", compose: unsupported},
		{name: "fault-200", number: "9990010307", lateNumber: "9990020078", code: codeLost, summary: "SOAP fault 200, system failure", compose: systemFailure(500)},
		{name: "fault-206", number: "9990010315", lateNumber: "9990020086", code: codeLost, summary: "SOAP fault 206, routing or delivery failure", compose: fault(500, "Server", "206", "Not Supported", "Routing or delivery failure")},
		{name: "fault-http-200", number: "9990010323", lateNumber: "9990020094", code: codeLost, summary: "SOAP fault 200 under HTTP status 200", compose: systemFailure(200)},
	}
}

// contradictions are well-formed answers that must not be believed, but for a
// total below what was sent, which hides nothing.
func contradictions() []row {
	return []row{
		{name: "record-total-missing", number: "9990010331", code: codeUnclear, summary: "a success without records and without a record total", compose: emptySuccess("")},
		{name: "record-total-not-a-number", number: "9990010358", code: codeUnclear, summary: "a success without records whose record total is a word", compose: emptySuccess("none")},
		{name: "no-subject", number: "9990010366", processed: true, record: true, code: codeUnclear, summary: "a success without its payload", compose: found(func(_ *envelope, a *answer) { a.noSubject = true })},
		{name: "response-code-nf", number: "9990010374", processed: true, record: true, code: codeUnclear, summary: "a success whose queryResponseCode is NF", compose: found(func(_ *envelope, a *answer) { a.responseCode = "NF" })},
		{name: "records-more-than-sent", number: "9990010382", processed: true, record: true, code: codeUnclear, summary: "one record more declared than sent", compose: found(func(_ *envelope, a *answer) { a.recordTotal = more(len(a.records), 1) })},
		{name: "records-fewer-than-sent", number: "9990010390", processed: true, record: true, code: codeFound, summary: "one record fewer declared than sent", compose: found(func(_ *envelope, a *answer) { a.recordTotal = more(len(a.records), -1) })},
		{name: "accesses-more-than-sent", number: "9990010404", processed: true, record: true, code: codeUnclear, summary: "one access more declared than sent", compose: found(func(_ *envelope, a *answer) { a.accessTotal = more(len(a.history), 1) })},
		{name: "accesses-fewer-than-sent", number: "9990010412", processed: true, record: true, code: codeFound, summary: "one access fewer declared than sent", compose: found(func(_ *envelope, a *answer) { a.accessTotal = more(len(a.history), -1) })},
		{name: "other-patient-subject", number: "9990010420", processed: true, record: true, code: codeUnclear, summary: "found, the subject's NHS number another child's", compose: found(func(_ *envelope, a *answer) { a.subject = strangerNumber })},
		{name: "other-patient-history", number: "9990010439", processed: true, record: true, code: codeUnclear, summary: "found, the NHS number in the last access another child's", compose: found(func(_ *envelope, a *answer) { a.asked = strangerNumber })},
		{name: "previous-answer", number: "9990010447", processed: true, code: codeUnclear, summary: "the reply to the query before this one", compose: previousAnswer},
		{name: "relates-to-other", number: "9990010455", processed: true, record: true, code: codeUnclear, summary: "found, wsa:RelatesTo naming another message", compose: found(func(e *envelope, _ *answer) { e.relatesTo = "uuid:" + derivedID("another message") })},
		{name: "not-found-relates-to-other", number: "9990010463", code: codeUnclear, summary: "not found, wsa:RelatesTo naming another message", compose: failedWith(reasonsNotFound(), func(e *envelope) { e.relatesTo = "uuid:" + derivedID("another message") })},
		{name: "message-ref-other", number: "9990010471", code: codeUnclear, summary: "not found, messageRef naming another message", compose: failedWith(reasonsNotFound(), func(e *envelope) { e.messageRef = derivedID("another message") })},
		{name: "plan-unknown-other-form", number: "9990010498", processed: true, record: true, code: codeUnclear, summary: "found, the first plan of an unknown type and form", compose: found(func(_ *envelope, a *answer) {
			p := &a.records[0].plans[0]
			p.template, p.contentID = "COCT_TP146198GB01.SafetyPlan", "COCT_TP146198GB01#SafetyPlan"
			a.otherForm = true
		})},
		{name: "content-id-contradicts", number: "9990010501", processed: true, record: true, code: codeUnclear, summary: "found, the first plan's contentId naming another template than the one beside it", compose: found(func(_ *envelope, a *answer) { a.records[0].plans[0].contentID = "COCT_TP146103GB01#LACInformation" })},
	}
}

// brokenReplies are not a reply at all, or broken as XML or HTTP.
func brokenReplies() []row {
	return []row{
		{name: "huge-body", number: "9990010528", processed: true, record: true, code: codeUnclear, summary: "found, made four mebibytes long by space before the body", compose: found(func(e *envelope, _ *answer) { e.padding = 4 << 20 })},
		{name: "dtd", number: "9990010536", processed: true, record: true, code: codeUnclear, summary: "found, preceded by a document type declaration", compose: rewritten(found(nil), xmlDeclaration, xmlDeclaration+`<!DOCTYPE x [<!ENTITY council "Westmarch">]>`)},
		{name: "malformed-xml", number: "9990010544", processed: true, record: true, code: codeUnclear, summary: "found, one end tag misspelt", compose: rewritten(found(nil), "queryAck>", "queryAkc>")},
		{name: "truncated-xml", number: "9990010552", processed: true, record: true, code: codeUnclear, summary: "found, the second half of the document missing, its Content-Length that of the half", compose: halved(found(nil))},
		{name: "truncated-body", number: "9990010560", processed: true, record: true, code: codeLost, summary: "found, the HTTP body shorter than its Content-Length", compose: found(nil), deliver: cutShort},
		{name: "http-401", number: "9990010579", lateNumber: "9990020108", code: codeLost, summary: "HTML page under HTTP status 401", compose: page(401)},
		{name: "http-403", number: "9990010587", lateNumber: "9990020116", code: codeLost, summary: "HTML page under HTTP status 403", compose: page(403)},
		{name: "http-404", number: "9990010595", lateNumber: "9990020124", code: codeLost, summary: "HTML page under HTTP status 404", compose: page(404)},
		{name: "http-502", number: "9990010609", lateNumber: "9990020132", code: codeLost, summary: "HTML page under HTTP status 502", compose: page(502)},
		{name: "http-503", number: "9990010617", lateNumber: "9990020140", code: codeLost, summary: "HTML page under HTTP status 503", compose: page(503)},
		{name: "http-504", number: "9990010625", lateNumber: "9990020159", code: codeLost, summary: "HTML page under HTTP status 504", compose: page(504)},
		{name: "redirect", number: "9990010633", lateNumber: "9990020167", code: codeLost, summary: "redirect 302 to the same service under a query string", compose: redirect},
		{name: "html-200", number: "9990010641", lateNumber: "9990020175", code: codeLost, summary: "HTML page under HTTP status 200", compose: page(200)},
		{name: "empty-200", number: "9990010668", lateNumber: "9990020183", code: codeUnclear, summary: "HTTP status 200, text/xml, empty body", compose: func(*call) response { return xmlResponse(200, nil) }},
		{name: "json-200", number: "9990010676", lateNumber: "9990020191", code: codeLost, summary: "JSON under HTTP status 200", compose: func(*call) response {
			return response{status: 200, contentType: "application/json", body: []byte(`{"records":[]}`)}
		}},
		{name: "wrong-media-type", number: "9990010684", processed: true, record: true, code: codeLost, summary: "found, as application/octet-stream", compose: func(c *call) response {
			r := found(nil)(c)
			r.contentType = "application/octet-stream"
			return r
		}},
	}
}

// silences are replies that do not come, or not in time.
func silences() []row {
	return []row{
		{name: "stall-after-headers", number: "9990010692", processed: true, code: codeLost, summary: "the headers of the answer, then nothing", compose: asStored, deliver: stalledAfterHeaders},
		{name: "stall-in-body", number: "9990010706", processed: true, code: codeLost, summary: "half of the answer, then nothing", compose: asStored, deliver: stalledInBody},
		{name: "slow-drip", number: "9990010714", processed: true, code: codeLost, summary: "the answer, 64 bytes every quarter of a second or the step's delay", compose: asStored, deliver: dripped},
		{name: "never-answer", number: "9990010722", lateNumber: "9990020205", code: codeLost, summary: "the request is read and nothing is sent", deliver: neverAnswered},
		{name: "close-without-reply", number: "9990010730", lateNumber: "9990020213", code: codeLost, summary: "the request is read and the connection closed in good order", deliver: closedSilently},
		{name: "reset-after-request", number: "9990010749", lateNumber: "9990020221", code: codeLost, summary: "the request is read and the connection reset", deliver: resetAfterRequest},
	}
}
