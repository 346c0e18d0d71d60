package providers

import (
	"slices"
	"strconv"
	"strings"
)

// trial is one conversation: a message, or in a few cases several.
type trial struct {
	id, title    string
	requirements string // ids, separated by spaces
	group        string
	steps        []step
	method       string // access method that it is for; any if empty
	together     bool   // all steps on one connection, as long as it is kept open
}

// step is one message and what must come back.
type step struct {
	change change
	want   want
}

// Case is the trial as a list shows it.
func (t trial) Case() Case {
	c := Case{ID: t.id, Group: t.group, Title: t.title, Requirements: strings.Fields(t.requirements), Own: isOwn(t.id), Conversation: true}
	for _, s := range t.steps {
		c.Asks += s.want.asks
	}
	return c
}

// want is what must come back.
type want struct {
	noAnswer   bool // that no HTTP answer comes is right
	turnedAway bool // any HTTP error is right, unless it is about load
	statuses   []int
	faults     []string // permitted fault codes; empty if no fault is wanted
	errors     []string // permitted codes of ToolkitErrorInfo
	codes      []string // permitted response codes; empty if no answer is wanted
	says       []string // words that the text of the fault must hold
	child      string   // the code whose child is asked about
	asks       int
}

// String says it in words.
func (w want) String() string {
	switch {
	case w.turnedAway:
		return "an HTTP error that is not about load, and no answer"
	case w.noAnswer && len(w.statuses) == 0:
		return "no HTTP answer"
	}
	var statuses []string
	for _, status := range w.statuses {
		statuses = append(statuses, strconv.Itoa(status))
	}
	s := "HTTP " + strings.Join(statuses, " or ")
	switch {
	case len(w.codes) > 0:
		s += " with " + strings.Join(w.codes, " or ")
	case len(w.faults) > 0:
		s += " with fault " + strings.Join(w.faults, " or ") + ", code " + strings.Join(w.errors, " or ")
	}
	if len(w.says) > 0 {
		s += ", its text saying " + strings.Join(w.says, ", ")
	}
	if w.noAnswer {
		s += " with neither an answer nor a fault, or no HTTP answer"
	}
	return s
}

// holds reports whether a reply is what must come back.
func (w want) holds(r *reply) bool {
	switch {
	case w.turnedAway:
		return isHTTPRefusal(r.status) && !r.isAnswer()
	case !slices.Contains(w.statuses, r.status):
		return false
	case len(w.codes) > 0:
		return r.isAnswer() && slices.Contains(w.codes, r.code())
	case len(w.faults) > 0:
		return r.isFault() && slices.Contains(w.faults, r.faultCode()) && slices.Contains(w.errors, r.errorCode()) && w.isSaid(r)
	default:
		return !r.isAnswer() && !r.isFault()
	}
}

// isHTTPRefusal reports whether a status refuses what was sent, whenever it is sent.
func isHTTPRefusal(status int) bool {
	switch status {
	case 429, 502, 503, 504:
		return false
	default:
		return status >= 400 && status < 600
	}
}

func (w want) isSaid(r *reply) bool {
	told := strings.ToLower(text(child(r.info, nsITK, "ErrorText")))
	return !slices.ContainsFunc(w.says, func(word string) bool { return !strings.Contains(told, word) })
}

// told says in words what came back, and quotes nothing but codes that are known.
func (r *reply) told() string {
	s := "HTTP " + strconv.Itoa(r.status)
	switch {
	case r.malformed:
		return s + " with what is not XML"
	case r.isFault():
		return s + " with fault " + known(r.faultCode(), faultCodes()) + ", code " + known(r.errorCode(), errorCodes())
	case r.isAnswer():
		return s + " with " + known(r.code(), responseCodes())
	case r.content != "":
		return s + " with another body"
	default:
		return s
	}
}

