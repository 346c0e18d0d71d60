package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/config"
)

func loadWard(path string) error {
	_, err := config.Load(path)
	return err
}

// WRD-OPS-15: each rule of the service's configuration, with the key that is named
// and the way out.
func TestEveryRule(t *testing.T) {
	dir := folder(t)
	must(t, loadWard(put(t, dir, wardFile)))
	groups := map[string][]rule{
		"general": generalRules(), "keys": keyRules(), "limits": limitRules(),
		"numbers": numberRules(), "spine": spineRules(), "clients": clientRules(), "checkpoints": checkpointRules(), "budgets": budgetRules(),
	}
	for group, rules := range groups {
		for _, r := range rules {
			t.Run(group+"/"+r.name, func(t *testing.T) { r.test(t, dir, wardFile, loadWard) })
		}
	}
}

func generalRules() []rule {
	return []rule{
		{"an unknown environment", change(`"test"`, `"production"`), "environment", "one of test, live"},
		{"no provider code", set("ods_code", `""`), "ods_code", "ODS code"},
		{"a provider code with a space", set("ods_code", `"Y 9"`), "ods_code", "letters and digits"},
		{"a provider code too long", set("ods_code", `"Y123456789012"`), "ods_code", "letters and digits"},
		{"no address", set("address", `""`), "listen.address", "host:port"},
		{"an address without a port", set("address", `"127.0.0.1"`), "listen.address", "host:port"},
		{"an address with no number for a port", set("address", `"127.0.0.1:https"`), "listen.address", "host:port"},
		{"an address with an impossible port", set("address", `"127.0.0.1:65536"`), "listen.address", "host:port"},
		{"no accepted To", set("accepted_to", `[]`), "itk.accepted_to", "at least one URL"},
		{"an accepted To that is no URL", set("accepted_to", `["smsp"]`), "itk.accepted_to", "not a URL"},
		{"operations off this machine", in("operations", `address = "0.0.0.0:9080"`), "operations.address", "loopback"},
		{"operations under a name", in("operations", `address = "localhost:9080"`), "operations.address", "loopback"},
		{"an unknown log format", in("log", `format = "xml"`), "log.format", "json, text"},
		{"an unknown log level", in("log", `level = "loud"`), "log.level", "debug, info, warn, error"},
		{"a code for an unknown outcome", in("codes", `map = { perhaps = "SMSP-0002" }`), "codes.map", ""},
		{"an unknown code", in("codes", `map = { found = "SMSP-1234" }`), "codes.map", ""},
		{"an unknown table", change("[log]\n", "[logs]\n"), "logs", "not a known setting"},
		{"a misspelt key", in("limits", "bursts = 5"), "limits.bursts", "not a known setting"},
		{"a value of another type", in("limits", `burst = "many"`), "config.toml", "burst"},
		{"a file that is not TOML", set("ods_code", "Y99"), "line 2", "TOML"},
	}
}

