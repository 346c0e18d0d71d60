package config

import (
	"errors"
	"time"
)

// File is the configuration file of `ward serve`, in TOML. Times are Go durations
// such as "9s"; paths are relative to the folder of the file. Secrets never stand
// in it: keys are named by path.
type File struct {
	// Environment is "test" or "live". A live one refuses test exemptions.
	Environment string `toml:"environment"`
	// ODSCode is that of the provider, told in every answer.
	ODSCode string `toml:"ods_code"`

	Listen     Listen     `toml:"listen"`
	Limits     Limits     `toml:"limits"`
	ITK        ITK        `toml:"itk"`
	NHSNumber  NHSNumber  `toml:"nhs_number"`
	Codes      Codes      `toml:"codes"`
	Spine      Spine      `toml:"spine"`
	PDS        PDS        `toml:"pds"`
	SDS        SDS        `toml:"sds"`
	Replies    Replies    `toml:"replies"`
	Audit      Audit      `toml:"audit"`
	Operations Operations `toml:"operations"`
	Log        Log        `toml:"log"`
	Budgets    []Budget   `toml:"budgets"`
	Clients    []Client   `toml:"clients"`
}

// Listen is the client-facing listener, always with mutual TLS.
type Listen struct {
	Address     string `toml:"address"`     // host:port
	Certificate string `toml:"certificate"` // PEM file: the leaf, then its intermediates
	Key         string `toml:"key"`         // PEM file
	ClientCA    string `toml:"client_ca"`   // PEM file: anchors of client certificates

	ClientCRLs      []string      `toml:"client_crls"`      // files of revocation lists; none are checked if empty
	RevocationGrace time.Duration `toml:"revocation_grace"` // after a list is out of date; 24h
}

// Limits bound what the listener takes.
type Limits struct {
	Connections  int           `toml:"connections"`             // open at a time; 1024
	PerAddress   int           `toml:"connections_per_address"` // of them from one address; 512
	Questions    int           `toml:"questions"`               // under way at a time; 256
	Body         int           `toml:"body"`                    // bytes of a request; 262144
	Header       int           `toml:"header"`                  // bytes of an HTTP header; 16384
	HeaderTime   time.Duration `toml:"header_timeout"`          // to receive the header; 5s
	BodyTime     time.Duration `toml:"body_timeout"`            // to receive the body; 5s
	WriteTime    time.Duration `toml:"write_timeout"`           // to send the answer; 5s
	IdleTime     time.Duration `toml:"idle_timeout"`            // of a connection; 2m
	DrainTime    time.Duration `toml:"drain_timeout"`           // to finish on a stop signal; 15s
	PerSecond    float64       `toml:"per_second"`              // questions of all clients together; 500
	Burst        int           `toml:"burst"`                   // 500
	BusyInterval time.Duration `toml:"retry_after"`             // told to a client that is turned away; 5s
}

// ITK is what a request must say.
type ITK struct {
	AcceptedTo          []string      `toml:"accepted_to"` // values of wsa:To: the URLs of this service
	RequestProfiles     []string      `toml:"request_profiles"`
	RequestInteractions []string      `toml:"request_interactions"`
	ClockSkew           time.Duration `toml:"clock_skew"` // 5s
	MaxTTL              time.Duration `toml:"max_ttl"`    // from Created to Expires; 24h
	RequestBudget       time.Duration `toml:"request_budget"`
}

// NHSNumber is the policy on numbers.
type NHSNumber struct {
	CheckDigit           string   `toml:"check_digit"` // enforce, record, off; enforce
	Exempt               []string `toml:"exempt"`      // asked about whatever the check digit; test only
	RejectRepeatedDigits *bool    `toml:"reject_repeated_digits"`
}

// Codes changes the response code of outcomes.
type Codes struct {
	Map map[string]string `toml:"map"`
}

// Spine is the Spine-facing side.
type Spine struct {
	Pattern     string `toml:"pattern"`     // sync, async, or sds: as the directory says; sync
	Endpoint    string `toml:"endpoint"`    // https URL; no default, never guessed
	To          string `toml:"wsa_to"`      // the endpoint if empty
	From        string `toml:"wsa_from"`    // our own address
	ServerName  string `toml:"server_name"` // name in the Spine's certificate; the endpoint's host if empty
	Certificate string `toml:"certificate"` // PEM file: ours, with its intermediates
	Key         string `toml:"key"`         // PEM file
	CA          string `toml:"ca"`          // PEM file: anchors of the Spine's certificate

	CRLs            []string      `toml:"crls"`             // files of revocation lists; none are checked if empty
	RevocationGrace time.Duration `toml:"revocation_grace"` // after a list is out of date; 24h

	FromASID    string `toml:"from_asid"`    // ours
	ToASID      string `toml:"to_asid"`      // the Spine's
	VersionCode string `toml:"version_code"` // v3INF_DMSv5.7:FIN
	MaxTLS      string `toml:"max_tls"`      // "1.2" or "1.3"; 1.2

	ConnectTimeout   time.Duration `toml:"connect_timeout"`    // 3s
	WriteTimeout     time.Duration `toml:"write_timeout"`      // 3s
	FirstByteTimeout time.Duration `toml:"first_byte_timeout"` // 8s
	IdleTimeout      time.Duration `toml:"idle_timeout"`       // 30s
	ConnectRetries   *int          `toml:"connect_retries"`    // 0 or 1; 1
	Connections      int           `toml:"connections"`        // at a time; 64
	Waiting          *int          `toml:"waiting"`            // questions that may wait for one; as many as connections
	MaxReply         int           `toml:"max_reply"`          // bytes; 2097152
	BreakerFailures  int           `toml:"breaker_failures"`   // without an answer in a row, after which nothing is sent for a while; 5
	BreakerPause     time.Duration `toml:"breaker_pause"`      // until a handshake tries whether the Spine is back; 10s

	Contract Contract `toml:"contract"` // of the asynchronous pattern

	NotFoundCodes    []string `toml:"not_found_codes"`
	AuthorErrorCodes []string `toml:"author_error_codes"`
}

