package event

import "github.com/wardsmsp/ward/internal/audit"

// row says what a kind of entry is in the standard's terms.
type row struct {
	id      Code
	types   []Code
	action  string
	outcome Indicator // of a kind that does not take it from the entry's outcome
	judged  bool      // the entry's outcome decides
	role    Code      // of the person who began it, if there is one
	title   string
	meaning string
}

// dcm is a DICOM code of context groups 400 to 403.
func dcm(code, display string) Code { return Code{DCM, code, display} }

// The event ids (context group 400) and types (401 and 403) that are used.
var (
	activity       = dcm("110100", "Application Activity")
	logUsed        = dcm("110101", "Audit Log Used")
	query          = dcm("110112", "Query")
	alert          = dcm("110113", "Security Alert")
	authentication = dcm("110114", "User Authentication")

	start         = dcm("110120", "Application Start")
	stop          = dcm("110121", "Application Stop")
	login         = dcm("110122", "Login")
	logout        = dcm("110123", "Logout")
	node          = dcm("110126", "Node Authentication")
	hardware      = dcm("110130", "Hardware Configuration")
	software      = dcm("110131", "Software Configuration")
	restricted    = dcm("110132", "Use of Restricted Function")
	recording     = dcm("110134", "Audit Recording Started")
	attributes    = dcm("110135", "Object Security Attributes Changed")
	search        = Code{Interaction, "search", "search"}
	recipient     = Code{Part, "IRCP", "information recipient"}
	author        = Code{Part, "AUT", "author (originator)"}
	responsible   = Code{Part, "RESP", "responsible party"}
	provider      = Code{RoleClass, "PROV", "healthcare provider"}
	application   = dcm("110150", "Application")
	destination   = dcm("110152", "Destination Role ID")
	sourceOfQuery = dcm("110153", "Source Role ID")
)

// kinds is the one table from the kinds of entry to the standard's codes. PS3.15
// wants action E of queries, alerts, log-ins and applications, and R of the use of
// the log.
var kinds = map[audit.Kind]row{
	audit.Intent: {id: query, types: []Code{search}, action: "E", role: recipient, title: "Question to be asked",
		meaning: "A question is about to be asked of CP-IS. How it ended is told by the entry of kind outcome or recovered with the same correlation."},
	audit.Outcome:   {id: query, types: []Code{search}, action: "E", judged: true, role: recipient, title: "Outcome of a question"},
	audit.Recovered: {id: query, types: []Code{search}, action: "E", judged: true, role: recipient, title: "Question without outcome, found at a restart"},
	audit.Refused:   {id: query, types: []Code{search}, action: "E", judged: true, role: recipient, title: "Request refused"},
	audit.Undelivered: {id: query, types: []Code{search}, action: "E", outcome: Serious, role: recipient, title: "Answer not delivered",
		meaning: "The answer did not reach the client."},
	audit.LookedUp: {id: query, types: []Code{search}, action: "E", role: recipient, title: "Directory or demographics service asked",
		meaning: "The directory or the demographics service was asked before a question to CP-IS. How that question ended is told by the entry of kind outcome or recovered with the same correlation."},
	audit.Discarded: {id: query, types: []Code{search}, action: "E", outcome: Serious, role: recipient, title: "Reply that no question waited for",
		meaning: "A reply came that no question waited for. It was given to nobody."},

	audit.Started: {id: activity, types: []Code{start}, action: "E", outcome: Success, role: author, title: "Provider started",
		meaning: "The provider started."},
	audit.Stopped: {id: activity, types: []Code{stop}, action: "E", outcome: Success, role: author, title: "Provider stopped",
		meaning: "The provider stopped in order."},
	audit.Configured: {id: alert, types: []Code{software}, action: "E", outcome: Success, role: author, title: "Configuration in force",
		meaning: "The configuration that is in force was recorded."},
	audit.Stepped: {id: alert, types: []Code{hardware}, action: "E", outcome: Minor, role: author, title: "Clock went back",
		meaning: "The clock went back."},

	audit.Read: {id: logUsed, action: "R", outcome: Success, role: recipient, title: "Audit log read",
		meaning: "The audit log was read."},
	audit.Verified: {id: logUsed, action: "R", outcome: Success, role: recipient, title: "Audit log verified",
		meaning: "The audit log was verified; what came of it is in the details."},
	audit.LoggedIn: {id: authentication, types: []Code{login}, action: "E", outcome: Success, role: author, title: "Logged in",
		meaning: "Somebody logged in."},
	audit.LoggedOut: {id: authentication, types: []Code{logout}, action: "E", outcome: Success, role: author, title: "Logged out",
		meaning: "Somebody logged out."},
	audit.LoginFailed: {id: authentication, types: []Code{login}, action: "E", outcome: Minor, role: author, title: "Log-in failed",
		meaning: "Somebody was not let in."},

	audit.Erased: {id: alert, types: []Code{restricted}, action: "E", outcome: Success, role: author, title: "Content erased on an order",
		meaning: "Content of the audit log was destroyed on an order."},
	audit.Expired: {id: alert, types: []Code{restricted}, action: "E", outcome: Success, role: author, title: "Content expired",
		meaning: "Content of the audit log was removed since its time of retention had ended."},
	audit.Held: {id: alert, types: []Code{attributes}, action: "E", outcome: Success, role: author, title: "Legal hold laid",
		meaning: "A legal hold was laid on entries of the audit log."},
	audit.Released: {id: alert, types: []Code{attributes}, action: "E", outcome: Success, role: author, title: "Legal hold lifted",
		meaning: "A legal hold on entries of the audit log was lifted."},
	audit.Restored: {id: alert, types: []Code{recording}, action: "E", outcome: Serious, role: author, title: "Log continued from a copy",
		meaning: "The audit log goes on from a copy that lacks entries."},
}

// stranger is what a refusal is of somebody who is not in the registry, such as at
// the TLS handshake: nobody asked anything, so it is no query.
var stranger = row{id: alert, types: []Code{node}, action: "E", judged: true, role: recipient, title: "Connection or request of a stranger refused"}
