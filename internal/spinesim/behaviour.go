package spinesim

import (
	"cmp"
	"slices"
	"time"
)

// Behaviour names a way of answering, or of failing to. Behaviours lists them.
type Behaviour string

// AsStored answers by what the store holds: the behaviour of every call that
// nothing else was asked for.
const AsStored Behaviour = "as-stored"

// Stages at which a behaviour can strike. A script step waits for its stage.
const (
	stageAccept    = "accept"     // a connection was accepted
	stageFirstByte = "first-byte" // the first byte of a request arrived
	stageHeaders   = "headers"    // a request's headers were read
	stageReply     = "reply"      // a whole request was read
)

// BehaviourInfo describes one behaviour.
type BehaviourInfo struct {
	Name Behaviour `json:"name"`

	// Stage is accept, first-byte, headers or reply. Only at reply is the NHS
	// number known, so only then can a number be bound.
	Stage string `json:"stage"`

	// NHSNumber is the child of the cast to whom the behaviour is bound; empty
	// for none.
	NHSNumber string `json:"nhs_number,omitempty"`

	// Processed tells whether CP-IS processes the query: history and
	// notification, where the child has a record.
	Processed bool `json:"processed"`

	// Code is the SMSP response code that a provider should give its client,
	// AsyncCode the one in the asynchronous pattern.
	Code      string `json:"code"`
	AsyncCode string `json:"async_code"`

	// Summary says what the behaviour does, AsyncSummary what it becomes in the
	// asynchronous pattern; empty where that follows: an HL7 message is posted as the
	// reply, anything else answers the request.
	Summary      string `json:"summary"`
	AsyncSummary string `json:"async_summary,omitempty"`
}

// behaviour is what a name stands for. At stageReply compose makes the reply,
// nil for none, and deliver puts it on the wire, nil for properly; at the other
// stages strike does all.
type behaviour struct {
	BehaviourInfo
	stage   string
	async   meaning
	record  bool // a number without a record gets one
	compose func(*call) response
	deliver func(*conn, response, Step) (more bool)
	strike  func(*conn, Step)
}

// Late is the name of the variant of a failing behaviour in which CP-IS
// processes the query before the failure.
func Late(b Behaviour) Behaviour { return "late-" + b }

