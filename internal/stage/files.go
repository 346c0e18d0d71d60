package stage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

const wardTOML = `# The provider of this stage. Every certificate here is a throw-away.
environment = "test"
ods_code = "{{.ProviderODS}}"

[listen]
address = "{{.Address}}"
certificate = "ward.pem"
key = "ward-key.pem"
client_ca = "ca.pem"

[limits]
per_second = 100000
burst = 100000
{{.Limits}}

[itk]
accepted_to = [{{range .Accepted}}"{{.}}", {{end}}]
request_budget = "{{.Budget}}"

[nhs_number]
exempt = ["1234567895"] # the official success number, which fails Modulus 11

[spine]
pattern = "{{.Pattern}}"
{{if not .Directed}}endpoint = "{{.Spine}}"
to_asid = "{{.SpineASID}}"
{{end}}server_name = "simulator.example.invalid"
certificate = "ward-spine.pem"
key = "ward-spine-key.pem"
ca = "ca.pem"
from_asid = "{{.ProviderASID}}"
max_tls = "{{.SpineTLS}}"
connect_timeout = "{{.ConnectTimeout}}"
breaker_failures = 1000000 # many children of the simulator get no answer, one after the other
{{.SpineSettings}}
{{if ne .Pattern "sync"}}
[spine.contract]
from_party = "{{.PartyKey}}"
{{if not .Directed}}cpa_id = "{{.Contract.CPAID}}"
to_party = "{{.Contract.PartyKey}}"
sync_reply = "{{.Contract.SyncReply}}"
ack_requested = "{{.Contract.AckRequested}}"
duplicate_elimination = "{{.Contract.DuplicateElimination}}"
retries = {{.Contract.Retries}}
retry_interval = "{{.Contract.RetryInterval}}"
persist_duration = "{{.Contract.PersistDuration}}"
{{end}}
[replies]
address = "{{.Replies}}"
certificate = "ward.pem"
key = "ward-key.pem"
ca = "ca.pem"
peers = ["dns:simulator.example.invalid"]
{{end}}{{if .Directory}}
[sds]
protocol = "{{.SDSProtocol}}"
url = "{{.SDSURL}}"
ca = "ca.pem"
{{if eq .Directory "fhir"}}api_key = "application-api-key"
{{else}}certificate = "ward-spine.pem"
key = "ward-spine-key.pem"
{{end}}organisation = "{{.SDSOrganisation}}"
{{end}}{{if .Demographics}}
[pds]
url = "{{.PatientURL}}"
token_url = "{{.TokenURL}}"
ca = "ca.pem"
api_key = "application-api-key"
key = "application-key.pem"
key_id = "{{.KeyID}}"
per_second = 100000
{{end}}
[audit]
{{if .Postgres}}postgres = "postgres-url"
instance = "{{.Instance}}"{{else}}database = "audit.db"{{end}}
signing_key = "audit-key"
verifier_key = "audit-key.pub"
sealing_keys = ["sealing-key"]
index_keys = ["index-key"]
checkpoints = "checkpoints"

[[clients]]
name = "{{.OtherName}}"
organisations = ["RYY"]
setting = "maternity"
certificates = ["dns:maternity.example.invalid"]
usernames = ["{{.OtherUsername}}"]
audit_identities = ["urn:nhs-uk:identity:ods:RYY"]
asid = "200000000389"

[[clients]]
name = "{{.ClientName}}"
organisations = ["{{.ClientODS}}"]
setting = "emergency-department"
certificate_files = ["client.pem"]
usernames = ["{{.Username}}"]
audit_identities = ["urn:nhs-uk:identity:ods:{{.ClientODS}}"]
asid = "{{.ClientASID}}"
per_second = 100000
burst = 100000
questions = {{.Questions}}
{{if .Demographics}}verify_number = "pds"
{{end}}{{.Client}}
{{.Ward}}
`

