package providers

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// ofEnvelopes holds of the DistributionEnvelope of every answer.
func ofEnvelopes() []invariant {
	return []invariant{
		{"answer-action", "The wsa:Action and the service of an answer are those of the response.", "WRD-MSG-02", everyAnswer, func(x exchange) string {
			action := text(child(x.reply.header, nsAddressing, "Action"))
			return unless(action == responseService && attribute(x.reply.parcel, "service") == responseService, "another wsa:Action or service")
		}},
		{"answer-header", "The header of the envelope is addresslist, auditIdentity, manifest, senderAddress and handlingSpecification.", "WRD-MSG-11 WRD-MSG-10", everyAnswer, func(x exchange) string {
			s := x.reply.parcel.Sequence()
			for _, local := range []string{"addresslist", "auditIdentity", "manifest", "senderAddress", "handlingSpecification"} {
				s.One(nsITK, local)
			}
			return unless(s.Done() == nil, "an element is missing or out of order")
		}},
		{"answer-addressed", "An answer is addressed to the asking organisation.", "WRD-MSG-11", everyAnswer, func(x exchange) string {
			to := attribute(child(child(x.reply.parcel, nsITK, "addresslist"), nsITK, "address"), "uri")
			return unless(isOf(to, addressPrefix+x.sent.organisation), "the address is not the asking organisation's")
		}},
		{"answer-sender", "The audit identity and the sender of an answer are the provider's.", "WRD-MSG-11", everyAnswer, func(x exchange) string {
			identity := attribute(child(child(x.reply.parcel, nsITK, "auditIdentity"), nsITK, "id"), "uri")
			sender := attribute(child(x.reply.parcel, nsITK, "senderAddress"), "uri")
			return unless(isOf(identity, identityPrefix+x.sent.provider) && isOf(sender, addressPrefix+x.sent.provider), "the audit identity or the sender is not the provider's")
		}},
		{"answer-tracking-id", "The tracking id of an answer is an upper-case UUID without a prefix.", "WRD-MSG-10", everyAnswer, func(x exchange) string {
			return unless(isUUID(attribute(x.reply.parcel, "trackingid")), "trackingid is missing or no bare UUID in upper case")
		}},
		{"answer-tracking-id-new", "The tracking id of an answer was in no reply before, nor in the request.", "WRD-MSG-13", everyAnswer, isNew("trackingid")},
		{"answer-counts", "Manifest and payloads of an answer count one item, and it is there.", "WRD-MSG-12", everyAnswer, func(x exchange) string {
			payloads := child(x.reply.envelope, nsITK, "payloads")
			sound := attribute(x.reply.manifest, "count") == "1" && count(x.reply.manifest) == 1 &&
				attribute(payloads, "count") == "1" && count(payloads) == 1 && count(x.reply.payload) == 1
			return unless(sound, "a count is not 1, or not that of the items")
		}},
		{"answer-payload-id", "The manifest item and the payload of an answer have one id, with a UUID in it.", "WRD-MSG-12", everyAnswer, func(x exchange) string {
			id := attribute(x.reply.payload, "id")
			return unless(id == attribute(x.reply.item, "id") && prefixedUUID.MatchString(id), "the ids differ or hold no UUID")
		}},
		{"answer-payload-id-new", "The payload id of an answer was in no reply before, nor in the request.", "WRD-MSG-13", everyAnswer, isNew("payload id")},
		{"answer-ids-differ", "Message id, timestamp id, tracking id and payload id of an answer all differ.", "WRD-MSG-13", everyAnswer, func(x exchange) string {
			used := map[string]bool{}
			for _, id := range x.reply.ids() {
				id = strings.ToUpper(strings.TrimPrefix(id, "uuid_"))
				if used[id] {
					return "two ids are the same"
				}
				used[id] = true
			}
			return ""
		}},
		{"answer-profile", "The manifest item of an answer has the profile of the response and the mimetype text/xml.", "WRD-MSG-06", everyAnswer, func(x exchange) string {
			i := x.reply.item
			return unless(attribute(i, "profileid") == responseProfile && strings.EqualFold(attribute(i, "mimetype"), "text/xml"), "another profileid or mimetype")
		}},
		{"answer-plain-payload", "The payload of an answer is neither base64, nor compressed, nor encrypted.", "WRD-MSG-21", everyAnswer, func(x exchange) string {
			flagged := slices.ContainsFunc([]string{"base64", "compressed", "encrypted"}, func(flag string) bool {
				value := attribute(x.reply.item, flag)
				return value == "true" || value == "1"
			})
			return unless(!flagged, "a flag is set")
		}},
		{"answer-interaction", "The interaction of an answer is that of the response.", "WRD-MSG-06", everyAnswer, func(x exchange) string {
			return unless(x.reply.spec(interactionKey) == responseInteraction, "another interaction, or none")
		}},
		{"answer-notified", "The notification entry of an answer, if sent, does not contradict its code.", "WRD-RC-14 WRD-RC-13", everyAnswer, notified},
	}
}

