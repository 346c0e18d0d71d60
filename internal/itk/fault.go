package itk

import (
	"strconv"

	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// FaultCode is the SOAP 1.1 fault code without its prefix.
type FaultCode string

const (
	Client          FaultCode = "Client"
	Server          FaultCode = "Server"
	VersionMismatch FaultCode = "VersionMismatch"
	MustUnderstand  FaultCode = "MustUnderstand"
)

// Codes of ToolkitErrorInfo.
const (
	InvalidMessage  = 1000
	Retryable       = 2100 // nothing was asked and nothing recorded as asked
	NotRetryable    = 2200
	AccessDenied    = 3000
	textInvalid     = "The message could not be accepted. Nothing was asked of CP-IS."
	textDenied      = "Access denied. Nothing was asked of CP-IS."
	textUnavailable = "The service cannot take the request now. Nothing was asked of CP-IS."
	textReplayed    = "This message was received before. The outcome of the first one stands, and may be unknown. Nothing more was asked of CP-IS."
	textInternal    = "The service failed before the request was accepted. Nothing was asked of CP-IS."
)

// Fault is an error told to a client by a SOAP fault. Its texts are fixed: they
// never quote a message, a name, a path or a version (WRD-VAL-19).
type Fault struct {
	Code       FaultCode
	ErrorCode  int    // of ToolkitErrorInfo
	Text       string // for the user
	Diagnostic string // for the integration engineer
	Rule       string // id of the rule that was broken, for the log; not sent
}

// Error implements error; the text is fit for a log.
func (f *Fault) Error() string {
	return "rule " + f.Rule + ": " + f.Diagnostic
}

// Unavailable is the fault for a request that could not be recorded (N37).
func Unavailable() *Fault {
	return &Fault{Code: Server, ErrorCode: Retryable, Text: textUnavailable, Diagnostic: "The audit log did not accept the record of this request.", Rule: "N37"}
}

// DiagnosticReplayed tells the fault of a message used twice from the others with
// its code: after it, nobody knows from this answer what came of the first one.
const DiagnosticReplayed = "The message id or tracking id was used before."

// Replayed is the fault for a message whose ids this client used before (N32).
func Replayed() *Fault {
	return &Fault{Code: Client, ErrorCode: InvalidMessage, Text: textReplayed, Diagnostic: DiagnosticReplayed, Rule: "N32"}
}

// Internal is the fault for an unexpected failure before a request was accepted.
func Internal() *Fault {
	return &Fault{Code: Server, ErrorCode: NotRetryable, Text: textInternal, Rule: "WRD-VAL-18"}
}

func (c FaultCode) words() string {
	switch c {
	case VersionMismatch:
		return "The SOAP version is not supported."
	case MustUnderstand:
		return "A header that must be understood was not understood."
	case Server:
		return "The server could not process the message. See the detail."
	default:
		return "The message was not accepted. See the detail."
	}
}

// WriteFault is the one renderer of faults. Both ids are upper-case UUIDs; errorID
// is the correlation id by which the operator finds the cause in the log.
func WriteFault(f *Fault, messageID, errorID string) ([]byte, error) {
	w := xmlstrict.NewWriter(2048)
	soap.StartEnvelope(w)
	w.Leaf("wsa:MessageID", messageID)
	w.Leaf("wsa:Action", soap.FaultAction)
	soap.StartBody(w)
	w.Start("soap:Fault")
	w.Leaf("faultcode", "soap:"+string(f.Code))
	w.Leaf("faultstring", f.Code.words())
	w.Start("detail")
	w.Start("itk:ToolkitErrorInfo", "xmlns:itk", Namespace)
	w.Leaf("itk:ErrorID", errorID)
	w.Start("itk:ErrorCode", "codeSystem", errorCodeSystem)
	w.Text(strconv.Itoa(f.ErrorCode))
	w.End()
	w.Leaf("itk:ErrorText", f.Text)
	if f.Diagnostic != "" {
		w.Leaf("itk:ErrorDiagnosticText", f.Diagnostic)
	}
	w.End()
	w.End()
	w.End()
	soap.EndEnvelope(w)
	return w.Bytes()
}
