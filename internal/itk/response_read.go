package itk

import (
	"errors"
	"strconv"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// ErrNotAnAnswer means that what a provider sent is neither an answer nor a
// fault.
var ErrNotAnAnswer = errors.New("what the provider sent is neither an answer nor a fault")

// ProviderFault is a SOAP fault as a client received it.
type ProviderFault struct {
	Code      string // local part of the fault code
	ErrorCode int    // of ToolkitErrorInfo, 0 if there was none
	ErrorID   string
	Text      string
	Diagnosis string
}

// Error implements error. It quotes nothing of the fault's texts: what they hold
// is up to the provider.
func (f *ProviderFault) Error() string {
	return "the provider answered with a SOAP fault, code " + strconv.Itoa(f.ErrorCode)
}

// Reply is an answer as a client received it. It is not yet judged.
type Reply struct {
	RelatesTo string // empty if not given
	Code      cpis.Code
	Remarks   Remarks
	Statement cpis.Statement
}

// ReadReply reads what a provider sent, a DistributionEnvelope inside SOAP or a
// fault. The error is a *ProviderFault, or ErrNotAnAnswer joined with a cause.
func ReadReply(doc string, size int) (Reply, error) {
	limits := xmlstrict.Limits{Bytes: size, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10}
	tree, err := xmlstrict.Parse(doc, limits)
	if err != nil {
		return Reply{}, errors.Join(ErrNotAnAnswer, err)
	}
	envelope, err := soap.Open(tree.Root())
	if err != nil {
		return Reply{}, errors.Join(ErrNotAnAnswer, err)
	}
	fault, faults := soap.Child(envelope.Body, soap.Namespace, "Fault")
	if faults > 0 {
		return Reply{}, readFault(fault)
	}
	relates := fieldOf(envelope.Header, soap.Addressing, "RelatesTo")
	body, all := countChildren(envelope.Body)
	if all != 1 || !body.Is(Namespace, "DistributionEnvelope") {
		return Reply{}, ErrNotAnAnswer
	}
	reply, err := ReadResponseEnvelope(body)
	if err != nil {
		return Reply{}, err
	}
	reply.RelatesTo = relates.text
	return reply, nil
}

// ReadResponseEnvelope reads the DistributionEnvelope of an answer.
func ReadResponseEnvelope(distribution xmlstrict.Element) (Reply, error) {
	header, headers := soap.Child(distribution, Namespace, "header")
	payloads, lists := soap.Child(distribution, Namespace, "payloads")
	payload, n := soap.Child(payloads, Namespace, "payload")
	root, elements := countChildren(payload)
	if headers != 1 || lists != 1 || n != 1 || elements != 1 || !root.Is(hl7.Namespace, hl7.ResponseRoot) ||
		attribute(header, "service") != ResponseService {
		return Reply{}, ErrNotAnAnswer
	}
	code, statement, err := hl7.ReadResponse(root)
	if err != nil {
		return Reply{}, errors.Join(ErrNotAnAnswer, err)
	}
	return Reply{Code: code, Statement: statement, Remarks: readRemarks(header)}, nil
}

func readFault(fault xmlstrict.Element) *ProviderFault {
	code, _ := soap.Child(fault, "", "faultcode")
	words, _ := soap.Child(fault, "", "faultstring")
	detail, _ := soap.Child(fault, "", "detail")
	info, _ := soap.Child(detail, Namespace, "ToolkitErrorInfo")
	name, _ := soap.Text(code)
	f := &ProviderFault{
		Code:      name[strings.IndexByte(name, ':')+1:],
		ErrorID:   fieldOf(info, Namespace, "ErrorID").text,
		Text:      fieldOf(info, Namespace, "ErrorText").text,
		Diagnosis: fieldOf(info, Namespace, "ErrorDiagnosticText").text,
	}
	if f.Text == "" {
		f.Text, _ = soap.Text(words)
	}
	number, err := strconv.Atoi(fieldOf(info, Namespace, "ErrorCode").text)
	if err == nil {
		f.ErrorCode = number
	}
	return f
}