var prefixedUUID = regexp.MustCompile(`^[a-zA-Z_:]*[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`)

// isOf reports whether a URN is that of an organisation, or of something of it.
func isOf(urn, organisation string) bool {
	return urn == organisation || strings.HasPrefix(urn, organisation+":")
}

func notified(x exchange) string {
	told := x.reply.notification()
	permitted := []string{"", "notified", "none", "unknown"}
	switch x.reply.code() {
	case "SMSP-0000":
		permitted = []string{"", "notified"}
	case "SMSP-0001", "SMSP-0004", "CPIS-0001":
		permitted = []string{"", "none"}
	}
	return unless(slices.Contains(permitted, told), "the entry and the code contradict each other")
}

// ofAnswers holds of the payload of every answer.
func ofAnswers() []invariant {
	return []invariant{
		{"answer-payload", "The payload has, in order, effectiveTime, id, value, the two totals, accesses and records.", "WRD-MSG-07", everyAnswer, func(x exchange) string {
			s := x.reply.response.Sequence()
			for _, local := range []string{"effectiveTime", "id", "value", "pertinentInformation11", "pertinentInformation12"} {
				s.One(nsHL7, local)
			}
			s.Many(nsHL7, "pertinentInformation13", 0, -1)
			s.Many(nsHL7, "pertinentInformation14", 0, -1)
			return unless(x.reply.response.Is(nsHL7, "CP-ISNHSQueryResponse") && s.Done() == nil, "an element is missing, more than allowed or out of order")
		}},
		{"answer-time", "The effectiveTime of an answer is a time with a zone.", "WRD-MSG-07 MSCA-AUD-07", everyAnswer, func(x exchange) string {
			return unless(zonedTime.MatchString(attribute(hl7(x.reply.response, "effectiveTime"), "value")), "no time, or one without a zone")
		}},
		{"answer-id", "The id of an answer is an upper-case UUID.", "WRD-MSG-07", everyAnswer, func(x exchange) string {
			return unless(isUUID(attribute(hl7(x.reply.response, "id"), "root")), "no id, or no bare UUID")
		}},
		{"answer-one-code", "An answer has exactly one code, of the code system of CP-IS and with its display name.", "WRD-RC-01", everyAnswer, func(x exchange) string {
			values := named(x.reply.response, nsHL7, "value")
			return unless(len(values) == 1 && attribute(values[0], "codeSystem") == oidCodes && attribute(values[0], "displayName") != "", "not one code of that system with a display name")
		}},
		{"answer-known-code", "The code of an answer is one that a provider may send: never SMSP-0003, since nothing is answered from a store.", "WRD-RC-01 WRD-RC-11", everyAnswer, func(x exchange) string {
			return unless(slices.Contains(responseCodes(), x.reply.code()), "another code")
		}},
		{"answer-totals", "The totals of an answer are the numbers of its accesses and of its records.", "WRD-MSG-07 WRD-SAF-08", everyAnswer, func(x exchange) string {
			c := x.reply.response
			return unless(total(c, "11", "Access") == strconv.Itoa(len(accesses(c))) && total(c, "12", "Child") == strconv.Itoa(len(records(c))), "a total is not the number of items")
		}},
		{"answer-no-content", "An answer whose code is not SMSP-0000 has totals of 0, no access and no record.", "WRD-MSG-08", everyAnswer, func(x exchange) string {
			c := x.reply.response
			empty := total(c, "11", "Access") == "0" && total(c, "12", "Child") == "0" && count(c) == 5
			return unless(x.reply.code() == "SMSP-0000" || empty, "content under a code that says there is none")
		}},
		{"answer-no-structure", "No element of the payload has a structural attribute of HL7.", "WRD-MSG-09", everyAnswer, func(x exchange) string {
			return unless(!within(x.reply.response, isStructured), "classCode, moodCode, typeCode or determinerCode")
		}},
	}
}