// Audit is the audit log. There is no setting that turns it off (IG-3.9.7).
type Audit struct {
	Database    string        `toml:"database"`     // file of an SQLite database, or
	Postgres    string        `toml:"postgres"`     // file with the URL of a PostgreSQL database, which several instances can share
	Instance    string        `toml:"instance"`     // name of this one of them; the host's
	SigningKey  string        `toml:"signing_key"`  // file; made by `ward audit keygen`
	VerifierKey string        `toml:"verifier_key"` // file
	SealingKeys []string      `toml:"sealing_keys"` // files, the newest first: it seals, all open
	IndexKeys   []string      `toml:"index_keys"`   // files, the newest first: it indexes, all find
	Checkpoints Folders       `toml:"checkpoints"`  // folders, at best on other machines; one may stand alone
	Every       time.Duration `toml:"checkpoint_every"`
	GroupWait   time.Duration `toml:"group_wait"` // how long to collect a group; 1ms

	Destinations []Destination `toml:"destinations"` // to which checkpoints go too
	Witnesses    []Witness     `toml:"witnesses"`    // which cosign them

	Copy Copy `toml:"copy"`

	// ErasureKey is the file of the public key of those who may order that content is
	// destroyed. Without it nothing can be erased.
	ErasureKey string    `toml:"erasure_key"`
	Retention  Retention `toml:"retention"`
}

// Copy says where a second copy of the log is kept up to date, if anywhere.
type Copy struct {
	Database string        `toml:"database"` // file of an SQLite database, on another disc than the log, or
	Postgres string        `toml:"postgres"` // file with the URL of a PostgreSQL database
	Every    time.Duration `toml:"every"`    // how soon it gets new entries; 1s
	Late     time.Duration `toml:"late"`     // after which a copy that lacks entries is an alert; 30s
}

// Destination takes checkpoints by HTTP PUT.
type Destination struct {
	URL         string `toml:"url"`         // https
	CA          string `toml:"ca"`          // PEM file: anchors of its certificate; those of the system if empty
	Certificate string `toml:"certificate"` // PEM file: shown to it, with its intermediates; none if empty
	Key         string `toml:"key"`         // PEM file
}

// Witness cosigns checkpoints (C2SP tlog-witness).
type Witness struct {
	URL string `toml:"url"` // https; its submission prefix
	Key string `toml:"key"` // file: its verifier key
	CA  string `toml:"ca"`  // PEM file: anchors of its certificate; those of the system if empty
}

// Folders are paths of folders, in TOML a list or one string.
type Folders []string

// UnmarshalTOML implements toml.Unmarshaler.
func (f *Folders) UnmarshalTOML(value any) error {
	*f = nil
	one, ok := value.(string)
	if ok && one != "" {
		*f = Folders{one}
	}
	if ok {
		return nil
	}
	list, ok := value.([]any)
	for _, item := range list {
		path, isText := item.(string)
		ok = ok && isText
		*f = append(*f, path)
	}
	if !ok {
		return errors.New("must be the path of a folder or a list of such")
	}
	return nil
}

// Retention is how long the content of entries is kept, as in "30y" or "18m": whole
// years or months, for ever if empty.
type Retention struct {
	Questions  string `toml:"questions"`  // what was asked, answered and refused
	Readings   string `toml:"readings"`   // who read the log, and log-ins
	Operations string `toml:"operations"` // starts, stops and changes
}

// Operations is the listener for health and metrics, on a loopback address, off if empty.
type Operations struct {
	Address string `toml:"address"`
}

// Log is the operational log. It never holds personal data, at any level.
type Log struct {
	Level  string `toml:"level"`  // debug, info, warn, error; info
	Format string `toml:"format"` // json or text; json
}

// Client is one registered client system.
type Client struct {
	Name            string   `toml:"name"`
	Organisations   []string `toml:"organisations"` // ODS codes
	Setting         string   `toml:"setting"`       // an unscheduled care setting
	AccessMethod    string   `toml:"access_method"` // attended, unattended, smartcard; attended
	Certificates    []string `toml:"certificates"`  // "sha256:HEX", "spki:HEX", "dns:NAME"
	CertificateFile []string `toml:"certificate_files"`
	Usernames       []string `toml:"usernames"`
	AuditIdentities []string `toml:"audit_identities"`
	ASID            string   `toml:"asid"`
	NotificationOff bool     `toml:"notification_spec_off"`
	VerifyNumber    string   `toml:"verify_number"` // none, or pds: with the demographics service before each question; none
	PerSecond       *float64 `toml:"per_second"`    // 20
	Burst           *int     `toml:"burst"`         // 40
	Questions       *int     `toml:"questions"`     // under way at a time; 64
}