func keyRules() []rule {
	return []rule{
		{"no certificate", set("certificate", `""`), "listen.certificate", "missing"},
		{"a certificate that is not there", set("certificate", `"absent.pem"`), "listen.certificate", "cannot be read"},
		{"a certificate that is a folder", set("certificate", `"checkpoints"`), "listen.certificate", "cannot be read"},
		{"a certificate too large", set("certificate", `"huge"`), "listen.certificate", "cannot be read"},
		{"a certificate that never ends", set("certificate", `"/dev/zero"`), "listen.certificate", "cannot be read"},
		{"no key", set("key", `""`), "listen.key", "missing"},
		{"a key that is not there", set("key", `"absent.pem"`), "listen.key", "cannot be read"},
		{"a key that others may read (WRD-SEC-11)", set("key", `"open-key.pem"`), "listen.key", "chmod 600"},
		{"a key of another certificate", set("key", `"other-key.pem"`), "listen.certificate", "do not make a pair"},
		{"a certificate that is none", set("certificate", `"text"`), "listen.certificate", "do not make a pair"},
		{"an expired certificate", all(set("certificate", `"expired.pem"`), set("key", `"expired-key.pem"`)), "listen.certificate", "expired on"},
		{"a certificate of the future", all(set("certificate", `"future.pem"`), set("key", `"future-key.pem"`)), "listen.certificate", "not valid before"},
		{"no client anchors", set("client_ca", `""`), "listen.client_ca", "missing"},
		{"client anchors that are none", set("client_ca", `"text"`), "listen.client_ca", "no certificate in PEM"},
		{"a list that is not there", in("listen", `client_crls = ["list.crl", "absent.crl"]`), "listen.client_crls", "entry 2 is not a file"},
		{"a list that is none", in("listen", `client_crls = ["text"]`), "listen.client_crls", "entry 1 holds no revocation list"},
		{"a certificate for a list", in("listen", `client_crls = ["ca.pem"]`), "listen.client_crls", "something else"},
		{"an empty path of a list", in("listen", `client_crls = [""]`), "listen.client_crls", "entry 1 is not a file"},
		{"more lists than are read", in("listen", `client_crls = [`+strings.Repeat(`"list.crl",`, 17)+`]`), "listen.client_crls", "at most 16"},
		{"a grace period below 0", in("listen", `revocation_grace = "-1s"`), "listen.revocation_grace", "between"},
		{"a grace period above a week (WRD-IAM-05)", in("listen", `revocation_grace = "169h"`), "listen.revocation_grace", "between"},
		{"a list for the Spine that is not there", in("spine", `crls = ["absent.crl"]`), "spine.crls", "entry 1 is not a file"},
		{"a grace period for the Spine below 0", in("spine", `revocation_grace = "-1s"`), "spine.revocation_grace", "between"},
		{"a grace period for the Spine above a week", in("spine", `revocation_grace = "8761h"`), "spine.revocation_grace", "between"},
		{"no database", set("database", `""`), "audit.database", "missing"},
		{"two databases", in("audit", `postgres = "postgres-url"`), "audit.postgres", "together with audit.database"},
		{"an instance of a log that is not shared", in("audit", `instance = "ward-0"`), "audit.instance", "remove it"},
		{"a connection URL that is not there", set("database", `""`+"\n"+`postgres = "absent"`), "audit.postgres", "cannot be read"},
		{"a connection URL that others may read (WRD-SEC-11)", set("database", `""`+"\n"+`postgres = "open-url"`), "audit.postgres", "chmod 600"},
		{"a connection URL that is none", set("database", `""`+"\n"+`postgres = "text"`), "audit.postgres", "postgres://USER"},
		{"a connection over a network that is not verified", set("database", `""`+"\n"+`postgres = "far-url"`), "audit.postgres", "sslmode=verify-full"},
		{"an instance with a space", set("database", `""`+"\n"+`postgres = "postgres-url"`+"\n"+`instance = "ward 0"`), "audit.instance", "letters, digits"},
		{"two second copies", in("audit", `copy = { database = "copy.db", postgres = "postgres-url" }`), "audit.copy.postgres", "together with audit.copy.database"},
		{"a second copy that is the log", in("audit", `copy = { database = "./audit.db" }`), "audit.copy.database", "is the log itself"},
		{"a second copy in PostgreSQL of a log in PostgreSQL", set("database", `""`+"\n"+`postgres = "postgres-url"`+"\n"+`copy = { postgres = "postgres-url" }`), "audit.copy.postgres", "streaming replication"},
		{"a second copy whose URL others may read (WRD-SEC-11)", in("audit", `copy = { postgres = "open-url" }`), "audit.copy.postgres", "chmod 600"},
		{"a second copy over a network that is not verified", in("audit", `copy = { postgres = "far-url" }`), "audit.copy.postgres", "sslmode=verify-full"},
		{"a second copy that is never made", in("audit", `copy = { database = "copy.db", every = "0s" }`), "audit.copy.every", "more than 0"},
		{"a second copy that is late at once", in("audit", `copy = { database = "copy.db", every = "1m" }`), "audit.copy.late", "at least audit.copy.every, 1m0s"},
		{"no signing key", set("signing_key", `""`), "audit.signing_key", "missing"},
		{"a signing key that others may read", set("signing_key", `"audit-key.pub"`), "audit.signing_key", "chmod 600"},
		{"a signing key that is none", set("signing_key", `"text"`), "audit.signing_key", "ward audit keygen"},
		{"no sealing key", set("sealing_keys", `[]`), "audit.sealing_keys", "ward audit keygen"},
		{"a sealing key that others may read", set("sealing_keys", `["audit-key.pub"]`), "audit.sealing_keys", "chmod 600"},
		{"a sealing key of another kind", set("sealing_keys", `["index-key"]`), "audit.sealing_keys", "not such a key"},
		{"a sealing key twice", set("sealing_keys", `["sealing-key", "sealing-key"]`), "audit.sealing_keys", "twice"},
		{"no index key", set("index_keys", `[]`), "audit.index_keys", "ward audit keygen"},
		{"an index key of another kind", set("index_keys", `["sealing-key"]`), "audit.index_keys", "not such a key"},
		{"no verifier key", set("verifier_key", `""`), "audit.verifier_key", "missing"},
		{"a verifier key that is none", set("verifier_key", `"text"`), "audit.verifier_key", "ward audit keygen"},
		{"a verifier key of another log", set("verifier_key", `"other-key.pub"`), "audit.verifier_key", "counterpart"},
		{"an erasure key that is not there", in("audit", `erasure_key = "absent"`), "audit.erasure_key", "cannot be read"},
		{"an erasure key that is none", in("audit", `erasure_key = "text"`), "audit.erasure_key", "ward audit order -generate"},
		{"a secret erasure key (IG-3.9.6a)", in("audit", `erasure_key = "other-key"`), "audit.erasure_key", "kept elsewhere"},
		{"the log's own key for erasures (IG-3.9.6a)", in("audit", `erasure_key = "audit-key.pub"`), "audit.erasure_key", "the log's own key"},
		{"a retention in days", in("audit", `retention = { questions = "90d" }`), "audit.retention.questions", "30y"},
		{"a retention of nothing", in("audit", `retention = { readings = "0y" }`), "audit.retention.readings", "30y"},
		{"a retention too long", in("audit", `retention = { operations = "101y" }`), "audit.retention.operations", "100y"},
		{"a retention of what is kept for ever", in("audit", `retention = { permanent = "30y" }`), "audit.retention.permanent", "not a known setting"},
		{"checkpoints that are not there", in("audit", `checkpoints = "absent"`), "audit.checkpoints", "mkdir"},
		{"checkpoints that are a file", in("audit", `checkpoints = "text"`), "audit.checkpoints", "existing folder"},
		{"a second folder that is not there", in("audit", `checkpoints = ["checkpoints", "absent"]`), "audit.checkpoints", "mkdir"},
		{"an empty folder among them", in("audit", `checkpoints = ["checkpoints", ""]`), "audit.checkpoints", "entry 2 is empty"},
		{"a folder named twice", in("audit", `checkpoints = ["checkpoints", "./checkpoints"]`), "audit.checkpoints", "twice"},
		{"more folders than are written", in("audit", `checkpoints = [`+strings.Repeat(`"checkpoints",`, 9)+`]`), "audit.checkpoints", "at most 8"},
	}
}