var zonedTime = regexp.MustCompile(`^([0-9]{9,14}(\.[0-9]+)?[+-][0-9]{1,4}|[0-9]{1,8})$`)

func total(content xmlstrict.Element, number, kind string) string {
	return attribute(hl7(content, "pertinentInformation"+number, "pertinentTotalReturned"+kind+"Records", "value"), "value")
}

// accesses are the entries of the history of an answer.
func accesses(content xmlstrict.Element) []xmlstrict.Element {
	return named(content, nsHL7, "pertinentInformation13")
}

// records are all records of an answer.
func records(content xmlstrict.Element) []xmlstrict.Element {
	var list []xmlstrict.Element
	for _, information := range named(content, nsHL7, "pertinentInformation14") {
		list = append(list, named(hl7(information, "pertinentCP-ISRecordControlAct"), nsHL7, "record")...)
	}
	return list
}

func isStructured(e xmlstrict.Element) bool {
	return slices.ContainsFunc([]string{"classCode", "moodCode", "typeCode", "determinerCode"}, func(name string) bool {
		_, given := e.Attribute("", name)
		return given
	})
}

// ofFindings holds of every answer with SMSP-0000.
func ofFindings() []invariant {
	return []invariant{
		{"found-record", "SMSP-0000 comes with at least one record.", "WRD-RC-02", everyFound, func(x exchange) string {
			return unless(len(records(x.reply.response)) > 0, "no record")
		}},
		{"found-number", "Every NHS number in an answer is the one that was asked about, and it is there.", "WRD-SAF-09 WRD-SAF-10", everyFound, aboutTheNumber},
		{"found-authority", "Each record names the local authority, with one or two telephone numbers of which one is for emergencies.", "WRD-SAF-07 WRD-MSG-09", everyFound, ofEachRecord(authorityIsWhole)},
		{"found-plans", "Each record has one to three plans, each of the type that its content id says, with a start date of twelve digits, and an end date that an unborn child's plan must have.", "WRD-SAF-07 WRD-MSG-09", everyFound, ofEachRecord(plansAreWhole)},
		{"found-subjects", "Each record has one or two subjects of the type that the content id says, given name before family name.", "WRD-MSG-09", everyFound, ofEachRecord(subjectsAreWhole)},
		{"found-history", "Each access has its time, id, author and the number.", "WRD-MSG-09", everyHistory, func(x exchange) string {
			for _, information := range accesses(x.reply.response) {
				s := hl7(information, "pertinentCP-ISNHSQuery").Sequence()
				for _, local := range []string{"effectiveTime", "id", "author", "queryByParameter"} {
					s.One(nsHL7, local)
				}
				if s.Done() != nil || count(information) != 1 || !namesItsContent(hl7(information, "pertinentCP-ISNHSQuery", "author")) {
					return "an access is not whole"
				}
			}
			return ""
		}},
		{"found-history-bounded", "The history has at most 25 accesses.", "WRD-MSG-09", everyHistory, func(x exchange) string {
			return unless(len(accesses(x.reply.response)) <= 25, "more than 25 accesses")
		}},
	}
}

