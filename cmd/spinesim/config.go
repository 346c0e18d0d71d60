package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// file is the configuration file. Paths are relative to it. Every key that is
// not required may be left out.
type file struct {
	Address          string           `toml:"address"`            // host:port; default 127.0.0.1:0
	Management       string           `toml:"management"`         // host:port on loopback; default none
	AllowNonLoopback bool             `toml:"allow_non_loopback"` // lets address be reachable from elsewhere
	Path             string           `toml:"path"`               // default /sync-service
	Certificate      string           `toml:"certificate"`        // required: PEM file, leaf then chain
	Key              string           `toml:"key"`                // required: PEM file
	ClientCAs        string           `toml:"client_cas"`         // required: PEM file
	TLSMax           string           `toml:"tls_max"`            // 1.2 or 1.3, the default
	ASID             string           `toml:"asid"`               // default 928942012545
	Generate         int              `toml:"generate"`           // further children, derived from their numbers
	Seed             uint64           `toml:"seed"`               // fixes message ids; 0 for random ones
	Refusal          string           `toml:"refusal"`            // fault, the default, or mcci-ae
	Delay            duration         `toml:"delay"`              // before every reply, as 20ms
	AsyncPath        string           `toml:"async_path"`         // default /reliablemessaging/queryrequest
	AsyncRefusal     string           `toml:"async_refusal"`      // message-error, the default, message-error-402005 or fault
	Immediate        string           `toml:"immediate"`          // answer to ebXML requests; default as they ask for
	ReplyURLs        []string         `toml:"reply_urls"`         // where replies are posted
	ReplyTo          int              `toml:"reply_to"`           // 0 for in turn, n for always the nth
	ReplyCertificate string           `toml:"reply_certificate"`  // PEM file; default certificate
	ReplyKey         string           `toml:"reply_key"`          // PEM file; default key
	ReplyCAs         string           `toml:"reply_cas"`          // PEM file; default client_cas
	ReplyPrefixed    bool             `toml:"reply_prefixed"`     // posted HL7 with the prefix hl7
	Contract         contract         `toml:"contract"`
	Chaos            chaos            `toml:"chaos"`
	Children         []spinesim.Child `toml:"children"`
	Scripts          []script         `toml:"scripts"`
	Platform         *platformFile    `toml:"platform"` // what stands beside the Spine; default none
}

type script struct {
	NHSNumber string `toml:"nhs_number"`
	Repeat    bool   `toml:"repeat"`
	Steps     []step `toml:"steps"`
}

type step struct {
	Behaviour spinesim.Behaviour   `toml:"behaviour"`
	Times     int                  `toml:"times"`
	Every     bool                 `toml:"every"`
	Delay     duration             `toml:"delay"`
	Immediate spinesim.Immediate   `toml:"immediate"`
	Chaos     spinesim.Disturbance `toml:"chaos"`
}

// contract is between the simulator and its client in the asynchronous pattern.
type contract struct {
	CPAID                string   `toml:"cpa_id"`                // default S928942A912345
	PartyKey             string   `toml:"party_key"`             // the simulator's; default YES-0000806
	ClientPartyKey       string   `toml:"client_party_key"`      // default any
	SyncReply            string   `toml:"sync_reply"`            // MSHSignalsOnly, the default, or none
	AckRequested         string   `toml:"ack_requested"`         // never, the default, always or perMessage
	DuplicateElimination string   `toml:"duplicate_elimination"` // never, the default, always or perMessage
	Retries              int      `toml:"retries"`               // of a reply without its acknowledgement; default 0
	RetryInterval        duration `toml:"retry_interval"`        // default 0s
	PersistDuration      duration `toml:"persist_duration"`      // of message ids; default as long as they are remembered
}

// chaos holds shares in percent.
type chaos struct {
	Seed           uint64   `toml:"seed"`
	Duplicate      int      `toml:"duplicate"`
	Reorder        int      `toml:"reorder"`
	Lose           int      `toml:"lose"`
	FlipBits       int      `toml:"flip_bits"`
	WrongReference int      `toml:"wrong_reference"`
	TruncateMIME   int      `toml:"truncate_mime"`
	OtherBoundary  int      `toml:"other_boundary"`
	HoldFor        int      `toml:"hold_for"`     // later replies that overtake a reordered one; default 1
	HoldAtMost     duration `toml:"hold_at_most"` // default 5s
	Delays         []struct {
		Share int      `toml:"share"`
		Delay duration `toml:"delay"`
	} `toml:"delays"`
}

// duration is a time.Duration written as 1.5s.
type duration time.Duration