// Behaviours lists all behaviours by name.
func Behaviours() []BehaviourInfo {
	var all []BehaviourInfo
	for _, b := range behavioursByName() {
		all = append(all, b.BehaviourInfo)
	}
	slices.SortFunc(all, func(a, b BehaviourInfo) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// row is a line of the catalogue; lateNumber is the number bound to the late
// variant, empty where there is none.
type row struct {
	name               Behaviour
	number, lateNumber string
	processed          bool
	record             bool // a number that the store does not know gets a record
	code, summary      string
	compose            func(*call) response
	deliver            func(*conn, response, Step) (more bool)
}

func behavioursByName() map[Behaviour]behaviour {
	all := map[Behaviour]behaviour{}
	meanings := asyncMeanings()
	for _, r := range slices.Concat(successes(), refusals(), contradictions(), brokenReplies(), silences()) {
		b := behaviour{
			BehaviourInfo: BehaviourInfo{Name: r.name, Stage: stageReply, NHSNumber: r.number, Processed: r.processed, Code: r.code, Summary: r.summary},
			async:         meanings[r.name], stage: stageReply, record: r.record, compose: r.compose, deliver: r.deliver,
		}
		b.AsyncCode, b.AsyncSummary = cmp.Or(b.async.code, b.Code), b.async.summary
		all[r.name] = b
		if r.lateNumber != "" {
			b.Name, b.NHSNumber, b.Processed = Late(r.name), r.lateNumber, true
			b.Summary = "CP-IS processes the query, then " + string(r.name)
			b.AsyncSummary = ""
			all[b.Name] = b
		}
	}
	for _, b := range connectionFailures() {
		b.Stage, b.AsyncCode = b.stage, b.Code
		all[b.Name] = b
	}
	return all
}

// boundChildren are the children whose numbers are bound to behaviours. All
// have a record, so that a processed query notifies.
func boundChildren() []Child {
	var children []Child
	for _, b := range Behaviours() {
		if b.NHSNumber == "" {
			continue
		}
		children = append(children, Child{
			NHSNumber:       b.NHSNumber,
			Given:           "Mishap",
			Family:          spell(b.NHSNumber[3:9]),
			Birth:           "-2500d",
			Situation:       string(b.Name) + ": " + b.Summary,
			Records:         one(saltmere(), Plan{ChildProtection, "-80d", "+100d"}),
			EarlierAccesses: 2,
			Behaviour:       b.Name,
		})
	}
	return children
}

// call is one query on its way to its reply.
type call struct {
	sim  *Simulator
	m    *message
	step Step
	now  time.Time
	buf  []byte // to be reused for the reply

	// What CP-IS found, if it processed the query.
	records []visibleRecord
	history []*access

	processed bool      // CP-IS processed it
	immediate Immediate // answer due to an ebXML request that passed the checks

	previous *message // the query before this one; nil for none
}

func (c *call) stamp() string { return c.now.UTC().Format("20060102150405") }

// envelope is a proper reply's.
func (c *call) envelope() envelope {
	prefix := ""
	if c.m.ebxml != nil && c.sim.cfg.ReplyPrefixed {
		prefix = "hl7"
	}
	return envelope{
		soap: "SOAP", wsa: "wsa", hl7: prefix,
		direct:      c.m.ebxml != nil,
		messageID:   c.sim.ids.next(),
		interaction: interactionFound,
		wrapped:     true,
		to:          c.m.replyTo,
		from:        c.sim.URL(),
		relatesTo:   c.m.messageID,
		messageRef:  c.m.hl7ID,
		receiver:    c.m.sender,
		sender:      c.sim.cfg.ASID,
		created:     c.stamp(),
		versionCode: "v3INF_DMSv5.7:FIN",
	}
}

// asStored is the answer by store content.
func asStored(c *call) response {
	return found(nil)(c)
}

// found answers with what CP-IS found after change, or not found where it
// found nothing.
func found(change func(*envelope, *answer)) func(*call) response {
	return func(c *call) response {
		if len(c.records) == 0 {
			return notFound(c)
		}
		e := c.envelope()
		a := newAnswer(c.m, c.stamp()+"+0000", c.records, c.history)
		if change != nil {
			change(&e, a)
		}
		return e.write(c.buf, nil, func(w *xmlWriter) { a.write(w, e.sender) })
	}
}

// reasonsNotFound are the two reasons of a number without a record.
func reasonsNotFound() []reason {
	return []reason{{"1", "NHS Number Not Found", "ER"}, {"NHSNCC002", "NHS Number Not Found", "ER"}}
}

func notFound(c *call) response {
	return c.envelope().failed(c.buf, reasonsNotFound(), "ID")
}

// failedWith is a failed query with other reasons or another envelope.
func failedWith(reasons []reason, change func(*envelope)) func(*call) response {
	return func(c *call) response {
		e := c.envelope()
		if change != nil {
			change(&e)
		}
		return e.failed(c.buf, reasons, "ID")
	}
}

// acked is an application acknowledgement.
func acked(wrapped bool, typeCode string, reasons []reason, detail, display string) func(*call) response {
	return func(c *call) response {
		e := c.envelope()
		e.wrapped = wrapped
		return e.acknowledged(c.buf, typeCode, reasons, detail, display)
	}
}

func duplicate(c *call) response {
	return acked(true, "AR", nil, "202", "Duplicate HL7 ID Error")(c)
}

// fault is a SOAP fault under an HTTP status.
func fault(status int, faultcode, code, location, description string) func(*call) response {
	return func(c *call) response {
		return xmlResponse(status, soapFault(c.buf, faultcode, description, code, location, description))
	}
}

func unsupported(c *call) response {
	return fault(500, "Client", "101", "HTTP Header - SOAPAction", "The service or interaction is not supported for the URI")(c)
}

// violated answers a request that failed one of Spine's checks.
func violated(v *violation) func(*call) response {
	return func(c *call) response {
		text := v.symbol + ": " + v.text
		if c.sim.cfg.Refusal == RefuseWithError {
			return acked(false, "AE", []reason{{"GE002", text, "ER"}}, "", "")(c)
		}
		return xmlResponse(500, soapFault(c.buf, "Server", "System failure to process message", "200", "Not Supported", text))
	}
}
