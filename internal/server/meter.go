package server

import (
	"time"

	"github.com/wardsmsp/ward/cpis"
)

// Class is why a request was not answered with a code, in few words.
type Class string

// Classes of refusals. In none of them was anything asked, but in Replayed, where the
// first use of the message stands.
const (
	Unidentified Class = "unidentified" // no certificate that is registered and good
	Draining     Class = "draining"     // the service is being stopped
	ClientRate   Class = "client_rate"  // too many a second of this client
	Rate         Class = "rate"         // of all clients
	UnderWay     Class = "under_way"    // too many at a time, of this client or of all
	SpineBusy    Class = "spine_busy"   // too many wait for the Spine
	BudgetSpent  Class = "budget"       // too many a second under an ASID
	NotHTTP      Class = "http"         // the request is not one that is taken
	NotMessage   Class = "message"      // the body broke a rule: a SOAP fault
	Replayed     Class = "replayed"     // a message used before
	NotRecorded  Class = "not_recorded" // the audit log could not be written
	Broken       Class = "internal"     // the provider failed before asking
)

// Classes are all there are.
func Classes() []Class {
	return []Class{Unidentified, Draining, ClientRate, Rate, UnderWay, SpineBusy, BudgetSpent, NotHTTP, NotMessage, Replayed, NotRecorded, Broken}
}

// Meter counts what becomes of requests. Its methods must be safe for concurrent use,
// and not wait.
type Meter interface {
	// Entered and Left enclose each question under way.
	Entered(client string)
	Left(client string)
	// Answered counts an answer by code, and how long it took since the request came.
	Answered(client string, outcome cpis.Outcome, notified cpis.Notified, took time.Duration)
	// TurnedAway counts a request without one; the client is "" if it is not known.
	TurnedAway(client string, class Class)
}

// uncounted is the Meter of a server that has none.
type uncounted struct{}

func (uncounted) Entered(string)                                              {}
func (uncounted) Left(string)                                                 {}
func (uncounted) Answered(string, cpis.Outcome, cpis.Notified, time.Duration) {}
func (uncounted) TurnedAway(string, Class)                                    {}