// UnmarshalText reads Go's notation of durations.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// load reads the file at path and the certificates that it names. The platform
// is nil if the file has none.
func load(path string) (spinesim.Config, *platform.Config, error) {
	var f file
	meta, err := toml.DecodeFile(path, &f)
	if err != nil {
		return spinesim.Config{}, nil, fmt.Errorf("read the configuration: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		keys := make([]string, len(unknown))
		for i, k := range unknown {
			keys[i] = k.String()
		}
		return spinesim.Config{}, nil, fmt.Errorf("the configuration has unknown keys: %s", strings.Join(keys, ", "))
	}
	for _, required := range [][2]string{{"certificate", f.Certificate}, {"key", f.Key}, {"client_cas", f.ClientCAs}} {
		if required[1] == "" {
			return spinesim.Config{}, nil, fmt.Errorf("the configuration lacks the key %s", required[0])
		}
	}
	dir := filepath.Dir(path)
	cfg, err := f.config(dir)
	if err != nil || f.Platform == nil {
		return cfg, nil, err
	}
	beside, err := f.Platform.config(dir)
	if err != nil {
		return spinesim.Config{}, nil, err
	}
	beside.Certificate, beside.AllowNonLoopback = cfg.Certificate, cfg.AllowNonLoopback
	return cfg, &beside, nil
}

func (f file) config(dir string) (spinesim.Config, error) {
	cfg := spinesim.Config{
		Address:           f.Address,
		AllowNonLoopback:  f.AllowNonLoopback,
		ManagementAddress: f.Management,
		Path:              f.Path,
		ASID:              f.ASID,
		Generate:          f.Generate,
		Seed:              f.Seed,
		Children:          f.Children,
		Refusal:           spinesim.Refusal(f.Refusal),
		Delay:             time.Duration(f.Delay),
		AsyncPath:         f.AsyncPath,
		AsyncRefusal:      spinesim.Refusal(f.AsyncRefusal),
		Immediate:         spinesim.Immediate(f.Immediate),
		ReplyURLs:         f.ReplyURLs,
		ReplyTo:           f.ReplyTo,
		ReplyPrefixed:     f.ReplyPrefixed,
		Contract:          f.Contract.config(),
		Chaos:             f.Chaos.config(),
	}
	switch f.TLSMax {
	case "", "1.3":
	case "1.2":
		cfg.MaxTLSVersion = tls.VersionTLS12
	default:
		return spinesim.Config{}, fmt.Errorf("tls_max is %q; it must be 1.2 or 1.3", f.TLSMax)
	}
	for _, s := range f.Scripts {
		scripted := spinesim.Script{NHSNumber: s.NHSNumber, Repeat: s.Repeat}
		for _, step := range s.Steps {
			scripted.Steps = append(scripted.Steps, spinesim.Step{
				Behaviour: step.Behaviour, Times: step.Times, Every: step.Every, Delay: time.Duration(step.Delay), Immediate: step.Immediate, Chaos: step.Chaos,
			})
		}
		cfg.Scripts = append(cfg.Scripts, scripted)
	}
	var err error
	cfg.Certificate, err = tls.LoadX509KeyPair(within(dir, f.Certificate), within(dir, f.Key))
	if err != nil {
		return spinesim.Config{}, fmt.Errorf("load the server certificate: %w", err)
	}
	cfg.ClientCAs, err = os.ReadFile(within(dir, f.ClientCAs))
	if err != nil {
		return spinesim.Config{}, fmt.Errorf("load the client authorities: %w", err)
	}
	if f.ReplyCertificate != "" || f.ReplyKey != "" {
		cfg.ReplyCertificate, err = tls.LoadX509KeyPair(within(dir, f.ReplyCertificate), within(dir, f.ReplyKey))
		if err != nil {
			return spinesim.Config{}, fmt.Errorf("load the reply certificate: %w", err)
		}
	}
	if f.ReplyCAs != "" {
		cfg.ReplyCAs, err = os.ReadFile(within(dir, f.ReplyCAs))
		if err != nil {
			return spinesim.Config{}, fmt.Errorf("load the reply authorities: %w", err)
		}
	}
	return cfg, nil
}

func (k contract) config() spinesim.Contract {
	return spinesim.Contract{
		CPAID: k.CPAID, PartyKey: k.PartyKey, ClientPartyKey: k.ClientPartyKey, SyncReply: k.SyncReply,
		AckRequested: spinesim.Demand(k.AckRequested), DuplicateElimination: spinesim.Demand(k.DuplicateElimination),
		Retries: k.Retries, RetryInterval: time.Duration(k.RetryInterval), PersistDuration: time.Duration(k.PersistDuration),
	}
}

func (c chaos) config() spinesim.Chaos {
	disturbed := spinesim.Chaos{
		Seed: c.Seed, Duplicate: c.Duplicate, Reorder: c.Reorder, Lose: c.Lose, FlipBits: c.FlipBits,
		WrongReference: c.WrongReference, TruncateMIME: c.TruncateMIME, OtherBoundary: c.OtherBoundary,
		HoldFor: c.HoldFor, HoldAtMost: time.Duration(c.HoldAtMost),
	}
	for _, d := range c.Delays {
		disturbed.Delays = append(disturbed.Delays, spinesim.DelayShare{Share: d.Share, Delay: time.Duration(d.Delay)})
	}
	return disturbed
}

// within is a file's path relative to the configuration's directory.
func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
