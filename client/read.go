package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
)

// read turns an HTTP response into a result. Faults are taken with any status,
// answers with 200 alone.
func (c *Client) read(status int, m *Message, result *Result) {
	reply, err := itk.ReadReply(string(result.Raw), c.config.MaxReply)
	var fault *itk.ProviderFault
	switch {
	case errors.As(err, &fault):
		result.readFault(fault)
	case status == http.StatusServiceUnavailable:
		result.fail(cpis.Overloaded, errors.New("HTTP 503: the provider is busy"))
	case status >= 400 && status < 500:
		result.fail(cpis.Refused, fmt.Errorf("HTTP %d: the provider refused the request before reading it", status))
	case status != http.StatusOK:
		result.fail(cpis.ProviderNoAnswer, fmt.Errorf("HTTP %d is not an answer", status))
	case err != nil:
		result.fail(cpis.ProviderNoAnswer, err)
	case reply.RelatesTo != "" && !strings.EqualFold(reply.RelatesTo, m.ID):
		result.fail(cpis.ProviderNoAnswer, errors.New("the answer relates to another message"))
	default:
		result.take(reply)
	}
}

func (r *Result) take(reply itk.Reply) {
	s := reply.Statement
	if s.TotalAccesses == nil || s.TotalRecords == nil {
		r.fail(cpis.ProviderNoAnswer, errors.New("the answer states no totals"))
		return
	}
	if !s.Findings.AboutOnly(r.Asked) {
		r.fail(cpis.ProviderNoAnswer, errors.New("the answer is about another NHS number"))
		return
	}
	r.Code = reply.Code
	said := reply.Remarks
	if said.Replacement == r.Asked {
		said.Replacement = cpis.NHSNumber{} // a number does not take its own place
	}
	r.Answer = cpis.Told(reply.Code, said.Notified, s.Findings, *s.TotalAccesses, *s.TotalRecords).
		Specified(said.Outcome, said.Replacement).WithVerification(said.Verification)
	switch r.Answer.Outcome() {
	case cpis.Found, cpis.NoRecord:
	default:
		r.Cause = fmt.Errorf("the provider answered %s: %s", reply.Code, r.Answer.Outcome().Meaning())
	}
}

// Fault is a SOAP fault of the provider. The texts are the provider's and for the
// developer: Error repeats none of them.
type Fault struct {
	Code      int    // of ToolkitErrorInfo, 0 if there was none
	ID        string // to give to the provider's service desk
	Text      string
	Diagnosis string
}

// Error implements error.
func (f *Fault) Error() string {
	return fmt.Sprintf("the provider answered with a SOAP fault, code %d", f.Code)
}

// readFault believes that nothing was asked only of the faults that say so. Any
// other can be of something between us and the provider, or of a provider that
// failed after asking.
func (r *Result) readFault(fault *itk.ProviderFault) {
	r.Answer = cpis.Failed(outcomeOf(fault), fmt.Sprintf("fault %d", fault.ErrorCode))
	r.Cause = &Fault{Code: fault.ErrorCode, ID: fault.ErrorID, Text: fault.Text, Diagnosis: fault.Diagnosis}
	if r.Correlation == "" {
		r.Correlation = fault.ErrorID
	}
}

func outcomeOf(fault *itk.ProviderFault) cpis.Outcome {
	if fault.ErrorCode == itk.InvalidMessage && fault.Diagnosis == itk.DiagnosticReplayed {
		return cpis.RefusedDuplicate // something on the way sent it twice (H-21)
	}
	switch fault.ErrorCode {
	case itk.InvalidMessage, itk.AccessDenied, itk.NotRetryable:
		return cpis.Refused
	case itk.Retryable:
		return cpis.AuditFailedBefore
	default:
		return cpis.ProviderNoAnswer
	}
}
