package config_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/trust"
)

func mustLoad(t *testing.T, path string) *config.Settings {
	t.Helper()
	s, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a file leaves out has the documented default.
func TestDefaults(t *testing.T) {
	dir := folder(t)
	s := mustLoad(t, put(t, dir, wardFile))
	one, no, twenty, forty, sixtyFour := 1, false, 20.0, 40, 64
	expected := config.File{
		Limits: config.Limits{
			Connections: 1024, PerAddress: 512, Questions: 256, Body: 262144, Header: 16384,
			HeaderTime: 5 * time.Second, BodyTime: 5 * time.Second, WriteTime: 5 * time.Second,
			IdleTime: 2 * time.Minute, DrainTime: 15 * time.Second,
			PerSecond: 500, Burst: 500, BusyInterval: 5 * time.Second,
		},
		ITK: config.ITK{
			AcceptedTo: []string{"https://smsp.example.invalid/smsp/cpis"},
			RequestProfiles: []string{
				"urn:nhs-en:profile:CP-ISNHSQuery-v1-0", "urn:nhs-en:profile:CP-ISNHSQuery-v1-1", "urn:nhs-en:profile:CP-ISNHSQuery-v2-0",
			},
			RequestInteractions: []string{"urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"},
			ClockSkew:           5 * time.Second, MaxTTL: 24 * time.Hour, RequestBudget: 9 * time.Second,
		},
		NHSNumber: config.NHSNumber{CheckDigit: "enforce", RejectRepeatedDigits: &no},
		Spine: config.Spine{
			RevocationGrace: 24 * time.Hour, VersionCode: "v3INF_DMSv5.7:FIN", MaxTLS: "1.2",
			ConnectTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second, FirstByteTimeout: 8 * time.Second, IdleTimeout: 30 * time.Second,
			ConnectRetries: &one, Connections: 64, Waiting: &sixtyFour, MaxReply: 2097152,
			BreakerFailures: 5, BreakerPause: 10 * time.Second,
			NotFoundCodes: []string{"1", "NHSNCC002"}, Pattern: "sync",
			Contract: config.Contract{SyncReply: "MSHSignalsOnly", AckRequested: "never", DuplicateElimination: "never"},
		},
		PDS: config.PDS{Timeout: 2 * time.Second, PerSecond: 5, Unavailable: "refuse"},
		SDS: config.SDS{
			Protocol: "ldap", MaxTLS: "1.2", RevocationGrace: 24 * time.Hour,
			Base: "ou=services,o=nhs", Interaction: "urn:nhs:names:services:cpisquery:QUPC_IN000006GB01",
			Cache: 15 * time.Minute, Stale: 24 * time.Hour, Patience: time.Second, Negative: 5 * time.Second,
			ConnectTimeout: 5 * time.Second, SearchTimeout: 3 * time.Second, Connections: 4,
			People: config.SDSPeople{
				Base: "ou=people,o=nhs", User: "nhsPerson", UserID: "uid", Status: "nhsPersonStatus",
				Role: "nhsOrgPersonRole", RoleID: "uniqueIdentifier", Organisation: "nhsIDCode", JobRole: "nhsJobRoleCode",
				Opened: []string{"nhsOrgOpenDate", "nhsOpenDate"}, Closed: []string{"nhsOrgCloseDate", "nhsCloseDate"}, Cache: 5 * time.Minute,
			},
		},
		Replies: config.Replies{
			Path: "/replies", RevocationGrace: 24 * time.Hour, Connections: 64, PerAddress: 64, Deliveries: 64, Body: 2097152,
			Timeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, Remember: time.Hour,
		},
		Audit: config.Audit{Every: time.Minute, GroupWait: time.Millisecond, Copy: config.Copy{Every: time.Second, Late: 30 * time.Second}},
		Log:   config.Log{Level: "info", Format: "json"},
		Clients: []config.Client{{
			AccessMethod: "attended", VerifyNumber: "none", PerSecond: &twenty, Burst: &forty, Questions: &sixtyFour,
		}},
	}
	given := cmp.Options{
		cmpopts.IgnoreFields(config.File{}, "Environment", "ODSCode", "Listen"),
		cmpopts.IgnoreFields(config.Spine{}, "Endpoint", "Certificate", "Key", "CA", "FromASID", "ToASID"),
		cmpopts.IgnoreFields(config.Audit{}, "Database", "SigningKey", "VerifierKey", "SealingKeys", "IndexKeys"),
		cmpopts.IgnoreFields(config.Client{}, "Name", "Organisations", "Setting", "CertificateFile", "Usernames", "AuditIdentities", "ASID"),
	}
	if diff := cmp.Diff(expected, s.File, given); diff != "" {
		t.Errorf("defaults (-expected +got):\n%s", diff)
	}
	if s.Listen.RevocationGrace != 24*time.Hour || s.Trust.Clients != nil || s.Trust.Spine != nil {
		t.Errorf("grace %s, lists %v", s.Listen.RevocationGrace, s.Trust)
	}
	live := mustLoad(t, put(t, dir, set2("environment", "live")(t, wardFile)))
	if !*live.NHSNumber.RejectRepeatedDigits || !live.Live || !live.Numbers.RejectRepeated {
		t.Error("a live environment does not refuse ten equal digits")
	}
}

// What a file says stands, a 0 that means something included.
func TestGivenValuesStand(t *testing.T) {
	dir := folder(t)
	s := mustLoad(t, put(t, dir, all(
		in("itk", `clock_skew = "0s"`+"\nrequest_profiles = [\"urn:example:only\"]"),
		in("spine", "connect_retries = 0\nnot_found_codes = [\"7\"]\nmax_tls = \"1.3\"\nserver_name = \"other.example.invalid\""),
		in("limits", "per_second = 0.5"),
		in("nhs_number", "check_digit = \"record\"\nexempt = [\"1234567895\"]"),
		in("codes", `map = { spine_ack_only = "CPIS-9999" }`),
		in("log", `level = "warn"`),
	)(t, wardFile)))
	if s.ITK.ClockSkew != 0 || *s.Spine.ConnectRetries != 0 || s.Limits.PerSecond != 0.5 {
		t.Errorf("skew %s, retries %d, rate %v", s.ITK.ClockSkew, *s.Spine.ConnectRetries, s.Limits.PerSecond)
	}
	if !slices.Equal(s.ITK.RequestProfiles, []string{"urn:example:only"}) || !slices.Equal(s.Rules.NotFoundCodes, []string{"7"}) {
		t.Errorf("profiles %v, codes %v", s.ITK.RequestProfiles, s.Rules.NotFoundCodes)
	}
	exempt, err := cpis.ParseNHSNumber("1234567895")
	must(t, err)
	if s.Numbers.CheckDigit != cpis.RecordCheckDigit || !slices.Contains(s.Numbers.Exempt, exempt) {
		t.Error("the policy on numbers is not the given one")
	}
	if s.CodeTable.Of(cpis.SpineAckOnly) != "CPIS-9999" || s.LogLevel.String() != "WARN" {
		t.Errorf("code %s, level %s", s.CodeTable.Of(cpis.SpineAckOnly), s.LogLevel)
	}
	if s.SpineTLS.MaxVersion != tls.VersionTLS13 || s.SpineTLS.ServerName != "other.example.invalid" {
		t.Errorf("TLS version %x, name %s", s.SpineTLS.MaxVersion, s.SpineTLS.ServerName)
	}
	if s.Audit.Database != filepath.Join(dir, "audit.db") {
		t.Errorf("the database is %s, not beside the file", s.Audit.Database)
	}
}

// Revocation lists are read on the side for which they are configured, and out of
// date they are no reason not to start: that is what the grace period is for.
func TestRevocationLists(t *testing.T) {
	dir := folder(t)
	s := mustLoad(t, put(t, dir, in("listen", "client_crls = [\"list.crl\"]\nrevocation_grace = \"0s\"")(t, wardFile)))
	if s.Trust.Clients.State() != trust.Refusing || s.Trust.Spine.State() != trust.NotChecked {
		t.Errorf("clients %s, the Spine %s", s.Trust.Clients.State(), s.Trust.Spine.State())
	}
	s = mustLoad(t, put(t, dir, in("spine", "crls = [\"list.crl\"]\nrevocation_grace = \"168h\"")(t, wardFile)))
	if s.Trust.Clients.State() != trust.NotChecked || s.Trust.Spine.State() != trust.OutOfDate {
		t.Errorf("clients %s, the Spine %s", s.Trust.Clients.State(), s.Trust.Spine.State())
	}
}

// A live environment may name the live Spine; only a test one may not.
func TestLiveMayNameTheLiveSpine(t *testing.T) {
	dir := folder(t)
	must(t, loadWard(put(t, dir, all(set2("environment", "live"), set("endpoint", `"https://msg.national.ncrs.nhs.uk/x"`))(t, wardFile))))
	// A name that only ends alike is not the live Spine's.
	must(t, loadWard(put(t, dir, set("endpoint", `"https://notnational.ncrs.nhs.uk.example.invalid/x"`)(t, wardFile))))
}

// WRD-IAM-01, WRD-IAM-06, WRD-IAM-07: on both sides TLS 1.2 at least, verified both
// ways, whatever the file says.
func TestTLSIsAlwaysMutualAndVerified(t *testing.T) {
	s := mustLoad(t, put(t, folder(t), wardFile))
	if s.ListenTLS.ClientAuth != tls.RequireAndVerifyClientCert || s.ListenTLS.ClientCAs == nil || s.ListenTLS.MinVersion != tls.VersionTLS12 {
		t.Error("clients are not verified")
	}
	if s.SpineTLS.InsecureSkipVerify || s.SpineTLS.RootCAs == nil || s.SpineTLS.MinVersion != tls.VersionTLS12 ||
		len(s.SpineTLS.Certificates) != 1 || s.SpineTLS.ServerName != "spine.example.invalid" {
		t.Error("the Spine is not verified")
	}
	for _, c := range []*tls.Config{s.ListenTLS, s.SpineTLS} {
		for _, suite := range c.CipherSuites {
			if slices.ContainsFunc(tls.InsecureCipherSuites(), func(i *tls.CipherSuite) bool { return i.ID == suite }) {
				t.Errorf("the suite %s is offered", tls.CipherSuiteName(suite))
			}
		}
		if len(c.CipherSuites) == 0 {
			t.Error("the suites are left to chance")
		}
	}
}

// The settings of WRD-IAM-09 that may be registered.
func TestUnscheduledSettings(t *testing.T) {
	dir := folder(t)
	for _, setting := range []string{
		"emergency-department", "walk-in-centre", "minor-injuries-unit", "gp-out-of-hours", "nhs-111",
		"ambulance", "maternity", "paediatric-ward", "direct-admission",
	} {
		err := loadWard(put(t, dir, set("setting", `"`+setting+`"`)(t, wardFile)))
		if err != nil {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

// WRD-OPS-15: every problem is found in one go, whatever part it is in.
func TestEveryProblemAtOnce(t *testing.T) {
	dir := folder(t)
	err := loadWard(put(t, dir, all(
		change(`"test"`, `"staging"`), in("limits", "brust = 1\nburst = 0"), in("itk", `request_budget = "0s"`), set("key", `"open-key.pem"`),
		in("nhs_number", `check_digit = "no"`), set("to_asid", `"1"`), set("signing_key", `"absent"`),
		in("operations", `address = ":1"`), in("log", `level = "x"`), set("setting", `"school"`), set("organisations", `[]`),
	)(t, wardFile)))
	var keys []string
	for _, p := range problemsOf(t, err) {
		keys = append(keys, p.Key)
		if p.Reason == "" || !strings.Contains(err.Error(), p.String()) {
			t.Errorf("the problem %q is not told", p)
		}
	}
	slices.Sort(keys)
	expected := []string{
		"audit.signing_key", "clients.ed.audit_identities", "clients.ed.organisations", "clients.ed.setting", "environment", "itk.request_budget", "limits.brust", "limits.burst",
		"listen.key", "log.level", "nhs_number.check_digit", "operations.address", "spine.connect_timeout", "spine.to_asid",
	}
	if diff := cmp.Diff(expected, keys); diff != "" {
		t.Errorf("keys (-expected +got):\n%s", diff)
	}
}

// A file that cannot be read or is no TOML gives that one reason alone, whoever reads it.
func TestUnreadableFileIsTheOnlyProblem(t *testing.T) {
	dir := folder(t)
	loads := map[string]func(string) error{
		"ward":   loadWard,
		"client": func(path string) error { _, err := config.LoadClient(path); return err },
		"audit":  func(path string) error { _, err := config.LoadAudit(path); return err },
	}
	for name, load := range loads {
		for path, reason := range map[string]string{
			filepath.Join(dir, "absent.toml"): "no such file",
			dir:                               "is a directory",
			filepath.Join(dir, "huge"):        "larger than 1048576 bytes",
			put(t, dir, "url =\nto = 1\n"):    "line 1",
		} {
			err := load(path)
			if err == nil || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: expected the one reason %q, got %v", name, reason, err)
			}
		}
	}
}

// WRD-SEC-11: a key that stands in the place of its path is not repeated.
func TestSecretsAreNotRepeated(t *testing.T) {
	dir := folder(t)
	for _, name := range []string{"server-key.pem", "audit-key"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		key := map[string]string{"server-key.pem": "key", "audit-key": "signing_key"}[name]
		err = loadWard(put(t, dir, set(key, `"`+strings.ReplaceAll(string(content), "\n", `\n`)+`"`)(t, wardFile)))
		problems := problemsOf(t, err)
		for line := range strings.Lines(string(content)) {
			if strings.Contains(problems.Error(), strings.TrimSpace(line)) {
				t.Errorf("the problem repeats a line of %s", name)
			}
		}
	}
}

// The audit log can be checked where nothing else of the service is in order.
func TestLoadAuditNeedsNothingElse(t *testing.T) {
	dir := folder(t)
	a, err := config.LoadAudit(put(t, dir, "[audit]\ndatabase = \"audit.db\"\nverifier_key = \"audit-key.pub\"\ncheckpoints = \"checkpoints\"\nsigning_key = \"absent\"\n[later]\nsetting = 1\n"))
	must(t, err)
	if a.Store.Database != filepath.Join(dir, "audit.db") || !slices.Equal(a.Checkpoints, []string{filepath.Join(dir, "checkpoints")}) || a.Verifier == nil {
		t.Errorf("got %+v", a)
	}
	_, err = config.LoadAudit(put(t, dir, "[audit]\n"))
	problems := problemsOf(t, err)
	if len(problems) != 2 || problems[0].Key != "audit.database" || problems[1].Key != "audit.verifier_key" {
		t.Errorf("got %v", problems)
	}
}

// Checkpoints go to one folder, named as before there could be several, or to
// several, to endpoints and to witnesses.
func TestPlacesOfCheckpoints(t *testing.T) {
	dir := folder(t)
	must(t, os.Mkdir(filepath.Join(dir, "elsewhere"), 0o755))
	both := []string{filepath.Join(dir, "checkpoints"), filepath.Join(dir, "elsewhere")}
	for value, expected := range map[string][]string{
		`""`: nil, `[]`: nil, `"checkpoints"`: both[:1], `["checkpoints"]`: both[:1], `["checkpoints", "elsewhere"]`: both,
	} {
		path := put(t, dir, in("audit", "checkpoints = "+value)(t, wardFile))
		s := mustLoad(t, path)
		a, err := config.LoadAudit(path)
		must(t, err)
		if !slices.Equal(s.Audit.Checkpoints, expected) || !slices.Equal(a.Checkpoints, expected) {
			t.Errorf("%s gives %q and %q", value, s.Audit.Checkpoints, a.Checkpoints)
		}
	}
	for _, value := range []string{"1", "true", "[1]", `["checkpoints", []]`, `{ path = "checkpoints" }`, `[{ path = "checkpoints" }]`} {
		err := loadWard(put(t, dir, in("audit", "checkpoints = "+value)(t, wardFile)))
		if err == nil || !strings.Contains(err.Error(), "the path of a folder or a list of such") {
			t.Errorf("%s: %v", value, err)
		}
	}
	s := mustLoad(t, put(t, dir, wardFile+`
[[audit.destinations]]
url = "https://keeper.example.invalid/ward"
[[audit.destinations]]
url = "https://other.example.invalid/ward"
ca = "ca.pem"
certificate = "client.pem"
key = "client-key.pem"
[[audit.witnesses]]
url = "https://witness.example.invalid/submit"
key = "witness.pub"
`))
	d, w := s.Remote.Destinations, s.Remote.Witnesses
	if len(d) != 2 || d[0].URL.Host != "keeper.example.invalid" || d[0].TLS.RootCAs != nil || len(d[0].TLS.Certificates) != 0 ||
		d[1].TLS.RootCAs == nil || len(d[1].TLS.Certificates) != 1 || d[1].TLS.MinVersion != tls.VersionTLS12 || d[1].TLS.InsecureSkipVerify {
		t.Errorf("destinations %+v", d)
	}
	if len(w) != 1 || w[0].URL.Path != "/submit" || w[0].Key.Name() != "witness.example.invalid/w" {
		t.Errorf("witnesses %+v", w)
	}
}

// WRD-AUD-16: a second copy of the log is in a file or in PostgreSQL, if anywhere.
func TestSecondCopy(t *testing.T) {
	dir := folder(t)
	for setting, want := range map[string]config.Store{
		``:                                {},
		`copy = { database = "copy.db" }`: {Database: filepath.Join(dir, "copy.db")},
		`copy.postgres = "postgres-url"`:  {Postgres: "postgres://ward:pass-w0rd@127.0.0.1/ward"},
		`copy = { late = "10m" }`:         {},
		`copy = { database = "/x/y.db", every = "5s" }`: {Database: "/x/y.db"},
	} {
		s, err := config.Load(put(t, dir, in("audit", setting)(t, wardFile)))
		must(t, err)
		if diff := cmp.Diff(want, s.Copy); diff != "" {
			t.Errorf("%s (-want +got):\n%s", setting, diff)
		}
	}
}

// Several instances share a log in PostgreSQL under names that tell them apart.
func TestPostgresAndItsInstances(t *testing.T) {
	dir := folder(t)
	host, err := os.Hostname()
	must(t, err)
	for instance, line := range map[string]string{host: "", "ward-0.Main_1": `instance = "ward-0.Main_1"`} {
		s, err := config.Load(put(t, dir, set("database", `""`+"\npostgres = \"postgres-url\"\n"+line)(t, wardFile)))
		must(t, err)
		want := config.Store{Postgres: "postgres://ward:pass-w0rd@127.0.0.1/ward", Instance: instance}
		if diff := cmp.Diff(want, s.Store); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	a, err := config.LoadAudit(put(t, dir, "[audit]\npostgres = \"postgres-url\"\nverifier_key = \"audit-key.pub\"\n"))
	must(t, err)
	if a.Store.Postgres != "postgres://ward:pass-w0rd@127.0.0.1/ward" || a.Store.Database != "" {
		t.Errorf("got %+v", a.Store)
	}
}

// MSCA-AUD-01c, IG-3.9.6a: nothing is erased or expires unless that is configured.
func TestNothingIsRemovedByDefault(t *testing.T) {
	dir := folder(t)
	s, err := config.Load(put(t, dir, wardFile))
	must(t, err)
	if s.Erasure != nil || len(s.Retention) > 0 {
		t.Errorf("erasure by %v, retention %v", s.Erasure, s.Retention)
	}
	s, err = config.Load(put(t, dir, in("audit", "erasure_key = \"other-key.pub\"\nretention = { questions = \"30y\", readings = \"18m\" }")(t, wardFile)))
	must(t, err)
	if s.Erasure == nil || len(s.Retention) != 2 || s.Retention[audit.Questions] != 360 || s.Retention[audit.Readings] != 18 {
		t.Errorf("erasure by %v, retention %v", s.Erasure, s.Retention)
	}
}
