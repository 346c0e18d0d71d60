package spinesim

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// TestASID is the accredited system id that stands for Spine in public test data.
const TestASID = "928942012545"

// DefaultPath is where synchronous queries are received and DefaultAsyncPath where
// asynchronous ones are, unless the configuration says otherwise. Both are
// invented: CP-IS was not seen under any.
const (
	DefaultPath      = "/sync-service"
	DefaultAsyncPath = "/reliablemessaging/queryrequest"
)

// Refusal says how a request that violates one of Spine's checks is answered.
type Refusal string

// Refusals. The first two are for the checks on the HL7 message; fault and the last
// two are for those on the ebXML message around it.
const (
	RefuseWithFault        Refusal = "fault"                // SOAP fault 200, the check's symbol in its description
	RefuseWithError        Refusal = "mcci-ae"              // MCCI_IN010000UK13 AE, the check's symbol as display name
	RefuseWithMessageError Refusal = "message-error"        // eb:MessageError with ebXML's own codes
	RefuseWithHarnessError Refusal = "message-error-402005" // the same, but 402005 for a contract that is not known
)

// Config is everything a simulator needs. Zero values have the defaults that
// the comments give; Certificate and ClientCAs have none.
type Config struct {
	// Address is host:port of the protocol; default 127.0.0.1:0. A host that
	// is not loopback needs AllowNonLoopback.
	Address          string
	AllowNonLoopback bool

	// ManagementAddress is host:port of the management interface, which must be
	// loopback; empty for none.
	ManagementAddress string

	// Path of the query service; default DefaultPath.
	Path string

	// Certificate is the server's; ClientCAs is the PEM of the authorities whose
	// client certificates are accepted. MaxTLSVersion is tls.VersionTLS12 or
	// tls.VersionTLS13, the default.
	Certificate   tls.Certificate
	ClientCAs     []byte
	MaxTLSVersion uint16

	// ASID is the simulator's accredited system id; default TestASID.
	ASID string

	// Generate is the number of children added to the cast, each derived from
	// its number.
	Generate int

	// Seed fixes the message ids that the simulator makes; 0 for random ones.
	Seed uint64

	// Children are added to the cast; Scripts are played from the start and
	// again after each Reset.
	Children []Child
	Scripts  []Script

	// Refusal answers violated checks on the HL7 message; default RefuseWithFault.
	Refusal Refusal

	// Delay is waited before every reply; default none.
	Delay time.Duration

	// AsyncPath is the path for ebXML requests; default DefaultAsyncPath.
	AsyncPath string

	// Contract is between the simulator and its client; default DefaultContract,
	// field by field.
	Contract Contract

	// AsyncRefusal answers violated checks on the ebXML message:
	// RefuseWithMessageError, the default, RefuseWithHarnessError or RefuseWithFault.
	AsyncRefusal Refusal

	// Immediate is what ebXML requests are answered with on their own connection;
	// default Acknowledged if the request asks for it, else Accepted.
	Immediate Immediate

	// ReplyURLs are where replies are posted, by https; see SetReplyURLs. A reply
	// without a place to go to is recorded and forgotten. ReplyTo is 0 to take them in
	// turn, or n for always the nth.
	ReplyURLs []string
	ReplyTo   int

	// ReplyCertificate identifies the simulator when it posts; default Certificate.
	// ReplyCAs is the PEM of the authorities of the servers posted to; default
	// ClientCAs.
	ReplyCertificate tls.Certificate
	ReplyCAs         []byte

	// ReplyPrefixed writes the HL7 elements of posted replies with the prefix hl7.
	ReplyPrefixed bool

	// Chaos disturbs posted replies; default not at all.
	Chaos Chaos

	// KeepQueries and KeepNotifications bound the evidence kept (the newest);
	// default 200,000 each. As many posted replies are kept as queries. KeepIDs bounds
	// the memories of HL7 ids and of ebXML message ids; default 1,000,000 each.
	KeepQueries, KeepNotifications, KeepIDs int

	// Clock gives the time; default time.Now. Log receives one line per start
	// and refusal to start; default none.
	Clock func() time.Time
	Log   *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	if c.Path == "" {
		c.Path = DefaultPath
	}
	if c.AsyncPath == "" {
		c.AsyncPath = DefaultAsyncPath
	}
	if c.AsyncRefusal == "" {
		c.AsyncRefusal = RefuseWithMessageError
	}
	c.Contract = c.Contract.withDefaults()
	if len(c.ReplyCertificate.Certificate) == 0 {
		c.ReplyCertificate = c.Certificate
	}
	if len(c.ReplyCAs) == 0 {
		c.ReplyCAs = c.ClientCAs
	}
	if c.MaxTLSVersion == 0 {
		c.MaxTLSVersion = tls.VersionTLS13
	}
	if c.ASID == "" {
		c.ASID = TestASID
	}
	if c.Refusal == "" {
		c.Refusal = RefuseWithFault
	}
	if c.KeepQueries == 0 {
		c.KeepQueries = 200_000
	}
	if c.KeepNotifications == 0 {
		c.KeepNotifications = 200_000
	}
	if c.KeepIDs == 0 {
		c.KeepIDs = 1_000_000
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
