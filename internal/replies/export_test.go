package replies

import "net/http"

// Handler is what answers once TLS is done.
func Handler(s *Server) http.Handler { return http.HandlerFunc(s.serve) }

// UnderWay says how many deliveries have a place.
func UnderWay(s *Server) int { return len(s.underWay) }