// aboutTheNumber looks at the numbers of the history and of the subjects.
func aboutTheNumber(x exchange) string {
	numbers := 0
	other := within(x.reply.response, func(e xmlstrict.Element) bool {
		number := attribute(e, "extension")
		isNumber := e.Is(nsHL7, "id") && attribute(e, "root") == oidNHSNumber || e.Is(nsHL7, "value") && number != ""
		if !isNumber {
			return false
		}
		numbers++
		return number != x.sent.number
	})
	return unless(!other, "another NHS number stands in the answer") + unless(numbers > 0, "no NHS number stands in the answer")
}

func ofEachRecord(isWhole func(record xmlstrict.Element) bool) func(exchange) string {
	return func(x exchange) string {
		for _, record := range records(x.reply.response) {
			if !isWhole(record) {
				return "a record is not whole"
			}
		}
		return ""
	}
}

func authorityIsWhole(record xmlstrict.Element) bool {
	authority := hl7(record, "communicationFunctionSnd", "organisation")
	s := authority.Sequence()
	s.One(nsHL7, "id")
	name := s.One(nsHL7, "name")
	telecoms := s.Many(nsHL7, "telecom", 1, 2)
	emergency := 0
	for _, t := range telecoms {
		if attribute(t, "use") == "EC" {
			emergency++
		}
	}
	return s.Done() == nil && text(name) != "" && emergency == 1
}

var planDate = regexp.MustCompile(`^(19|20)[0-9]{10}$`)

func plansAreWhole(record xmlstrict.Element) bool {
	plans := named(hl7(record, "CP-ISRecord"), nsHL7, "pertinentInformation15")
	for _, plan := range plans {
		if !namesItsContent(plan) || !isDated(plan) {
			return false
		}
	}
	return len(plans) >= 1 && len(plans) <= 3
}

// isNil reports whether an element says that it stands for nothing.
func isNil(e xmlstrict.Element) bool {
	stated, _ := e.Attribute(nsInstance, "nil")
	return stated.Value == "true" || stated.Value == "1"
}

// isDated reports whether a plan has the dates that it must have, and each is a date.
func isDated(plan xmlstrict.Element) bool {
	starts, ends, sound := 0, 0, true
	within(plan, func(e xmlstrict.Element) bool {
		local := e.Name().Local
		isStart, isEnd := strings.HasSuffix(local, "StartDate"), strings.HasSuffix(local, "EndDate") && !isNil(e)
		if isStart || isEnd {
			sound = sound && planDate.MatchString(attribute(hl7(e, "value"), "value"))
		}
		if isStart {
			starts++
		}
		if isEnd {
			ends++
		}
		return false
	})
	unborn := within(plan, func(e xmlstrict.Element) bool { return strings.HasSuffix(e.Name().Local, ".UCPInformation") })
	return sound && starts == 1 && (ends == 1 || ends == 0 && !unborn)
}

func subjectsAreWhole(record xmlstrict.Element) bool {
	subjects := named(hl7(record, "CP-ISRecord"), nsHL7, "subject")
	for _, subject := range subjects {
		if !namesItsContent(subject) || within(subject, func(e xmlstrict.Element) bool { return e.Is(nsHL7, "name") && !isGivenThenFamily(e) }) {
			return false
		}
	}
	return len(subjects) >= 1 && len(subjects) <= 2
}

func isGivenThenFamily(name xmlstrict.Element) bool {
	s := name.Sequence()
	s.Many(nsHL7, "given", 1, -1)
	s.One(nsHL7, "family")
	return s.Done() == nil
}

// namesItsContent reports whether an element is a contentId and the one element
// whose template and class it names.
func namesItsContent(e xmlstrict.Element) bool {
	s := e.Sequence()
	contentID := s.One(nsLocal, "contentId")
	content := s.Take()
	template := strings.Replace(attribute(contentID, "extension"), "#", ".", 1)
	return s.Done() == nil && attribute(contentID, "root") == oidContentID && content.Is(nsHL7, template)
}
