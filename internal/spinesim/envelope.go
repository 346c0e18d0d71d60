package spinesim

import "strings"

// Reply interactions.
const (
	interactionFound  = "REPC_IN000007GB01"
	interactionFailed = "QUQI_IN010000UK14"
	interactionAck    = "MCCI_IN010000UK13"
)

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>`

// wrapper is the element around a reply's interaction; the payload of a success
// has the same name.
const wrapper = "CP-ISNHSQueryResponse"

// envelope is everything about a reply but what it says. Behaviours change it.
type envelope struct {
	soap, wsa, hl7 string // prefixes; hl7 may be empty for the default namespace
	messageID      string // bare
	interaction    string
	wrapped        bool // interaction inside the wrapper element
	to, from       string
	relatesTo      string // with uuid:, empty to leave it out
	messageRef     string
	receiver       string // ASIDs of header and message alike
	sender         string
	created        string // yyyyMMddHHmmss
	versionCode    string
	padding        int  // bytes of space before the body
	direct         bool // the interaction is the whole document, as ebXML carries it
}

// write writes the whole reply: header, wrappers, and control act around what
// act and ack add.
func (e envelope) write(buf []byte, ack, act func(*xmlWriter)) response {
	w := &xmlWriter{buf: buf}
	if e.hl7 != "" {
		w.prefix = e.hl7 + ":"
	}
	w.raw(xmlDeclaration)
	if !e.direct {
		w.raw("<" + e.soap + `:Envelope xmlns:` + e.soap + `="` + nsSOAP + `" xmlns:` + e.wsa + `="` + nsWSA + `" xmlns="` + nsHL7 + `" xmlns:hl7="` + nsHL7 + `">`)
		e.header(w)
	}
	for range e.padding / 64 {
		w.raw("                                                               \n")
	}
	if e.direct {
		e.content(w, ack, act)
	} else {
		w.raw("<" + e.soap + ":Body>")
		e.content(w, ack, act)
		w.raw("</" + e.soap + ":Body></" + e.soap + ":Envelope>")
	}
	r := xmlResponse(200, w.buf)
	r.action, r.refTo = e.interaction, strings.TrimPrefix(e.relatesTo, "uuid:")
	return r
}

// content is the interaction, in its wrapper if it has one.
func (e envelope) content(w *xmlWriter, ack, act func(*xmlWriter)) {
	declared := "xmlns"
	if e.hl7 != "" {
		declared = "xmlns:" + e.hl7
	}
	wrapped := e.wrapped && !e.direct
	if wrapped {
		w.open(wrapper, declared, nsHL7)
	}
	w.open(e.interaction, declared, nsHL7)
	e.transmission(w, ack)
	act(w)
	w.close(e.interaction)
	if wrapped {
		w.close(wrapper)
	}
}

func (e envelope) header(w *xmlWriter) {
	wsa := func(name, text string) {
		w.raw("<" + e.wsa + ":" + name + ">")
		w.text(text)
		w.raw("</" + e.wsa + ":" + name + ">")
	}
	w.raw("<" + e.soap + ":Header>")
	wsa("MessageID", "uuid:"+e.messageID)
	wsa("Action", service+"/"+e.interaction)
	wsa("To", e.to)
	w.raw("<" + e.wsa + ":From>")
	wsa("Address", e.from)
	w.raw("</" + e.wsa + ":From>")
	e.communication(w)
	if e.relatesTo != "" {
		wsa("RelatesTo", e.relatesTo)
	}
	w.raw("</" + e.soap + ":Header>")
}

func (e envelope) transmission(w *xmlWriter, ack func(*xmlWriter)) {
	w.empty("id", "root", e.messageID)
	w.empty("creationTime", "value", e.created)
	w.empty("versionCode", "code", e.versionCode)
	w.empty("interactionId", "root", oidInteraction, "extension", e.interaction)
	w.empty("processingCode", "code", "P")
	w.empty("processingModeCode", "code", "T")
	w.empty("acceptAckCode", "code", "NE")
	if ack != nil {
		ack(w)
	}
	e.communication(w)
}

func (e envelope) communication(w *xmlWriter) {
	device := func(name, typeCode, asid string) {
		w.open(name, "typeCode", typeCode)
		w.open("device", "classCode", "DEV", "determinerCode", "INSTANCE")
		w.empty("id", "root", oidASID, "extension", asid)
		w.close("device", name)
	}
	device("communicationFunctionRcv", "RCV", e.receiver)
	device("communicationFunctionSnd", "SND", e.sender)
}

// controlAct opens the control act, up to and including its author.
func controlAct(w *xmlWriter, asid string) {
	w.open("ControlActEvent", "classCode", "CACT", "moodCode", "EVN")
	w.open("author1", "typeCode", "AUT")
	w.open("AgentSystemSDS", "classCode", "AGNT")
	w.open("agentSystemSDS", "classCode", "DEV", "determinerCode", "INSTANCE")
	w.empty("id", "root", oidASID, "extension", asid)
	w.close("agentSystemSDS", "AgentSystemSDS", "author1")
}

// reason is a detected issue; qualifier is ER, WG or IF.
type reason struct{ code, display, qualifier string }

func writeReasons(w *xmlWriter, reasons []reason) {
	for _, r := range reasons {
		w.open("reason", "typeCode", "RSON")
		w.open("justifyingDetectedIssueEvent", "classCode", "ALRT", "moodCode", "EVN")
		w.open("code", "code", r.code, "codeSystem", oidDetected, "displayName", r.display)
		w.empty("qualifier", "code", r.qualifier)
		w.close("code", "justifyingDetectedIssueEvent", "reason")
	}
}

func writeQueryAck(w *xmlWriter, code string) {
	w.open("queryAck", "type", "QueryAck")
	w.empty("queryResponseCode", "code", code)
	w.close("queryAck")
}

// acknowledgement writes the transmission's acknowledgement; detail is the code
// and text of a rejection, empty for none.
func acknowledgement(typeCode, messageRef, detail, display string) func(*xmlWriter) {
	return func(w *xmlWriter) {
		w.open("acknowledgement", "typeCode", typeCode)
		if detail != "" {
			w.open("acknowledgementDetail", "typeCode", "ER")
			w.empty("code", "codeSystem", oidAck, "code", detail, "displayName", display)
			w.close("acknowledgementDetail")
		}
		w.open("messageRef")
		w.empty("id", "root", messageRef)
		w.close("messageRef", "acknowledgement")
	}
}

// failed is a QUQI_IN010000UK14; queryAck is left out where ack is empty.
func (e envelope) failed(buf []byte, reasons []reason, ack string) response {
	e.interaction = interactionFailed
	return e.write(buf, acknowledgement("AE", e.messageRef, "", ""), func(w *xmlWriter) {
		controlAct(w, e.sender)
		writeReasons(w, reasons)
		if ack != "" {
			writeQueryAck(w, ack)
		}
		w.close("ControlActEvent")
	})
}

// acknowledged is an MCCI_IN010000UK13 of the given type: AA, AE or AR.
func (e envelope) acknowledged(buf []byte, typeCode string, reasons []reason, detail, display string) response {
	e.interaction = interactionAck
	return e.write(buf, acknowledgement(typeCode, e.messageRef, detail, display), func(w *xmlWriter) {
		controlAct(w, e.sender)
		writeReasons(w, reasons)
		w.close("ControlActEvent")
	})
}

// soapFault is a fault in Spine's form.
func soapFault(buf []byte, faultcode, text, code, location, description string) []byte {
	w := &xmlWriter{buf: buf}
	w.raw(xmlDeclaration)
	w.raw(`<SOAP:Envelope xmlns:SOAP="` + nsSOAP + `"><SOAP:Body><SOAP:Fault><faultcode>SOAP:` + faultcode + `</faultcode><faultstring>`)
	w.text(text)
	w.raw(`</faultstring><detail><nasp:errorList xmlns:nasp="http://national.carerecords.nhs.uk/schema/"><nasp:error>`)
	w.raw(`<nasp:codeContext>urn:nhs:names:error:tms</nasp:codeContext><nasp:errorCode>` + code + `</nasp:errorCode><nasp:severity>Error</nasp:severity><nasp:location>`)
	w.text(location)
	w.raw(`</nasp:location><nasp:description>`)
	w.text(description)
	w.raw(`</nasp:description></nasp:error></nasp:errorList></detail></SOAP:Fault></SOAP:Body></SOAP:Envelope>`)
	return w.buf
}
