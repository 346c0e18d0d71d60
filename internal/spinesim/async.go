package spinesim

import (
	"net/http"
	"strings"
)

// arrival is what becomes of one ebXML request.
type arrival struct {
	answer  response                         // on the request's own connection
	deliver func(*conn, response, Step) bool // how; nil for properly
	step    Step
	reply   *reply // posted on its own; nil for none
}

// answerAsync takes an ebXML request: its immediate answer goes back on the
// connection, its reply goes out on another.
func (c *conn) answerAsync(request *http.Request) (more bool) {
	if request.Method != http.MethodPost {
		return c.write(plainResponse(405, "Queries are sent by POST."), request.Close)
	}
	mediaType, _, _ := strings.Cut(request.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "multipart/related") {
		return c.write(plainResponse(415, "Asynchronous queries are multipart/related."), request.Close)
	}
	a := c.sim.receive(request.Header, c.body, c.number)
	release := c.sim.post(a.reply)
	if a.deliver != nil { // the client learns nothing here, so the reply need not wait
		release()
		return a.deliver(c, a.answer, a.step)
	}
	more = c.write(a.answer, request.Close)
	release()
	return more
}

// receive understands an ebXML request, lets CP-IS process its query where it should,
// keeps the evidence, and composes both answers.
func (s *Simulator) receive(header http.Header, body []byte, connection uint64) arrival {
	c := &call{sim: s, m: &message{ebxml: &ebHeader{}}, now: s.cfg.Clock()}
	s.evidence.count(func(n *Counters) { n.Asynchronous++ })
	actions := header.Values("SOAPAction")
	if len(actions) != 1 || strings.Trim(actions[0], `"`) != queryAction {
		s.remember(c, connection, nil, "SOAPAction")
		return arrival{answer: unsupported(c)}
	}
	payload, v := c.open(header.Get("Content-Type"), body)
	if v != nil {
		s.evidence.count(func(n *Counters) { n.Refused++ })
		s.remember(c, connection, nil, v.symbol)
		return arrival{answer: c.refuse(v)}
	}
	repeated := s.arrived.repeats(c.m.ebxml.messageID, c.now, s.cfg.Contract.PersistDuration)
	if repeated && c.m.ebxml.duplicateElimination {
		s.evidence.count(func(n *Counters) { n.Eliminated++ })
		s.remember(c, connection, nil, "duplicate eb:MessageId")
		return c.immediately(s.immediate(c))
	}
	v = c.readPayload(payload)
	if v != nil {
		s.evidence.count(func(n *Counters) { n.Refused++ })
		s.remember(c, connection, nil, v.symbol)
		return c.conclude(violated(v)(c), meaning{})
	}
	// What the transport repeats is a new arrival where the contract does not eliminate
	// duplicates: asking twice must show.
	if !s.seen.remember(c.m.hl7ID) && !repeated {
		s.evidence.count(func(n *Counters) { n.Duplicates++ })
		s.remember(c, connection, nil, "duplicate HL7 id")
		return c.conclude(duplicate(c), meaning{})
	}
	return s.ask(c, connection)
}

// ask lets CP-IS answer a query that passed all checks, unless the immediate answer is
// a failure before that.
func (s *Simulator) ask(c *call, connection uint64) arrival {
	c.previous = s.previous.Swap(c.m)
	c.step = s.stepFor(c.m.nhsNumber)
	c.immediate = s.immediate(c)
	answer, processed := c.immediate.split()
	if !processed {
		s.remember(c, connection, nil, "")
		return c.immediately(answer)
	}
	b := s.behaviours[c.step.Behaviour]
	told := s.process(c, b)
	s.remember(c, connection, told, "")
	if b.compose == nil && !b.async.silent {
		return arrival{deliver: b.deliver, step: c.step}
	}
	if b.async.silent {
		return c.immediately(answer)
	}
	return c.conclude(b.compose(c), b.async)
}

// conclude makes an arrival of what a behaviour composed. An HL7 message is posted,
// with the immediate answer that is due; anything else is the immediate answer.
func (c *call) conclude(r response, m meaning) arrival {
	if r.action == "" {
		return arrival{answer: r, step: c.step}
	}
	answer, _ := c.sim.immediate(c).split()
	a := c.immediately(answer)
	a.reply = c.newReply(r, m)
	return a
}

// open reads the ebXML message around the query into the call.
func (c *call) open(contentType string, body []byte) (payload []byte, v *violation) {
	d, err := readParts(contentType, body)
	*c.m.ebxml = d.understood()
	c.m.messageID = c.m.ebxml.messageID
	if err != nil {
		return nil, &violation{symbol: "ErrorBaseTms.MIME_ERROR", text: err.Error(), ebCode: codeMimeProblem}
	}
	return d.payload, firstEbViolation(d, *c.m.ebxml, c.sim.cfg.Contract)
}

// readPayload fills in the message; it returns the first check that the HL7 message
// fails.
func (c *call) readPayload(payload []byte) *violation {
	root, err := parse(payload)
	if err != nil {
		return &violation{symbol: notWellFormed, text: "the message is not well-formed"}
	}
	d := payloadDocument(root, c.m.ebxml.action)
	m := understand(d)
	m.messageID, m.ebxml = c.m.messageID, c.m.ebxml
	c.m = m
	return firstViolation(d, m, payloadChecks)
}

// refuse answers an ebXML message that failed a check.
func (c *call) refuse(v *violation) response {
	text := v.symbol + ": " + v.text
	if c.sim.cfg.AsyncRefusal == RefuseWithFault {
		return xmlResponse(500, soapFault(nil, "Server", "System failure to process message", "200", "Not Supported", text))
	}
	code := v.ebCode
	if v.symbol == symbolCPA && c.sim.cfg.AsyncRefusal == RefuseWithHarnessError {
		code = codeNoContract
	}
	return xmlResponse(200, ebMessageError(c.signal(), code, "eb:MessageHeader", text))
}

// immediate is the answer due on the connection: the step's, else the configured one,
// else by what the request asks for.
func (s *Simulator) immediate(c *call) Immediate {
	switch {
	case c.step.Immediate != "":
		return c.step.Immediate
	case s.cfg.Immediate != "":
		return s.cfg.Immediate
	case c.m.ebxml.ackRequested:
		return Acknowledged
	default:
		return Accepted
	}
}
