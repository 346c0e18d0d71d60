package spine

import (
	"context"
	"net/url"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// Pattern is how the Spine takes a question and gives its answer.
type Pattern uint8

const (
	// Sync is SOAP: the answer comes in the HTTP response.
	Sync Pattern = iota
	// Async is ebXML: the HTTP response says at most that the question was received,
	// and the answer comes later, in a request of the Spine's own.
	Async
)

// String returns "sync" or "async".
func (p Pattern) String() string {
	if p == Async {
		return "async"
	}
	return "sync"
}

// Route is where and how the Spine takes questions at present.
type Route struct {
	Pattern  Pattern
	Endpoint *url.URL       // https
	ToASID   string         // the Spine's
	Contract ebxml.Contract // of the asynchronous pattern
}

// Routes give the present route: that of the configuration, or the directory's
// (WRD-SPN-05).
type Routes interface {
	Route(ctx context.Context) (Route, error)
}

// Fixed is a route that does not change.
type Fixed Route

// Route implements Routes.
func (f Fixed) Route(context.Context) (Route, error) { return Route(f), nil }
