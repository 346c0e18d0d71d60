package server

import (
	"net/http"
	"strings"
)

// asksForDocument reports whether a request wants to read a part of the service's
// description rather than ask a question.
func asksForDocument(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.URL.RawQuery != ""
}

// findDocument takes the query in any case, since stacks write ?wsdl and ?WSDL.
func (s *Server) findDocument(x *exchange) *refusal {
	document, ok := s.config.Documents[strings.ToLower(x.r.URL.RawQuery)]
	if !ok {
		return &refusal{status: http.StatusNotFound, reason: "no such document"}
	}
	x.document = document
	return nil
}

// describe sends a document. It concerns nobody and asks nothing, so that it is
// logged but has no entry in the audit log.
func (s *Server) describe(x *exchange) {
	s.send(x, http.StatusOK, x.document)
	s.config.Logger.Info("description served", "event", "description.served", "correlation", x.correlation,
		"client", x.name(), "bytes", len(x.document))
}