// checkpointRules are those on the places and witnesses elsewhere.
func checkpointRules() []rule {
	after := func(table, lines string) edit {
		return func(_ *testing.T, file string) string { return file + "\n[[audit." + table + "]]\n" + lines + "\n" }
	}
	to := func(lines string) edit { return after("destinations", lines) }
	by := func(lines string) edit { return after("witnesses", lines) }
	const url, key = "url = \"https://keeper.example.invalid/ward\"\n", "key = \"witness.pub\"\n"
	var rules []rule
	for name, text := range map[string]string{
		"no": "", "a plain": "http://keeper.example.invalid/x", "a hostless": "https:///x", "a malformed": "https://%",
		"a password in the": "https://a:secret@keeper.example.invalid/", "a query in the": "https://keeper.example.invalid/?secret",
		"an empty query in the": "https://keeper.example.invalid/?", "a fragment in the": "https://keeper.example.invalid/#secret",
	} {
		line := "url = \"" + text + "\"\n"
		rules = append(rules,
			rule{name + " URL of a destination", to(line), "audit.destinations.1.url", "must be an https URL"},
			rule{name + " URL of a witness", by(line + key), "audit.witnesses.1.url", "must be an https URL"})
	}
	return append(rules, []rule{
		{"anchors of a destination that are none", to(url + `ca = "text"`), "audit.destinations.1.ca", "no certificate in PEM"},
		{"anchors of a witness that are not there", by(url + key + `ca = "absent"`), "audit.witnesses.1.ca", "cannot be read"},
		{"a certificate without its key", to(url + `certificate = "client.pem"`), "audit.destinations.1.key", "missing"},
		{"a key without its certificate", to(url + `key = "client-key.pem"`), "audit.destinations.1.certificate", "missing"},
		{"a key that others may read (WRD-SEC-11)", to(url + "certificate = \"server.pem\"\nkey = \"open-key.pem\""), "audit.destinations.1.key", "chmod 600"},
		{"a second destination's problem", all(to(url), to("")), "audit.destinations.2.url", "must be an https URL"},
		{"no key of a witness", by(url), "audit.witnesses.1.key", "missing"},
		{"a witness's key that is none", by(url + `key = "text"`), "audit.witnesses.1.key", "not the verifier key of a witness"},
		{"a log's key for a witness's", by(url + `key = "audit-key.pub"`), "audit.witnesses.1.key", "of another type"},
		{"a witness named twice", all(by(url+key), by(url+key)), "audit.witnesses.2.key", "name of another"},
		{"more destinations than are served", all(slices.Repeat([]edit{to(url)}, 9)...), "audit.destinations", "at most 8"},
		{"more witnesses than are asked", all(slices.Repeat([]edit{by(url + key)}, 9)...), "audit.witnesses", "at most 8"},
		{"an unknown setting of a destination", to(url + `proxy = "x"`), "audit.destinations.proxy", "not a known setting"},
	}...)
}