func known(value string, list []string) string {
	switch {
	case value == "":
		return "none"
	case slices.Contains(list, value):
		return value
	default:
		return "one that is not known"
	}
}

func faultCodes() []string { return []string{"VersionMismatch", "MustUnderstand", "Client", "Server"} }
func errorCodes() []string { return []string{"1000", "2100", "2200", "3000"} }

// responseCodes are those that a provider may send: SMSP-0003 is none of them.
func responseCodes() []string {
	return []string{"SMSP-0000", "SMSP-0001", "SMSP-0002", "SMSP-0004", "SMSP-0005", "SMSP-9999", "CPIS-0001", "CPIS-9999"}
}

// one is a trial of one message.
func one(id, title, requirements string, w want, changes ...change) trial {
	return trial{id: id, title: title, requirements: requirements, steps: []step{{all(changes...), w}}}
}

func fault(code string, errors ...string) want {
	return want{statuses: []int{500}, faults: []string{code}, errors: errors}
}

func answer(codes ...string) want { return want{statuses: []int{200}, codes: codes} }

func found() want {
	w := answer("SMSP-0000")
	w.child, w.asks = "SMSP-0000", 1
	return w
}

// refused is answered by fault 1000.
func refused(id, title, requirements string, changes ...change) trial {
	return one(id, title, requirements, fault("Client", "1000"), changes...)
}

// denied is answered by fault 3000.
func denied(id, title, requirements string, changes ...change) trial {
	w := fault("Client", "3000")
	w.faults = append(w.faults, "Server")
	return one(id, title, requirements, w, changes...)
}

// invalid is answered by SMSP-0001.
func invalid(id, title, requirements string, changes ...change) trial {
	return one(id, title, requirements, answer("SMSP-0001"), changes...)
}

// unacceptable is answered by SMSP-0005.
func unacceptable(id, title, requirements string, changes ...change) trial {
	return one(id, title, requirements, answer("SMSP-0005"), changes...)
}

// turnedAway is answered by an HTTP error, whichever the other side has for it.
func turnedAway(id, title, requirements string, changes ...change) trial {
	return one(id, title, requirements, want{turnedAway: true}, changes...)
}

// attended and smartcard are access methods of the tester.
const (
	attended  = "attended"
	smartcard = "smartcard"
)

// of is a trial for testers of one access method.
func (t trial) of(method string) trial {
	t.method = method
	return t
}

// accepted is asked, about a child with a record.
func accepted(id, title, requirements string, changes ...change) trial {
	return one(id, title, requirements, found(), changes...)
}

// trials is the catalogue in the order of a run: what asks comes last.
func trials() []trial {
	var list []trial
	for _, g := range []struct {
		name   string
		trials []trial
	}{
		{"Connection and HTTP", httpRefused()},
		{"XML", xmlRefused()},
		{"SOAP", soapRefused()},
		{"Addressing", addressingRefused()},
		{"Message ids", idsRefused()},
		{"Security header", securityRefused()},
		{"Times", timesRefused()},
		{"Manifest and payloads", manifestRefused()},
		{"DistributionEnvelope", envelopeRefused()},
		{"Profile and interaction", handlingRefused()},
		{"Audit identities", identitiesRefused()},
		{"Payload", payloadRefused()},
		{"Person as author", personRefused()},
		{"System as author", systemRefused()},
		{"NHS number", numbersRefused()},
		{"Answers", answers()},
		{"Authors that are accepted", authorsAccepted()},
		{"HTTP that is accepted", httpAccepted()},
		{"Names and prefixes that are accepted", namesAccepted()},
		{"Headers that are accepted", headersAccepted()},
		{"Times that are accepted", timesAccepted()},
		{"Envelopes that are accepted", envelopesAccepted()},
		{"Payloads that are accepted", payloadsAccepted()},
		{"Messages used twice", replays()},
	} {
		for _, t := range g.trials {
			t.group = g.name
			list = append(list, t)
		}
	}
	return list
}
