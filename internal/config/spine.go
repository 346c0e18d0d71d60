package config

import (
	"crypto/tls"
	"net/url"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/ebxml"
	"github.com/wardsmsp/ward/internal/spine"
)

// Contract is what the directory says of the Spine's message handling system, for the
// asynchronous pattern without a directory. The names are the directory's.
type Contract struct {
	CPAID                string        `toml:"cpa_id"`                // nhsMhsCPAId
	FromParty            string        `toml:"from_party"`            // our party key
	ToParty              string        `toml:"to_party"`              // the Spine's, nhsMHSPartyKey
	SyncReply            string        `toml:"sync_reply"`            // MSHSignalsOnly
	AckRequested         string        `toml:"ack_requested"`         // always or never; never
	DuplicateElimination string        `toml:"duplicate_elimination"` // always or never; never
	Actor                string        `toml:"actor"`                 // urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH
	Retries              int           `toml:"retries"`               // 0; only where acknowledged and without duplicates
	RetryInterval        time.Duration `toml:"retry_interval"`
	PersistDuration      time.Duration `toml:"persist_duration"`
}

func (c *checker) spine(s *Settings) {
	sp := s.Spine
	c.oneOf("spine.pattern", sp.Pattern, "sync", "async", "sds")
	if sp.Pattern == "sds" {
		c.directed(sp)
	} else {
		c.route(s)
	}
	c.notLive(s.Live, "spine.server_name", sp.ServerName)
	if !isASID(sp.FromASID) {
		c.problems.add("spine.from_asid", "must be our ASID, twelve digits")
	}
	positive(c, "spine.connect_timeout", sp.ConnectTimeout)
	positive(c, "spine.write_timeout", sp.WriteTimeout)
	positive(c, "spine.first_byte_timeout", sp.FirstByteTimeout)
	positive(c, "spine.idle_timeout", sp.IdleTimeout)
	positive(c, "spine.connections", sp.Connections)
	positive(c, "spine.max_reply", sp.MaxReply)
	positive(c, "spine.breaker_failures", sp.BreakerFailures)
	positive(c, "spine.breaker_pause", sp.BreakerPause)
	if *sp.Waiting < 0 {
		c.problems.add("spine.waiting", "must not be less than 0")
	}
	if sp.ConnectTimeout >= s.ITK.RequestBudget {
		c.problems.add("spine.connect_timeout", "must be shorter than itk.request_budget")
	}
	if *sp.ConnectRetries < 0 || *sp.ConnectRetries > 1 {
		c.problems.add("spine.connect_retries", "must be 0 or 1; a question that was sent is never sent again")
	}
	c.oneOf("spine.max_tls", sp.MaxTLS, "1.2", "1.3")
	if len(sp.NotFoundCodes) == 0 {
		c.problems.add("spine.not_found_codes", "must list at least one code; leave it out for the default")
	}
	s.Rules = cpis.Rules{NotFoundCodes: sp.NotFoundCodes, AuthorErrorCodes: sp.AuthorErrorCodes}
	c.spineTLS(s)
}

// route reads where the Spine takes questions, and in which pattern.
func (c *checker) route(s *Settings) {
	sp := s.Spine
	s.Route.ToASID = sp.ToASID
	if !isASID(sp.ToASID) {
		c.problems.add("spine.to_asid", "must be the Spine's ASID, twelve digits")
	}
	endpoint, err := url.Parse(sp.Endpoint)
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" || endpoint.User != nil {
		c.problems.add("spine.endpoint", "must be the https URL of the CP-IS service; it has no default and is never guessed")
	} else {
		s.Route.Endpoint = endpoint
		c.notLive(s.Live, "spine.endpoint", endpoint.Hostname())
	}
	if sp.Pattern == "async" {
		s.Route.Pattern = spine.Async
		s.Route.Contract = c.contract(sp.Contract)
	}
}

