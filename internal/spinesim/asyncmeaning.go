package spinesim

import "time"

// meaning is what a behaviour becomes in the asynchronous pattern. The zero value is:
// an HL7 message is posted as it is, anything else answers the request.
type meaning struct {
	code    string // to expect of a provider; empty for the synchronous one
	summary string // empty where the zero value says all
	silent  bool   // acknowledged, and no reply ever
	wait    time.Duration
	times   int // POSTs of the reply; 0 for one
	way     way // of posting; nil for properly
}

// asyncMeanings holds the behaviours whose meaning or code differs. A late variant has
// that of its behaviour.
func asyncMeanings() map[Behaviour]meaning {
	const nowhere = "the same as found: what differs is not in an ebXML message"
	return map[Behaviour]meaning{
		"found-http-500": {summary: nowhere},
		"found-empty-to": {summary: nowhere},
		"found-bare":     {summary: nowhere},
		"found-twice":    {summary: "found, the same reply posted twice", times: 2},
		"relates-to-missing": {
			code: codeLost, summary: "found, posted without eb:RefToMessageId: nobody can tell to which question it belongs",
		},
		"delay":                      {summary: "the reply is posted after two seconds, or the step's delay", wait: 2 * time.Second},
		"previous-answer":            {code: codeLost, summary: "the reply to the query before this one, eb:RefToMessageId naming that one"},
		"relates-to-other":           {code: codeLost, summary: "found, eb:RefToMessageId naming another message"},
		"not-found-relates-to-other": {code: codeLost, summary: "not found, eb:RefToMessageId naming another message"},
		"huge-body":                  {code: codeLost, summary: "found, posted, its payload made four mebibytes long by space before the message"},
		"truncated-body":             {summary: "found, the POST's body shorter than its Content-Length", way: cutPost},
		"wrong-media-type":           {summary: "found, posted as application/octet-stream"},
		"empty-200":                  {code: codeLost, summary: "HTTP status 200 and an empty body at once, and no reply"},
		"stall-after-headers":        {summary: "the headers of the POST, then nothing", way: stallPostAfterHeaders},
		"stall-in-body":              {summary: "half of the POST, then nothing", way: stallPostInBody},
		"slow-drip":                  {summary: "the POST, 64 bytes every quarter of a second or the step's delay", way: dripPost},
		"never-answer":               {summary: "the request gets its immediate answer, and no reply is posted", silent: true},
	}
}