func limitRules() []rule {
	rules := []rule{
		{"a body beyond reason", in("limits", "body = 4194305"), "limits.body", "at most"},
		{"a clock skew below 0", in("itk", `clock_skew = "-1s"`), "itk.clock_skew", "between"},
		{"a clock skew above a minute", in("itk", `clock_skew = "61s"`), "itk.clock_skew", "between"},
	}
	for _, key := range []string{"connections", "connections_per_address", "questions", "body", "header", "per_second", "burst"} {
		rules = append(rules, notPositive("limits", key, false)...)
	}
	for _, key := range []string{"header_timeout", "body_timeout", "write_timeout", "idle_timeout", "drain_timeout", "retry_after"} {
		rules = append(rules, notPositive("limits", key, true)...)
	}
	rules = append(rules, notPositive("itk", "max_ttl", true)...)
	return append(rules, notPositive("audit", "checkpoint_every", true)...)
}

func numberRules() []rule {
	live := set2("environment", "live")
	return []rule{
		{"an unknown policy", in("nhs_number", `check_digit = "perhaps"`), "nhs_number.check_digit", "enforce, record, off"},
		{"an exempt number that is none", in("nhs_number", `exempt = ["9990000018", "999000001"]`), "nhs_number.exempt", "entry 2"},
		{"an exempt number when live (WRD-VAL-15)", all(live, in("nhs_number", `exempt = ["9990000018"]`)), "nhs_number", "WRD-VAL-15"},
		{"recorded check digits when live (WRD-VAL-15)", all(live, in("nhs_number", `check_digit = "record"`)), "nhs_number", "WRD-VAL-15"},
		{"ignored check digits when live (WRD-VAL-15)", all(live, in("nhs_number", `check_digit = "off"`)), "nhs_number", "WRD-VAL-15"},
	}
}