// directed checks what of a route does not come from the directory.
func (c *checker) directed(sp Spine) {
	if sp.Endpoint != "" || sp.ToASID != "" {
		c.problems.add("spine.endpoint", "and spine.to_asid come from the directory with spine.pattern = \"sds\"; remove them")
	}
	if sp.Contract.CPAID != "" || sp.Contract.ToParty != "" {
		c.problems.add("spine.contract.cpa_id", "and spine.contract.to_party come from the directory with spine.pattern = \"sds\"; remove them")
	}
	if sp.ServerName == "" {
		c.problems.add("spine.server_name", "must be the name in the Spine's certificate: the directory may give an address without a name")
	}
	if sp.Contract.FromParty == "" {
		c.problems.add("spine.contract.from_party", "is missing; it is our own party key, which the directory does not tell")
	}
}

// contract reads the contract properties of the asynchronous pattern.
func (c *checker) contract(k Contract) ebxml.Contract {
	for key, value := range map[string]string{"cpa_id": k.CPAID, "from_party": k.FromParty, "to_party": k.ToParty} {
		if value == "" {
			c.problems.add("spine.contract."+key, "is missing; it is in the directory's record of the Spine's message handling system")
		}
	}
	c.oneOf("spine.contract.sync_reply", k.SyncReply, "MSHSignalsOnly", "none", "signalsAndResponse", "signalsOnly", "responseOnly")
	c.oneOf("spine.contract.ack_requested", k.AckRequested, "always", "never")
	c.oneOf("spine.contract.duplicate_elimination", k.DuplicateElimination, "always", "never")
	if k.Retries < 0 || k.RetryInterval < 0 || k.PersistDuration < 0 {
		c.problems.add("spine.contract", "retries, retry_interval and persist_duration must not be negative")
	}
	return ebxml.Contract{
		CPAID: k.CPAID, FromParty: k.FromParty, ToParty: k.ToParty, SyncReply: k.SyncReply,
		AckRequested: k.AckRequested == "always", DuplicateElimination: k.DuplicateElimination == "always",
		Actor: k.Actor, Retries: k.Retries, RetryInterval: k.RetryInterval, PersistDuration: k.PersistDuration,
	}
}

// notLive keeps a test environment away from the live Spine, whether it is named by
// its address or, behind another address, by its certificate (WRD-SAF-17).
func (c *checker) notLive(live bool, key, host string) {
	if !live && isLiveSpine(host) {
		c.problems.add(key, "names the live Spine in a test environment (WRD-SAF-17)")
	}
}

func isLiveSpine(host string) bool {
	return strings.HasSuffix("."+strings.TrimSuffix(strings.ToLower(host), "."), liveSpine)
}

func (c *checker) spineTLS(s *Settings) {
	certificate, ok := c.keyPair("spine.certificate", s.Spine.Certificate, "spine.key", s.Spine.Key)
	anchors := c.anchors("spine.ca", s.Spine.CA)
	s.Trust.Spine = c.revoked("spine.crls", s.Spine.CRLs, anchors, "spine.revocation_grace", s.Spine.RevocationGrace)
	if !ok || anchors == nil {
		return
	}
	name := s.Spine.ServerName
	if name == "" && s.Route.Endpoint != nil {
		name = s.Route.Endpoint.Hostname()
	}
	highest := uint16(tls.VersionTLS12)
	if s.Spine.MaxTLS == "1.3" {
		highest = tls.VersionTLS13
	}
	s.SpineTLS = &tls.Config{
		Certificates:                []tls.Certificate{certificate},
		RootCAs:                     pool(anchors),
		VerifyConnection:            s.Trust.Spine.VerifyConnection,
		ServerName:                  name,
		MinVersion:                  tls.VersionTLS12,
		MaxVersion:                  highest,
		CipherSuites:                suites(),
		NextProtos:                  []string{"http/1.1"},
		ClientSessionCache:          tls.NewLRUClientSessionCache(s.Spine.Connections),
		DynamicRecordSizingDisabled: true, // one question, one record
	}
}
