package platform

import (
	"fmt"
	"slices"
	"sync"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// Names of the question about a child, its answers and their service, as SDS
// lists them.
const (
	QueryInteraction = "urn:nhs:names:services:cpisquery:QUPC_IN000006GB01"
	FoundInteraction = "urn:nhs:names:services:cpisquery:REPC_IN000007GB01"
	ackInteraction   = "urn:nhs:names:services:cpisquery:MCCI_IN010000UK13"
)

// The Spine in public test data.
const (
	SpineODS      = "YES"
	SpinePartyKey = "YES-0000806"
)

// Directory holds the records of SDS. Its FHIR and its LDIF form agree.
type Directory struct {
	Systems   []System
	Endpoints []MHS
	Staff     []Staff
}

// System is an accredited system (nhsAs).
type System struct {
	ASID         string   `toml:"asid"` // twelve digits
	Organisation string   `toml:"organisation"`
	PartyKey     string   `toml:"party_key"`
	Interactions []string `toml:"interactions"` // urn:nhs:names:services:<service>:<interaction>
}

// MHS is a message handling system (nhsMhs): where and how one interaction is
// received.
type MHS struct {
	ID           string `toml:"id"`
	Organisation string `toml:"organisation"`
	PartyKey     string `toml:"party_key"`
	Interaction  string `toml:"interaction"`
	Address      string `toml:"address"` // URL; empty for the simulated Spine's
	FQDN         string `toml:"fqdn"`
	CPAID        string `toml:"cpa_id"`

	Contract Contract `toml:"contract"`
}

// Contract is the reliability configuration, as written in SDS. An empty
// property is not in the record.
type Contract struct {
	SyncReply            string `toml:"sync_reply"`            // none, MSHSignalsOnly, signalsAndResponse, responseOnly
	AckRequested         string `toml:"ack_requested"`         // never, always, perMessage
	DuplicateElimination string `toml:"duplicate_elimination"` // never, always, perMessage
	Retries              string `toml:"retries"`               // a number
	RetryInterval        string `toml:"retry_interval"`        // as PT1M
	PersistDuration      string `toml:"persist_duration"`      // as PT5M
	Actor                string `toml:"actor"`
	Authenticated        string `toml:"authenticated"` // none, transient, persistent; in LDAP alone
}

// SyncContract is of the synchronous pattern, UnreliableContract and
// ReliableContract of the asynchronous one without and with resends.
func SyncContract() Contract {
	return Contract{SyncReply: "none", AckRequested: "never", DuplicateElimination: "never", Authenticated: "transient"}
}

// UnreliableContract is as the one public record for an answer about a child.
func UnreliableContract() Contract {
	return Contract{SyncReply: "MSHSignalsOnly", AckRequested: "never", DuplicateElimination: "never", Retries: "0", Authenticated: "transient"}
}

// ReliableContract is as the records of other services.
func ReliableContract() Contract {
	return Contract{
		SyncReply: "MSHSignalsOnly", AckRequested: "always", DuplicateElimination: "always", Retries: "2",
		RetryInterval: "PT1M", PersistDuration: "PT5M", Actor: "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH", Authenticated: "transient",
	}
}

// Staff is a person who may ask, with role profiles. SDS has them in LDAP alone.
type Staff struct {
	UserID string `toml:"user_id"` // twelve digits
	Status string `toml:"status"`  // 1 for an active user; empty for none in the record
	Roles  []Role `toml:"roles"`
}

// Role is a role profile.
type Role struct {
	Profile      string `toml:"profile"`
	Organisation string `toml:"organisation"`
	Code         string `toml:"code"`   // as R0260 or S8000:G8000:R0260
	Opened       string `toml:"opened"` // yyyyMMdd, the day on which it began; empty for none
	Closed       string `toml:"closed"` // yyyyMMdd, the day on which it ended; empty for none
}

// SpineRecords are the Spine's own: it receives questions about children under
// the contract, at the simulated Spine's URL.
func SpineRecords(c Contract) Directory {
	return Directory{
		Systems: []System{{
			ASID: spinesim.TestASID, Organisation: SpineODS, PartyKey: SpinePartyKey,
			Interactions: []string{QueryInteraction, ackInteraction},
		}},
		Endpoints: []MHS{{
			ID: "S9990000001A0001", CPAID: "S9990000001A0001", Organisation: SpineODS, PartyKey: SpinePartyKey,
			Interaction: QueryInteraction, FQDN: "localhost", Contract: c,
		}},
	}
}

// ProviderRecords are those of a provider who asks, and receives the answers
// of the asynchronous pattern at the address.
func ProviderRecords(organisation, asid, partyKey, address string) Directory {
	d := Directory{Systems: []System{{
		ASID: asid, Organisation: organisation, PartyKey: partyKey,
		Interactions: []string{QueryInteraction, FoundInteraction, ackInteraction},
	}}}
	if address != "" {
		d.Endpoints = []MHS{{
			ID: "S9990000002A0001", CPAID: "S9990000002A0001", Organisation: organisation, PartyKey: partyKey,
			Interaction: FoundInteraction, Address: address, FQDN: "localhost", Contract: UnreliableContract(),
		}}
	}
	return d
}

// With is d and more.
func (d Directory) With(more Directory) Directory {
	return Directory{
		Systems:   slices.Concat(d.Systems, more.Systems),
		Endpoints: slices.Concat(d.Endpoints, more.Endpoints),
		Staff:     slices.Concat(d.Staff, more.Staff),
	}
}

// Mode says how the directory answers over FHIR.
type Mode string

// The modes.
const (
	Strict  Mode = "strict"  // by its records
	Random  Mode = "random"  // any question has an invented answer, always the same
	Failing Mode = "failing" // HTTP status 502 to everything
)

func (m Mode) known() bool { return m == Strict || m == Random || m == Failing }

// directory is what SDS holds now. Safe for concurrent use; nobody changes
// records in place.
type directory struct {
	mu      sync.Mutex
	mode    Mode
	records Directory
}

func (d *directory) get() (Mode, Directory) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mode, d.records
}

func (d *directory) change(f func(*directory)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// Directory is the records that SDS holds now, each with its address, if the
// simulated Spine was started.
func (p *Platform) Directory() Directory {
	_, d := p.directory.get()
	d.Endpoints = slices.Clone(d.Endpoints)
	for i, m := range d.Endpoints {
		if m.Address == "" && p.cfg.Spine != nil && p.cfg.Spine.Addr() != "" {
			d.Endpoints[i].Address = p.cfg.Spine.URL()
		}
	}
	return d
}

// SetDirectory replaces the records until the next Reset.
func (p *Platform) SetDirectory(d Directory) error {
	err := d.validate()
	if err != nil {
		return err
	}
	d = d.With(Directory{}) // a copy: the caller may change its own
	p.directory.change(func(now *directory) { now.records = d })
	return nil
}

// SetMode changes how the directory answers over FHIR until the next Reset.
func (p *Platform) SetMode(m Mode) error {
	if !m.known() {
		return fmt.Errorf("the directory mode %q is neither strict, random nor failing", m)
	}
	p.directory.change(func(now *directory) { now.mode = m })
	return nil
}