// set2 is for the one key that has no line before it.
func set2(key, value string) edit { return change(key+` = "test"`, key+` = "`+value+`"`) }

func spineRules() []rule {
	endpoint := func(url string) edit { return set("endpoint", `"`+url+`"`) }
	rules := []rule{
		{"no endpoint", endpoint(""), "spine.endpoint", "never guessed"},
		{"an endpoint without TLS", endpoint("http://spine.example.invalid/x"), "spine.endpoint", "https URL"},
		{"an endpoint without a host", endpoint("https:///x"), "spine.endpoint", "https URL"},
		{"an endpoint with a password", endpoint("https://a:b@spine.example.invalid/x"), "spine.endpoint", "https URL"},
		{"an endpoint that is no URL", endpoint("https://[/x"), "spine.endpoint", "https URL"},
		{"our ASID missing", set("from_asid", `""`), "spine.from_asid", "twelve digits"},
		{"our ASID too short", set("from_asid", `"20000000018"`), "spine.from_asid", "twelve digits"},
		{"the Spine's ASID not of digits", set("to_asid", `"92894201254x"`), "spine.to_asid", "twelve digits"},
		{"a breaker that needs no failure", in("spine", "breaker_failures = 0"), "spine.breaker_failures", "more than 0"},
		{"a breaker that does not pause", in("spine", `breaker_pause = "0s"`), "spine.breaker_pause", "more than 0"},
		{"fewer than none waiting", in("spine", "waiting = -1"), "spine.waiting", "less than 0"},
		{"two retries", in("spine", "connect_retries = 2"), "spine.connect_retries", "0 or 1"},
		{"fewer than no retries", in("spine", "connect_retries = -1"), "spine.connect_retries", "0 or 1"},
		{"an unknown TLS version", in("spine", `max_tls = "1.1"`), "spine.max_tls", "1.2, 1.3"},
		{"no code for not found", in("spine", "not_found_codes = []"), "spine.not_found_codes", "at least one"},
		{"connecting for as long as the budget", in("spine", `connect_timeout = "9s"`), "spine.connect_timeout", "shorter"},
		{"an endpoint of the live Spine (WRD-SAF-17)", endpoint("https://msg.national.ncrs.nhs.uk/x"), "spine.endpoint", "WRD-SAF-17"},
		{"the same in capitals", endpoint("https://MSG.National.NCRS.nhs.uk:443/x"), "spine.endpoint", "WRD-SAF-17"},
		{"the same with the root's dot", endpoint("https://msg.national.ncrs.nhs.uk./x"), "spine.endpoint", "WRD-SAF-17"},
		{"the domain itself", endpoint("https://national.ncrs.nhs.uk/x"), "spine.endpoint", "WRD-SAF-17"},
		{"the live Spine's certificate behind another address (WRD-SAF-17)", in("spine", `server_name = "msg.national.ncrs.nhs.uk"`), "spine.server_name", "WRD-SAF-17"},
		{"no certificate", change(`certificate = "client.pem"`, ""), "spine.certificate", "missing"},
		{"no key", change(`key = "client-key.pem"`, ""), "spine.key", "missing"},
		{"no anchors", setLast("ca", `""`), "spine.ca", "missing"},
	}
	for _, key := range []string{"connections", "max_reply"} {
		rules = append(rules, notPositive("spine", key, false)...)
	}
	for _, key := range []string{"connect_timeout", "write_timeout", "first_byte_timeout", "idle_timeout"} {
		rules = append(rules, notPositive("spine", key, true)...)
	}
	return rules
}

// second is a further client, with everything of its own but its certificate.
const second = `[[clients]]
name = "maternity"
organisations = ["RYY"]
setting = "maternity"
certificate_files = ["other.pem"]
usernames = ["maternity-system"]
audit_identities = ["urn:nhs-uk:identity:ods:RYY"]
asid = "200000000300"
`

