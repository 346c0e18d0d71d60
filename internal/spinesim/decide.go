package spinesim

import "time"

// decide understands a request, lets CP-IS process it where it should, keeps
// the evidence, and composes the reply. The evidence is kept before any byte of
// the reply is sent.
func (s *Simulator) decide(soapAction []string, body []byte, connection uint64, buf []byte) (response, Step, func(*conn, response, Step) bool) {
	now := s.cfg.Clock()
	c := &call{sim: s, m: &message{}, now: now, buf: buf[:0]}
	if len(soapAction) != 1 || soapAction[0] != queryAction {
		s.remember(c, connection, nil, "SOAPAction")
		return unsupported(c), Step{}, nil
	}
	v := c.read(body)
	if v != nil {
		s.evidence.count(func(n *Counters) { n.Refused++ })
		s.remember(c, connection, nil, v.symbol)
		return violated(v)(c), Step{}, nil
	}
	if !s.seen.remember(c.m.hl7ID) {
		s.evidence.count(func(n *Counters) { n.Duplicates++ })
		s.remember(c, connection, nil, "duplicate HL7 id")
		return duplicate(c), Step{}, nil
	}
	c.previous = s.previous.Swap(c.m)
	c.step = s.stepFor(c.m.nhsNumber)
	b := s.behaviours[c.step.Behaviour]
	told := s.process(c, b)
	s.remember(c, connection, told, "")
	var r response
	if b.compose != nil {
		r = b.compose(c)
	}
	return r, c.step, b.deliver
}

// process lets CP-IS process a query if the behaviour has it do so.
func (s *Simulator) process(c *call, b behaviour) (told []Notification) {
	if !b.Processed {
		return nil
	}
	if b.record {
		s.store.ensure(c.m.nhsNumber)
	}
	c.processed = true
	c.records, c.history, told = s.store.process(c.m)
	return told
}

// read fills in the message; it returns the first check that the request fails.
func (c *call) read(body []byte) *violation {
	root, err := parse(body)
	if err != nil {
		return &violation{symbol: notWellFormed, text: "the message is not well-formed"}
	}
	d := newDocument(root)
	c.m = understand(d)
	return firstViolation(d, c.m, checks)
}

// stepFor is the scripted step, else the behaviour bound to the number, else
// the answer by store content.
func (s *Simulator) stepFor(number string) Step {
	step, scripted := s.scripts.take(stageReply, number)
	if scripted {
		return step
	}
	bound := s.store.behaviour(number)
	if bound != "" {
		return Step{Behaviour: bound}
	}
	return Step{Behaviour: AsStored}
}

func (s *Simulator) remember(c *call, connection uint64, told []Notification, refusal string) {
	m := c.m
	pattern, conversation := "sync", ""
	if m.ebxml != nil {
		pattern, conversation = "async", m.ebxml.conversationID
	}
	s.evidence.record(Query{
		Pattern:          pattern,
		ConversationID:   conversation,
		Time:             c.now.Round(0).In(time.UTC),
		Connection:       connection,
		MessageID:        m.messageID,
		HL7ID:            m.hl7ID,
		QueryID:          m.queryID,
		NHSNumber:        m.nhsNumber,
		AuthorForm:       m.author.form,
		UserID:           m.author.id(oidUser),
		RoleProfileID:    m.author.id(oidRoleProfile),
		ASID:             m.author.asid,
		SenderASID:       m.sender,
		Organisation:     m.author.organisation.extension,
		OrganisationName: m.author.orgName,
		Behaviour:        c.step.Behaviour,
		Immediate:        c.immediate,
		Processed:        c.processed,
		Refusal:          refusal,
	}, told)
}
