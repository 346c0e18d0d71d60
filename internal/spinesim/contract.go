package spinesim

import (
	"errors"
	"fmt"
	"time"
)

// Demand says how often a contract demands an element of an ebXML message, in the
// words of the directory.
type Demand string

// The three demands.
const (
	Never      Demand = "never"
	Always     Demand = "always"
	PerMessage Demand = "perMessage" // the sender decides
)

// Values of Contract.SyncReply.
const (
	SyncReplySignals = "MSHSignalsOnly" // acknowledgements and errors in the HTTP answer
	SyncReplyNone    = "none"
)

// Contract is what the directory would say of the simulator's message handling
// system and of its client's: one contract for requests and replies alike.
type Contract struct {
	CPAID          string // default "S928942A912345"
	PartyKey       string // the simulator's; default "YES-0000806", Spine's in public test data
	ClientPartyKey string // empty, the default, for any

	SyncReply            string // MSHSignalsOnly, the default, or none
	AckRequested         Demand // default Never
	DuplicateElimination Demand // default Never

	// Retries is how often a reply that asks for an acknowledgement is posted again
	// while none came, each RetryInterval after the last attempt. PersistDuration is how
	// long a message id counts as a repeat; zero for as long as it is remembered.
	Retries                        int
	RetryInterval, PersistDuration time.Duration
}

// DefaultContract is that of the one public directory record about CP-IS replies: no
// acknowledgement, no elimination of duplicates, no retries. The CPA id is made up.
func DefaultContract() Contract {
	return Contract{
		CPAID:                "S928942A912345",
		PartyKey:             "YES-0000806",
		SyncReply:            SyncReplySignals,
		AckRequested:         Never,
		DuplicateElimination: Never,
	}
}

// withDefaults fills each field that is empty.
func (k Contract) withDefaults() Contract {
	standard := DefaultContract()
	if k.CPAID == "" {
		k.CPAID = standard.CPAID
	}
	if k.PartyKey == "" {
		k.PartyKey = standard.PartyKey
	}
	if k.SyncReply == "" {
		k.SyncReply = standard.SyncReply
	}
	if k.AckRequested == "" {
		k.AckRequested = standard.AckRequested
	}
	if k.DuplicateElimination == "" {
		k.DuplicateElimination = standard.DuplicateElimination
	}
	return k
}

func (k Contract) validate() error {
	for _, d := range []Demand{k.AckRequested, k.DuplicateElimination} {
		if d != Never && d != Always && d != PerMessage {
			return fmt.Errorf("the contract's %q is none of never, always and perMessage", d)
		}
	}
	if k.SyncReply != SyncReplySignals && k.SyncReply != SyncReplyNone {
		return fmt.Errorf("the contract's reply mode %q is neither %s nor %s", k.SyncReply, SyncReplySignals, SyncReplyNone)
	}
	if k.AckRequested != Never && k.SyncReply != SyncReplySignals {
		return fmt.Errorf("the contract asks for acknowledgements, which the simulator takes and gives in the HTTP answer alone: set the reply mode to %s", SyncReplySignals)
	}
	if k.Retries < 0 || k.RetryInterval < 0 || k.PersistDuration < 0 {
		return errors.New("a count or duration of the contract is negative")
	}
	return nil
}

// allows reports whether a message may have an element that many times.
func (d Demand) allows(times int) bool {
	switch d {
	case Always:
		return times == 1
	case Never:
		return times == 0
	default:
		return times <= 1
	}
}

// syncReply is the demand for eb:SyncReply.
func (k Contract) syncReply() Demand {
	if k.SyncReply == SyncReplySignals {
		return Always
	}
	return Never
}

// Contract is the one in force, completed with its defaults.
func (s *Simulator) Contract() Contract { return s.cfg.Contract }