const clientTOML = `# A client of this stage: an emergency department without smartcards.
url = "{{.URL}}"
username = "{{.Username}}"
audit_identity = "{{.AuditIdentity}}"
organisation = "{{.ClientODS}}"
organisation_name = "Example Hospital NHS Trust Emergency Department"
provider = "{{.ProviderODS}}"
certificate = "client.pem"
key = "client-key.pem"
ca = "ca.pem"
server_name = "smsp.example.invalid"
contacts = "Westmarch children's social care 020 7946 0101, out of hours 020 7946 0102"
service_desk = "01632 960999"

[system]
asid = "{{.ClientASID}}"
[system.responsible]
role_code = "R0580"
role_name = "Nurse Manager"
prefix = "Ms"
given = "Imogen"
family = "Hartley"

# What ward conform needs besides: whom to ask about, and who else may ask.
[conform]
environment = "test"
other_username = "{{.OtherUsername}}"
user_id = "555000000001"
role_profile = "555100000001"
pause = "1ms"
{{range .Children}}[[conform.children]]
nhs_number = "{{.NHSNumber}}"
code = "{{.Code}}"
{{end}}`

const spinesimTOML = `# The simulator of this stage as a program of its own: spinesim -config spinesim.toml
address = "{{.SpineAddress}}"
management = "{{.SpineManagement}}"
certificate = "spinesim.pem"
key = "spinesim-key.pem"
client_cas = "ca.pem"
reply_urls = [{{range .ReplyURLs}}"{{.}}", {{end}}]
generate = {{.Generate}}
`

// fields fill the templates.
type fields struct {
	Options
	platformFields
	Directed                                                                              bool
	ProviderODS, ProviderASID, ClientName, ClientODS, ClientASID, Username, AuditIdentity string
	URL, Address, Spine, SpineASID, SpineAddress, SpineManagement                         string
	ConnectTimeout                                                                        time.Duration
	OtherName, OtherUsername                                                              string
	Children                                                                              []spinesim.ChildView // one for each response code
	Accepted                                                                              []string             // URLs of all instances
	Instance                                                                              string
	PartyKey                                                                              string // ours
	Contract                                                                              spinesim.Contract
	Replies                                                                               string   // address
	ReplyURLs                                                                             []string // of all instances
}

func (s *Stage) writeFiles(o Options) error {
	address := s.Address
	f := fields{
		Options: o, platformFields: s.platformFields(o), Directed: s.Directed, PartyKey: PartyKey,
		ProviderODS: ProviderODS, ProviderASID: ProviderASID,
		ClientName: ClientName, ClientODS: ClientODS, ClientASID: ClientASID,
		Username: Username, AuditIdentity: AuditIdentity,
		URL: s.URL, Address: address, ConnectTimeout: o.Budget / 3,
		Spine: s.SpineURL(), SpineASID: spinesim.TestASID,
		SpineAddress: s.Simulator.Addr(), SpineManagement: s.Simulator.ManagementAddr(),
		OtherName: "demo-maternity", OtherUsername: OtherUsername, Children: s.oneForEachCode(),
		ReplyURLs: s.replyURLs(),
	}
	if s.Pattern == "async" {
		f.Contract = s.Simulator.Contract()
	}
	all := append([]*Stage{s}, s.Replicas...)
	for _, each := range all {
		f.Accepted = append(f.Accepted, each.URL)
	}
	err := s.write("spinesim.toml", spinesimTOML, f)
	if o.Postgres != "" {
		err = errors.Join(err, os.WriteFile(filepath.Join(s.Dir, "postgres-url"), []byte(o.Postgres+"\n"), 0o600))
	}
	for _, each := range all {
		f.URL, f.Address, f.Instance, f.Replies = each.URL, each.Address, each.Instance(), each.replies
		err = errors.Join(err, s.write(each.file("ward"), wardTOML, f), s.write(each.file("client"), clientTOML, f))
	}
	return err
}

// Instance is the name of the provider where several share a log.
func (s *Stage) Instance() string {
	if s.instance == "" {
		return "first"
	}
	return s.instance
}

// oneForEachCode is the first child of the simulator for each response code.
func (s *Stage) oneForEachCode() []spinesim.ChildView {
	var list []spinesim.ChildView
	for _, child := range s.Children(0) {
		if !slices.ContainsFunc(list, func(c spinesim.ChildView) bool { return c.Code == child.Code }) {
			list = append(list, child)
		}
	}
	return list
}

func (s *Stage) write(name, text string, f fields) error {
	var content strings.Builder
	err := template.Must(template.New(name).Parse(text)).Execute(&content, f)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, name), []byte(content.String()), 0o644)
}