func clientRules() []rule {
	another := func(edits ...edit) edit {
		return func(t *testing.T, file string) string { return file + all(edits...)(t, second) }
	}
	hash := strings.Repeat("ab", 32)
	rules := []rule{
		{"no client", func(_ *testing.T, file string) string {
			before, _, _ := strings.Cut(file, "[[clients]]")
			return before
		}, "clients", "at least one"},
		{"a client without a name", set("name", `""`), "clients.name", "client 1"},
		{"two clients of one name", another(set("name", `"ed"`)), "clients.name", "client 2"},
		{"two clients with one certificate", another(set("certificate_files", `["client.pem"]`)), "clients.certificates", "of its own"},
		{"two clients with one name in their certificates", all(set("certificate_files", `["client.pem"]`+"\ncertificates = [\"dns:A.example\"]"),
			another(set("certificate_files", `["other.pem"]`+"\ncertificates = [\"dns:a.example\"]"))), "clients.certificates", "of its own"},
		{"an unknown access method", in("[clients]", `access_method = "by telephone"`), "clients.ed.access_method", "attended, unattended, smartcard"},
		{"smartcard sessions, which nothing can check", in("[clients]", `access_method = "session"`), "clients.ed.access_method", "WRD-IAM-15"},
		{"numbers verified by somebody else", in("[clients]", `verify_number = "guess"`), "clients.ed.verify_number", "none, pds"},
		{"an organisation that is no code", set("organisations", `["RXX", "R X"]`), "clients.ed.organisations", "ODS codes"},
		{"no user name", set("usernames", `[]`), "clients.ed.usernames", "user names"},
		{"an empty user name", set("usernames", `["ed", ""]`), "clients.ed.usernames", "user names"},
		{"no ASID", set("asid", `""`), "clients.ed.asid", "twelve digits"},
		{"an ASID too long", set("asid", `"2000000002900"`), "clients.ed.asid", "twelve digits"},
		{"no audit identity", set("audit_identities", `[]`), "clients.ed.audit_identities", "at least one"},
		{"an audit identity of another kind", set("audit_identities", `["urn:example:RXX"]`), "clients.ed.audit_identities", "must be"},
		{"an audit identity of another organisation (WRD-IAM-03)", set("audit_identities", `["urn:nhs-uk:identity:ods:RYY"]`), "clients.ed.audit_identities", "one of the client's organisations"},
		{"no certificate", set("certificate_files", `[]`), "clients.ed.certificates", "at least one"},
		{"a certificate file that is not there", set("certificate_files", `["client.pem", "absent.pem"]`), "clients.ed.certificate_files", "cannot be read"},
		{"a certificate file that is none", set("certificate_files", `["client.pem", "text"]`), "clients.ed.certificate_files", "no certificate in PEM"},
		{"a certificate file with another content", set("certificate_files", `["client.pem", "block.pem"]`), "clients.ed.certificate_files", "does not begin with a certificate"},
		{"a hash too short", in("[clients]", `certificates = ["sha256:abcd"]`), "clients.ed.certificates", "sha256:HEX"},
		{"a hash of another kind", in("[clients]", `certificates = ["md5:`+hash+`"]`), "clients.ed.certificates", "sha256:HEX"},
		{"a name that is empty", in("[clients]", `certificates = ["dns:"]`), "clients.ed.certificates", "dns:NAME"},
	}
	// WRD-IAM-09: nobody but unscheduled care.
	for _, setting := range []string{"", "gp-surgery", "local-authority", "outpatients", "elective", "Emergency-Department"} {
		rules = append(rules, rule{"the setting " + setting + " (WRD-IAM-09)", set("setting", `"`+setting+`"`), "clients.ed.setting", "emergency-department"})
	}
	for _, key := range []string{"per_second", "burst", "questions"} {
		for _, r := range notPositive("[clients]", key, false) {
			r.key = "clients.ed." + key
			rules = append(rules, r)
		}
	}
	return rules
}
